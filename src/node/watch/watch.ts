import type { Address } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import type { WaitOptions } from '../../io/deadline.js'

/** `timeoutMs` is for the beginning alone; `signal` ends the watch at any time, which then throws `aborted`. */
export interface WatchOptions extends WaitOptions {
  /** Events that may wait to be taken: 1 to 1,048,576; 1,024 unless told. Beyond, the oldest are dropped. */
  readonly bufferMax?: number
}

export type WatchEvent = Change | Dropped

/** A new version of one page is durable at the home. */
export interface Change {
  readonly kind: 'change'
  /** Of the page's first byte. */
  readonly address: Address
  /** The same, in bytes from the start of the region. */
  readonly offset: number
  /** Bytes: the page size. Which of them differ is not known. */
  readonly length: number
  /** Rises with each change of the page, not always by one. */
  readonly version: number
  readonly by: Writer
}

/**
 * Changes at this place are missing: read again what matters. All that became durable before this event was taken is
 * seen then.
 */
export interface Dropped {
  readonly kind: 'dropped'
  /** How many; undefined where nobody knows, as the connection to the home was lost for a while. */
  readonly count: number | undefined
}

/**
 * Who wrote a page, as far as the home knows: a node (it, or a client of its), or one client of a node. The client's number
 * is that of `khazana stat`: its node gave it when it connected.
 */
export interface Writer {
  readonly node: NodeId
  readonly client?: number
}

/**
 * The changes of a range, as they happen. Ends by `return` (so also when a `for await` over it is left) or `await using`.
 * Throws `no-such-region` where the region is unreserved, `closed` where the node or the client is closed, and `aborted`;
 * in the first case after what still waits to be taken.
 */
export interface Watch extends AsyncIterableIterator<WatchEvent, undefined>, AsyncDisposable {
  next(): Promise<IteratorResult<WatchEvent, undefined>>
  return(): Promise<IteratorReturnResult<undefined>>
  [Symbol.asyncIterator](): this
}
