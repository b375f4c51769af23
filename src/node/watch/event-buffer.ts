import type { Dropped, WatchEvent } from './watch.js'
import { lossOf } from './watch-sink.js'

/**
 * Events that wait to be taken. Where there are too many, the oldest are dropped, and their loss is the next to be taken:
 * whoever is behind hears of it at once, reads again, and then sees the newest changes. Keeping the oldest instead would
 * show it changes that are long outdated before it hears that it must read again.
 */
export class EventBuffer {
  readonly #max: number
  /** By rising numbers, from `#first` on without a gap. */
  readonly #events = new Map<number, WatchEvent>()
  #first = 0
  /** What was dropped before all others. */
  #loss: Dropped | undefined

  constructor(max: number) {
    this.#max = max
  }

  push(event: WatchEvent): void {
    const last = this.#first + this.#events.size - 1
    const newest = this.#events.get(last)
    if (event.kind === 'dropped' && newest === undefined && this.#loss !== undefined) {
      this.#loss = merged(this.#loss, event)
      return
    }
    if (event.kind === 'dropped' && newest?.kind === 'dropped') {
      this.#events.set(last, merged(newest, event))
      return
    }
    if (this.#events.size >= this.#max) this.#dropOldest()
    this.#events.set(this.#first + this.#events.size, event)
  }

  /** The next one; undefined where there is none. */
  shift(): WatchEvent | undefined {
    const loss = this.#loss
    if (loss === undefined) return this.#takeOldest()
    this.#loss = undefined
    return loss
  }

  clear(): void {
    this.#events.clear()
    this.#loss = undefined
  }

  #dropOldest(): void {
    const event = this.#takeOldest()
    if (event === undefined) return
    const loss: Dropped = event.kind === 'dropped' ? event : { kind: 'dropped', count: 1 }
    this.#loss = this.#loss === undefined ? loss : merged(this.#loss, loss)
  }

  #takeOldest(): WatchEvent | undefined {
    const event = this.#events.get(this.#first)
    if (event === undefined) return undefined
    this.#events.delete(this.#first)
    this.#first += 1
    return event
  }
}

function merged(a: Dropped, b: Dropped): Dropped {
  return { kind: 'dropped', count: lossOf(a.count, b.count) }
}
