import type { Address } from '../../address/address.js'
import type { Khazana } from '../../client/khazana.js'
import type { Region } from '../../client/region.js'
import type { FsEnvironment } from '../environment.js'
import { fileSpaceBytes, newRegionPages } from '../file/limits.js'
import { Inode } from '../layout/inode.js'
import { Superblock, mountListPage, superblockPage, superblockPages } from '../layout/superblock.js'
import { livesPages } from '../locks/lives.js'
import { openingsPages } from './openings.js'

/** Bytes of a page of the file system's own regions. */
export const ownPageSize = 4096

export interface MakeOptions {
  /** On how many nodes all is kept, unless a directory says otherwise. 1 unless told. */
  readonly minReplicas?: number
  /** Bytes of a page of files, unless a directory says otherwise: a power of two from 4 KiB to 1 MiB. 4 KiB unless told. */
  readonly pageSize?: number
  /** Who the root belongs to, and what may be done with it: 0, 0 and 0o755 unless told. */
  readonly uid?: number
  readonly gid?: number
  readonly mode?: number
}

/** The root's number. The first that a mount gives to a file is beyond. */
const rootIno = 1
const firstIno = 65_536

/**
 * Makes a file system. What it answers is all that is needed to mount it. Where it fails, what was reserved for it is given back. Throws as
 * `Khazana.reserve`.
 */
export async function makeVolume(
  khazana: Khazana,
  environment: FsEnvironment,
  options: MakeOptions,
): Promise<Address> {
  const { minReplicas = 1, pageSize = ownPageSize, uid = 0, gid = 0, mode = 0o755 } = options
  const made: Region[] = []
  const reserve = async (bytes: number, storedBytes: number, bytesAPage: number): Promise<Region> => {
    const region = await khazana.reserve(bytes, { pageSize: bytesAPage, minReplicas })
    made.push(region)
    await region.allocate({ offset: 0, length: storedBytes })
    return region
  }
  try {
    const openingsBytes = openingsPages * ownPageSize
    const openings = await reserve(openingsBytes, openingsBytes, ownPageSize)
    const livesBytes = livesPages * ownPageSize
    const lives = await reserve(livesBytes, livesBytes, ownPageSize)
    const root = await reserve(pageSize + fileSpaceBytes, newRegionPages * pageSize, pageSize)
    const main = await reserve(superblockPages * ownPageSize, superblockPages * ownPageSize, ownPageSize)
    const rootLock = await root.lock('write', { offset: 0, length: pageSize })
    const inode = Inode.format(rootLock.map(0, pageSize), 'directory', rootIno)
    inode.mode = mode
    inode.uid = uid
    inode.gid = gid
    inode.links = 2
    inode.parent = root.address
    inode.replicas = minReplicas
    inode.childPageSize = pageSize
    inode.allocatedEnd = newRegionPages
    const random = environment.randomBytes(20)
    inode.hashSeed = new DataView(random.buffer, random.byteOffset).getUint32(16)
    const now = environment.now()
    inode.born = now
    inode.accessed = now
    inode.touchModified(now)
    const mainLock = await main.lock('write')
    const superblock = Superblock.format(mainLock.map(superblockPage * ownPageSize, ownPageSize))
    superblock.root = root.address
    superblock.openings = openings.address
    superblock.lives = lives.address
    superblock.replicas = minReplicas
    superblock.nextIno = firstIno
    superblock.id = random.subarray(0, 16)
    // So that it is written, too.
    mainLock.map(mountListPage * ownPageSize, ownPageSize)
    await khazana.unlockAll([rootLock, mainLock])
    return main.address
  } catch (reason) {
    await Promise.allSettled(made.map((region) => region.unreserve()))
    throw reason
  }
}
