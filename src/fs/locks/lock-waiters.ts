import type { FsError } from '../errno.js'
import type { FileLock, LockMount, WaitingLock } from './file-lock.js'

interface Waiter {
  lock: WaitingLock
  readonly granted: () => void
  readonly failed: (reason: FsError) => void
}

/** The programs of one mount that wait for locks on a file, by the tickets that their locks have in the table. */
export class LockWaiters {
  readonly #waiters = new Map<number, Waiter>()
  #lastTicket = 0

  get size(): number {
    return this.#waiters.size
  }

  has(ticket: number): boolean {
    return this.#waiters.has(ticket)
  }

  *locks(): Generator<WaitingLock> {
    for (const { lock } of this.#waiters.values()) yield lock
  }

  /** A ticket for the next who waits. */
  ticket(): number {
    this.#lastTicket += 1
    return this.#lastTicket
  }

  /** Resolves when the lock is had, rejects with what `fail` is told. `stop` is called where the signal says that it is not to be waited for any more. */
  add(lock: WaitingLock, signal: AbortSignal | undefined, stop: () => void): Promise<void> {
    const { ticket } = lock
    return new Promise<void>((resolve, reject) => {
      const isOver = (): void => {
        this.#waiters.delete(ticket)
        signal?.removeEventListener('abort', stop)
      }
      this.#waiters.set(ticket, {
        lock,
        granted: () => {
          isOver()
          resolve()
        },
        failed: (reason) => {
          isOver()
          reject(reason)
        },
      })
      signal?.addEventListener('abort', stop)
    })
  }

  granted(ticket: number): void {
    this.#waiters.get(ticket)?.granted()
  }

  /** Only these wait still: the others have their locks. */
  grantedBut(waiting: ReadonlySet<number>): void {
    for (const [ticket, { granted }] of this.#waiters) if (!waiting.has(ticket)) granted()
  }

  fail(ticket: number, reason: FsError): void {
    this.#waiters.get(ticket)?.failed(reason)
  }

  failAll(reason: FsError): void {
    for (const { failed } of this.#waiters.values()) failed(reason)
  }

  /** They wait as another mount from now on. */
  become(mount: LockMount): void {
    for (const waiter of this.#waiters.values()) waiter.lock = { ...waiter.lock, mount }
  }

  /** Whether others may let one of them have his lock: no other lock of this mount is in his way. */
  dependOnOthers(conflicts: (lock: FileLock) => readonly FileLock[]): boolean {
    for (const { lock } of this.#waiters.values()) {
      const { incarnation } = lock.mount
      if (!conflicts(lock).some(({ mount }) => mount.incarnation === incarnation)) return true
    }
    return false
  }
}
