import type { SiteId } from '../../src/address/identity.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import type { Session } from '../../src/node/session/session.js'
import { Waiters } from '../../src/node/session/waiters.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { PageChange, SequencedMessage, WatchNews } from '../../src/wire/message.js'
import type { HomeWatchSink } from '../../src/node/watch/watch-sink.js'

export function change(page: number, version: number, by = 1): PageChange {
  return { page: page as PageIndex, version: version as Version, by: by as SiteId }
}

/** Versions from `first` on, of one page. */
export function changesOf(page: number, first: number, count: number): PageChange[] {
  return Array.from({ length: count }, (_, index) => change(page, first + index))
}

/** A session whose peer takes messages, or not, as the test says; and what was sent to it. */
export class FakeSession {
  readonly news: WatchNews[] = []
  readonly #writable = new Waiters()
  writable = true
  onSend: () => void = () => undefined
  loss: { readonly error: KhazanaError } | undefined

  /** As those who send see it: nothing else of it is used. */
  as(role: 'node' | 'client'): Session {
    const site = role === 'node' ? 2 : 2 ** 20 + 1
    return Object.assign(this, { peer: { role, site } }) as unknown as Session
  }

  send(message: SequencedMessage): void {
    if (message.kind === 'watch-notice') this.news.push(message.news)
    this.onSend()
  }

  whenWritable(): Promise<void> {
    return this.writable ? Promise.resolve() : this.#writable.wait()
  }

  block(): void {
    this.writable = false
  }

  unblock(): void {
    this.writable = true
    this.#writable.resolve()
  }

  lose(): void {
    const error = new KhazanaError('unreachable', 'the session was lost')
    this.loss = { error }
    this.#writable.reject(error)
  }

  /** What was sent, briefly: versions, and losses in brackets. */
  get told(): string[] {
    return this.news.map((news) => {
      if (news.kind === 'changes') return news.changes.map(({ version }) => version).join(' ')
      if (news.kind === 'dropped') return `[${news.count ?? '?'}]`
      return news.kind === 'moved' ? news.kind : news.code
    })
  }
}

/** Writes down what it is told. */
export class RecordingSink implements HomeWatchSink {
  readonly told: string[] = []

  changes(changes: readonly PageChange[]): void {
    this.told.push(changes.map(({ version }) => version).join(' '))
  }

  dropped(count: number | undefined): void {
    this.told.push(`[${count ?? '?'}]`)
  }

  ended(error: KhazanaError): void {
    this.told.push(error.code)
  }

  moved(): void {
    this.told.push('moved')
  }
}

/** Lets all that follows from what has happened happen. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
