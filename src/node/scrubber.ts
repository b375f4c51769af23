import type { Clock } from '../io/clock.js'
import type { Logger } from '../io/logger.js'
import { KhazanaError } from '../stdx/errors.js'
import { sharedAbortController } from '../stdx/shared-abort.js'
import type { Store } from '../store/store.js'
import { ByteRate } from './byte-rate.js'
import { pause } from './pause.js'

/** A disk of 1 TiB takes nine hours. */
const scrubBytesPerSecond = 32 * 1024 * 1024
/** After which it goes on to read: shorter waits are not worth a timer each. */
const restMsMin = 50

export interface ScrubberOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: Pick<Store, 'scrub' | 'damage' | 'damageCount'>
  /** From the end of one round to the start of the next, in milliseconds; 0: never. */
  readonly everyMs: number
  /** A round has found something. */
  readonly found: () => void
}

/** Reads all pages on the disk now and then, slowly, so that rot is found before somebody needs the page. */
export class Scrubber {
  readonly #options: ScrubberOptions
  readonly #closing = sharedAbortController()

  constructor(options: ScrubberOptions) {
    this.#options = options
  }

  /** Once. */
  start(): void {
    if (this.#options.everyMs > 0) void this.#run()
  }

  stop(): void {
    this.#closing.abort()
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { clock, everyMs } = this.#options
    const { signal } = this.#closing
    for (;;) {
      await pause(clock, everyMs, signal)
      if (signal.aborted) return
      await this.#scrub()
    }
  }

  /** Never rejects. */
  async #scrub(): Promise<void> {
    const { clock, logger, store, found } = this.#options
    const { signal } = this.#closing
    const rate = new ByteRate(clock, scrubBytesPerSecond)
    const before = store.damageCount
    try {
      await store.scrub(async (bytes) => {
        const waitMs = rate.reserve(bytes)
        if (waitMs >= restMsMin) await pause(clock, waitMs, signal)
        if (signal.aborted) throw new KhazanaError('closed', 'the node was closed')
      })
    } catch (reason) {
      if (signal.aborted) return
      logger.log('warn', 'the disk was not read to the end', { reason: KhazanaError.from(reason).message })
    }
    const count = store.damageCount - before
    if (count === 0) return
    logger.log('error', 'damaged records were found on the disk', { count, damaged: store.damage.length })
    found()
  }
}
