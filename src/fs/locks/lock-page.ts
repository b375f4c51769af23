import type { Region } from '../../client/region.js'
import { KhazanaError } from '../../stdx/errors.js'
import { fsErrorFrom } from '../errors.js'
import { pageOfByte } from '../file/contents.js'
import { fileBytesMax } from '../file/limits.js'
import type { Lock } from '../pages/lock.js'
import type { LockTable } from './lock-table.js'
import { decodeLockTable, encodeLockTable } from './lock-table-layout.js'
import { lockTableBytes } from './lock-table-size.js'

/** Where the table of a file's locks is: behind the last byte that a file may have, so that nobody meets it who looks for data. It has storage from the first lock on. */
export class LockPage {
  readonly #region: Region
  /** For how long a page is waited for. Milliseconds. */
  readonly timeoutMs: number
  readonly #offset: number

  constructor(region: Region, timeoutMs: number) {
    this.#region = region
    this.timeoutMs = timeoutMs
    this.#offset = pageOfByte(fileBytesMax, region.pageSize) * region.pageSize
  }

  /** The page, where this node has it. */
  tryLock(mode: 'read' | 'write'): Lock | undefined {
    try {
      return this.#region.tryLock(mode, this.#range)
    } catch (reason) {
      throw fsErrorFrom(KhazanaError.from(reason))
    }
  }

  /** Waits for the page. Throws `FsError`: `EINTR` by the signal. */
  async lock(mode: 'read' | 'write', signal?: AbortSignal): Promise<Lock> {
    const wait = { timeoutMs: this.timeoutMs, ...(signal !== undefined && { signal }) }
    try {
      return await this.#region.lock(mode, this.#range, wait)
    } catch (reason) {
      if (KhazanaError.from(reason).code !== 'not-allocated') throw fsErrorFrom(KhazanaError.from(reason))
    }
    try {
      const { pageSize } = this.#region
      const length = Math.max(pageSize, lockTableBytes)
      await this.#region.allocate({ offset: this.#offset, length }, wait)
      return await this.#region.lock(mode, this.#range, wait)
    } catch (reason) {
      throw fsErrorFrom(KhazanaError.from(reason))
    }
  }

  /** Throws `EIO`. */
  load(lock: Lock): LockTable {
    try {
      return decodeLockTable(lock.read(this.#offset, lockTableBytes))
    } catch (reason) {
      throw reason instanceof KhazanaError ? fsErrorFrom(reason) : reason
    }
  }

  /** Writes the table under the lock, where it is not there already. Throws `KhazanaError`. */
  store(lock: Lock, table: LockTable): 'written' | 'the same' {
    const before = lock.read(this.#offset, lockTableBytes)
    const bytes = new Uint8Array(lockTableBytes)
    const used = encodeLockTable(table, bytes)
    const isUnused =
      table.held.length === 0 && table.waiting.length === 0 && before.every((byte) => byte === 0)
    if (isUnused) return 'the same'
    let state: 'written' | 'the same' = 'the same'
    const { pageSize } = this.#region
    for (let from = 0; from < used; from += pageSize) {
      const piece = bytes.subarray(from, Math.min(from + pageSize, used))
      if (piece.every((byte, index) => byte === before[from + index])) continue
      lock.write(this.#offset + from, piece)
      state = 'written'
    }
    return state
  }

  get #range(): { readonly offset: number; readonly length: number } {
    return { offset: this.#offset, length: lockTableBytes }
  }
}
