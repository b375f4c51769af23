import { KhazanaError } from '../../stdx/errors.js'
import { changesMax } from '../../wire/limits.js'
import type { PageChange, WatchNews } from '../../wire/message.js'
import type { Session } from '../session/session.js'
import { lossOf } from './watch-sink.js'
import type { HomeWatchSink, Subscription } from './watch-sink.js'

/**
 * What one peer watches through this site: sends it the changes. Those of one turn of the event loop make one message. As
 * soon as the peer does not take messages any more, changes are dropped and counted, until it takes some again and is
 * told how many it missed: so no more than one message's worth ever waits here.
 */
export class PeerWatch implements HomeWatchSink {
  readonly #session: Session
  readonly #watch: number
  readonly #onEnd: () => void
  #pending: PageChange[] = []
  #isSendingSoon = false
  /** What the peer has missed and not been told of. While there is such a loss, all that comes adds to it. */
  #loss: { readonly count: number | undefined } | undefined
  #subscription: Subscription | undefined
  #isOver = false

  /** `onEnd` is called when nothing more is to be sent, unless that was by `stop`. */
  constructor(session: Session, watch: number, onEnd: () => void) {
    this.#session = session
    this.#watch = watch
    this.#onEnd = onEnd
  }

  /** Where the changes come from. */
  from(subscription: Subscription): void {
    this.#subscription = subscription
    if (this.#isOver) subscription.stop()
  }

  /** The peer wants no more, or is gone. */
  stop(): void {
    this.#isOver = true
    this.#pending = []
    this.#subscription?.stop()
  }

  changes(changes: readonly PageChange[]): void {
    if (this.#isOver) return
    if (this.#isHeldUp()) {
      this.#lose(changes.length)
      return
    }
    for (const [index, change] of changes.entries()) {
      if (this.#pending.length >= changesMax) {
        this.#sendPending()
        if (this.#isHeldUp()) {
          this.#lose(changes.length - index)
          return
        }
      }
      this.#pending.push(change)
    }
    if (this.#pending.length > 0) this.#sendSoon()
  }

  dropped(count: number | undefined): void {
    if (this.#isOver) return
    if (this.#isHeldUp()) {
      this.#lose(count)
      return
    }
    this.#sendPending()
    this.#send({ kind: 'dropped', count })
  }

  ended({ code, message }: KhazanaError): void {
    this.#finish({ kind: 'ended', code, message })
  }

  moved(): void {
    this.#finish({ kind: 'moved' })
  }

  #finish(last: WatchNews): void {
    if (this.#isOver) return
    this.#sendPending()
    this.#sendLoss()
    this.#send(last)
    this.#isOver = true
    this.#onEnd()
  }

  /** Whether what comes now is lost: the peer takes nothing, or is to hear of an earlier loss first. */
  #isHeldUp(): boolean {
    return this.#loss !== undefined || !this.#session.writable
  }

  #lose(count: number | undefined): void {
    const before = this.#loss
    if (before !== undefined) {
      this.#loss = { count: lossOf(before.count, count) }
      return
    }
    this.#sendPending()
    this.#loss = { count }
    void this.#tellWhenWritable()
  }

  async #tellWhenWritable(): Promise<void> {
    try {
      await this.#session.whenWritable()
    } catch (reason) {
      // With its session the peer has lost its watches: there is nobody to be told.
      if (!(reason instanceof KhazanaError)) throw reason
      return
    }
    if (!this.#isOver) this.#sendLoss()
  }

  #sendLoss(): void {
    if (this.#loss === undefined) return
    const { count } = this.#loss
    this.#loss = undefined
    this.#send({ kind: 'dropped', count })
  }

  #sendSoon(): void {
    if (this.#isSendingSoon) return
    this.#isSendingSoon = true
    queueMicrotask(() => {
      this.#isSendingSoon = false
      this.#sendPending()
    })
  }

  #sendPending(): void {
    if (this.#pending.length === 0) return
    const changes = this.#pending
    this.#pending = []
    this.#send({ kind: 'changes', changes })
  }

  #send(news: WatchNews): void {
    this.#session.send({ kind: 'watch-notice', watch: this.#watch, news })
  }
}
