import type { Address } from '../../address/address.js'
import type { Khazana } from '../../client/khazana.js'
import type { Region } from '../../client/region.js'
import { KhazanaError } from '../../stdx/errors.js'
import { getUint53, setUint53, viewOf } from '../layout/fields.js'
import { FsError } from '../errno.js'
import type { Lock } from '../pages/lock.js'
import type { LockMount } from './file-lock.js'

/** Pages of the region: as many as there are places in the list of mounts. */
export const livesPages = 256
/** How long a mount is given to show that it lives: locks of who is dead end with its lease. Milliseconds. */
const isAliveMs = 100

export interface LivesOptions {
  readonly khazana: Khazana
  /** Of the region; undefined where the file system has none. */
  readonly address: Address | undefined
  readonly timeoutMs: number
}

/**
 * Which mounts live that have locks on files: a region with a page for each place in the list of mounts. In it is the mount's incarnation, and the mount has a read lock on it for
 * as long as it lives. Who can lock the page for writing, or finds another number there, knows that the mount is over.
 *
 * Rejected: the lock on the mount's own record, which says the same. The record is at the mount's own node, unless the file system is kept on several, and cannot be
 * asked when that node is lost; this region is where the superblock is, without which there are no files either.
 */
export class Lives {
  readonly #options: LivesOptions
  #region: Promise<Region> | undefined

  constructor(options: LivesOptions) {
    this.#options = options
  }

  /** The mount lives from now on, until the lock ends. Throws `FsError`, `KhazanaError`: `timeout` where another mount lives at its place. */
  async enter({ slot, incarnation }: LockMount): Promise<Lock> {
    const { timeoutMs } = this.#options
    const region = await this.#open()
    const range = rangeOf(region, slot)
    const lock = await region.lock('write', range, { timeoutMs })
    setUint53(viewOf(lock.map(range.offset, range.length)), 0, incarnation)
    await lock.unlock()
    // Nobody knows the number yet, so nobody can find the mount dead meanwhile.
    return region.lock('read', range, { timeoutMs })
  }

  /** False where that cannot be found out now. */
  async isOver({ slot, incarnation }: LockMount): Promise<boolean> {
    const { timeoutMs } = this.#options
    try {
      const region = await this.#open()
      const range = rangeOf(region, slot)
      const present = await region.lock('read', range, { timeoutMs })
      const found = getUint53(viewOf(present.read(range.offset, 8)), 0)
      present.discard()
      if (found !== incarnation) return true
      const lock = await region.lock('write', range, { timeoutMs: isAliveMs })
      lock.discard()
      return true
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code === 'timeout' || code === 'unreachable') return false
      throw reason
    }
  }

  #open(): Promise<Region> {
    return (this.#region ??= this.#find().catch((reason: unknown) => {
      this.#region = undefined
      throw reason
    }))
  }

  async #find(): Promise<Region> {
    const { khazana, address, timeoutMs } = this.#options
    if (address !== undefined) return khazana.region(address, { timeoutMs })
    throw new FsError('ENOLCK', 'the file system was made by a version that had no locks between mounts')
  }
}

function rangeOf({ pageSize }: Region, slot: number): { readonly offset: number; readonly length: number } {
  return { offset: slot * pageSize, length: pageSize }
}
