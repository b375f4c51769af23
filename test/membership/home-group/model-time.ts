import { EventQueue } from '../../../src/testing/event-queue.js'

/** True time, in milliseconds, and what will happen in it. */
export class ModelTime {
  readonly #queue = new EventQueue()
  #serial = 0
  now = 0
  /** Events that have happened. */
  count = 0

  after(ms: number, run: () => void): void {
    this.#serial += 1
    const timeMs = this.now + ms
    this.#queue.push({ timeMs, tie: 0, serial: this.#serial, owner: undefined, label: '', run })
  }

  runUntil(end: number): void {
    for (let next = this.#queue.peek(); next !== undefined && next.timeMs <= end; next = this.#queue.peek()) {
      this.#queue.pop()
      this.now = next.timeMs
      this.count += 1
      next.run?.()
    }
    this.now = end
  }
}
