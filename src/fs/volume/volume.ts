import type { Address } from '../../address/address.js'
import type { Khazana } from '../../client/khazana.js'
import type { FsEnvironment } from '../environment.js'
import { FsError } from '../errno.js'
import { Inode, inodePage } from '../layout/inode.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import type { PageRunner } from '../pages/page-runner.js'
import type { AccessTimes } from './access-times.js'
import type { InoSource } from './ino-source.js'
import type { Openings } from './openings.js'
import type { Orphans } from './orphans.js'
import type { Reaper } from './reaper.js'
import type { Spares } from './spares.js'

/** A mounted file system, as operations see it. */
export interface Volume {
  readonly khazana: Khazana
  readonly environment: FsEnvironment
  readonly runner: PageRunner
  readonly root: Address
  readonly inos: InoSource
  readonly spares: Spares
  readonly orphans: Orphans
  readonly openings: Openings
  readonly reaper: Reaper
  readonly accesses: AccessTimes
}

/** The file's inode, to look at. Throws `Miss`, `ESTALE` for what is no file any more. */
export function readInode(attempt: Attempt, region: FsRegion): Inode {
  const bytes = attempt.read(region, inodePage)
  if (bytes === undefined) throw new FsError('ESTALE', 'the file is no more')
  return new Inode(bytes)
}

/** The same to change. */
export function writeInode(attempt: Attempt, region: FsRegion): Inode {
  return new Inode(attempt.write(region, inodePage))
}

/** The inode of a directory. Throws also `ENOTDIR`. */
export function readDirectory(attempt: Attempt, region: FsRegion): Inode {
  return directory(readInode(attempt, region))
}

/** The same to change what is in it: throws also `ENOENT` for one that has been taken away. */
export function writeDirectory(attempt: Attempt, region: FsRegion): Inode {
  const inode = directory(writeInode(attempt, region))
  if (inode.links === 0) throw new FsError('ENOENT', 'the directory has been removed')
  return inode
}

function directory(inode: Inode): Inode {
  if (inode.kind !== 'directory') throw new FsError('ENOTDIR', 'not a directory')
  return inode
}
