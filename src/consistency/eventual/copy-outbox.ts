import type { SiteId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { CmEffect } from '../contract.js'
import type { Stamp } from './hybrid-clock.js'
import { pagesPerMessageMax } from './message.js'
import type { EventualMessage, HeldPage, PushedPage, StampedPage } from './message.js'

/** What one step says to the home, gathered to few messages. */
export class CopyOutbox {
  readonly #home: SiteId
  #holds: HeldPage[] = []
  #pushes: PushedPage[] = []
  #acks: StampedPage[] = []
  #drops: PageIndex[] = []

  constructor(home: SiteId) {
    this.#home = home
  }

  hold(page: PageIndex, stamp: Stamp | undefined): void {
    this.#holds.push({ page, stamp })
  }

  push(page: PushedPage): void {
    this.#pushes.push(page)
  }

  ack(page: StampedPage): void {
    this.#acks.push(page)
  }

  drop(page: PageIndex): void {
    this.#drops.push(page)
  }

  /** Appends the messages, behind the effects that change the frames that go along. */
  flush(effects: CmEffect<EventualMessage>[]): void {
    const to = this.#home
    for (const pages of chunks(this.#drops))
      effects.push({ kind: 'send', to, message: { kind: 'drop', pages } })
    for (const pages of chunks(this.#holds))
      effects.push({ kind: 'send', to, message: { kind: 'hold', pages } })
    for (const pages of chunks(this.#acks))
      effects.push({ kind: 'send', to, message: { kind: 'ack', pages } })
    for (const pages of chunks(this.#pushes)) {
      const attach = pages.map(({ page }) => ({ kind: 'frame', page }) as const)
      effects.push({ kind: 'send', to, message: { kind: 'push', pages }, attach })
    }
    if (this.#holds.length > 0) this.#holds = []
    if (this.#pushes.length > 0) this.#pushes = []
    if (this.#acks.length > 0) this.#acks = []
    if (this.#drops.length > 0) this.#drops = []
  }
}

/** The list in parts that fit a message each. */
export function* chunks<T>(list: readonly T[]): Iterable<readonly T[]> {
  for (let start = 0; start < list.length; start += pagesPerMessageMax) {
    yield list.slice(start, start + pagesPerMessageMax)
  }
}
