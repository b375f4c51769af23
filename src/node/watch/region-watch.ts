import { addAddress } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { PageChange } from '../../wire/message.js'
import { withResolvers } from '../../io/deadline.js'
import type { Resolvers } from '../../io/deadline.js'
import { EventBuffer } from './event-buffer.js'
import type { Watch, WatchEvent } from './watch.js'
import type { WatchSink } from './watch-sink.js'
import { writerOf } from './writer.js'

/** Callers of `next` that may wait at once. */
const waitingMax = 1024

type Taken = IteratorResult<WatchEvent, undefined>

/** A program's watch: keeps what it has not taken yet. */
export class RegionWatch implements Watch, WatchSink {
  readonly #descriptor: RegionDescriptor
  readonly #buffer: EventBuffer
  readonly #waiting: Resolvers<Taken>[] = []
  readonly #onEnd: () => void
  /** Why nothing more comes: an error, or that the program wants no more. */
  #end: KhazanaError | 'returned' | undefined

  /** `onEnd` is called once, when nothing more is to be told. */
  constructor(descriptor: RegionDescriptor, bufferMax: number, onEnd: () => void) {
    this.#descriptor = descriptor
    this.#buffer = new EventBuffer(bufferMax)
    this.#onEnd = onEnd
  }

  // ---- for the program ------------------------------------------------------------------------------------------

  /** The next event, as soon as there is one. Calls are answered in their order. */
  async next(): Promise<Taken> {
    const value = this.#buffer.shift()
    if (value !== undefined) return { done: false, value }
    if (this.#end === 'returned') return { done: true, value: undefined }
    if (this.#end !== undefined) throw this.#end
    if (this.#waiting.length >= waitingMax) {
      throw new KhazanaError('busy', `${waitingMax} calls wait for the next change already`)
    }
    const taken = withResolvers<Taken>()
    this.#waiting.push(taken)
    return taken.promise
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#over('returned')
    return Promise.resolve({ done: true, value: undefined })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  // ---- for the site ---------------------------------------------------------------------------------------------

  /** Ends it at once: what waits to be taken is forgotten. */
  abort(error: KhazanaError): void {
    this.#over(error)
  }

  /** Throws `protocol-error` for pages that the region does not have: only a peer can tell of such. */
  changes(changes: readonly PageChange[]): void {
    const { address, size, pageSize, home } = this.#descriptor
    for (const { page, version, by } of changes) {
      const offset = page * pageSize
      if (offset >= size)
        throw new KhazanaError('protocol-error', `a change of page ${page}, which is not there`)
      this.#push({
        kind: 'change',
        address: addAddress(address, offset),
        offset,
        length: pageSize,
        version,
        by: writerOf(by, home),
      })
    }
  }

  dropped(count: number | undefined): void {
    this.#push({ kind: 'dropped', count })
  }

  ended(error: KhazanaError): void {
    this.#settle(error)
  }

  #push(event: WatchEvent): void {
    if (this.#end !== undefined) return
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#buffer.push(event)
    else waiting.resolve({ done: false, value: event })
  }

  #over(end: KhazanaError | 'returned'): void {
    if (end === 'returned' || this.#end === undefined) this.#buffer.clear()
    this.#settle(end)
  }

  #settle(end: KhazanaError | 'returned'): void {
    if (this.#end !== undefined) {
      if (end === 'returned') this.#end = end
      return
    }
    this.#end = end
    for (const taken of this.#waiting.splice(0)) {
      if (end === 'returned') taken.resolve({ done: true, value: undefined })
      else taken.reject(end)
    }
    this.#onEnd()
  }
}
