import type { LockMode } from '../../address/lock-mode.js'
import type { ByteRange } from '../../address/range.js'
import type { Region } from '../../client/region.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { FsEnvironment } from '../environment.js'
import type { Lock } from './lock.js'

/** Between two attempts to have it again. Milliseconds. */
const againMs = 500

export interface KeptLockOptions {
  readonly region: Region
  readonly mode: LockMode
  readonly range: ByteRange
  readonly environment: FsEnvironment
  /** For one attempt. Milliseconds. */
  readonly timeoutMs: number
}

/** A lock that says something for as long as it is there, and that is taken again where it is lost with a home, or with the way to it: until `discard`. */
export class KeptLock {
  readonly #options: KeptLockOptions
  #lock: Lock | undefined
  #isOver = false

  /** `first`: it is had already. */
  constructor(options: KeptLockOptions, first: Lock) {
    this.#options = options
    this.#keep(first)
  }

  /** Idempotent. */
  discard(): void {
    this.#isOver = true
    this.#lock?.discard()
    this.#lock = undefined
  }

  #keep(lock: Lock): void {
    this.#lock = lock
    lock.onBroken(() => {
      lock.discard()
      this.#lock = undefined
      void this.#again()
    })
  }

  /** Never rejects. */
  async #again(): Promise<void> {
    const { region, mode, range, environment, timeoutMs } = this.#options
    while (!this.#isOver) {
      try {
        const lock = await region.lock(mode, range, { timeoutMs })
        if (this.#isClosed()) lock.discard()
        else this.#keep(lock)
        return
      } catch (reason) {
        const { code } = KhazanaError.from(reason)
        // It has ended with whoever held it.
        if (code === 'closed' || code === 'no-such-region') return
      }
      await new Promise<void>((resolve) => {
        environment.after(againMs, resolve)
      })
    }
  }

  #isClosed(): boolean {
    return this.#isOver
  }
}
