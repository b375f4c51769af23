import { pageIndex, type PageIndex, type Version } from '../../src/address/page.js'
import { nodeChecksum as checksum } from '../../src/io/node/checksum.js'
import { silentLogger } from '../../src/io/logger.js'
import { Prng } from '../../src/stdx/prng.js'
import type { CommitGroup, PageDamage, PageWrite, Store, StoreLimits } from '../../src/store/store.js'
import { openStore, spaceId, type SpaceId } from '../../src/store/store.js'
import type { Directory } from '../../src/io/storage.js'

export const KiB = 1024
export const smallLimits: StoreLimits = {
  diskBytesMax: 16 * 128 * KiB,
  segmentBytes: 128 * KiB,
  pageBytesMax: 16 * KiB,
}

export async function open(
  directory: Directory,
  options: { limits?: StoreLimits; acceptDamage?: boolean; seed?: number } = {},
): Promise<Store> {
  return await openStore({
    directory,
    checksum,
    logger: silentLogger,
    random: Prng.fromSeed(options.seed ?? 1),
    limits: options.limits ?? smallLimits,
    acceptDamage: options.acceptDamage ?? false,
  })
}

export const space = (value: number): SpaceId => spaceId(value)
export const page = (value: number): PageIndex => pageIndex(value)

/** Bytes that tell a page written with this id from any other, in every sector. */
export function content(id: number, bytes = 4 * KiB): Uint8Array {
  const data = new Uint8Array(bytes)
  const view = new DataView(data.buffer)
  for (let at = 0; at < bytes; at += 256) {
    view.setUint32(at, id)
    view.setUint32(at + 4, at)
  }
  return data
}

export function write(inSpace: number, index: number, version: number, bytes = content(version)): PageWrite {
  return { space: space(inSpace), page: page(index), version: version as Version, bytes }
}

export function stamp(inSpace: number, index: number, version: number): PageDamage {
  return { space: space(inSpace), page: page(index), version: version as Version }
}

export function writes(...pages: PageWrite[]): CommitGroup {
  return { pages }
}

/** Lets everything that needs no time go on. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
