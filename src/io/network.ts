/** Where a peer listens: a TCP port or a unix socket. */
export type Endpoint =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/**
 * Why a connection ended. `ended`: the other side closed it, or its process died and its kernel said so. `reset`:
 * the link failed, and nothing is known of the other side. `local`: this side closed it.
 */
export type CloseReason =
  { readonly kind: 'ended' } | { readonly kind: 'reset'; readonly cause: string } | { readonly kind: 'local' }

export interface ConnectionHandlers {
  /** Bytes in order. The chunk is only valid until the call returns: copy what is kept. */
  data(chunk: Uint8Array): void
  /** The queue has fallen under its low-water mark after `send` answered false. */
  drain(): void
  /** Called exactly once, after which nothing else is. */
  closed(reason: CloseReason): void
}

/** A reliable, ordered stream of bytes. */
export interface Connection {
  /** For people: what the other side is called. */
  readonly remote: string
  /** Bytes accepted by `send` and not yet taken by the operating system. */
  readonly queuedBytes: number
  /** Starts delivery. Called once, by the owner. */
  start(handlers: ConnectionHandlers): void
  /**
   * Queues the chunks as they are: the caller must not change them afterwards. False when the queue is over its
   * high-water mark (the bytes are still queued); wait for `drain`.
   */
  send(chunks: readonly Uint8Array[]): boolean
  /** Sends what is queued, then closes. */
  close(): void
  /**
   * Closes now; what is queued is lost. The other side sees a `reset`, except over a unix socket, which has none: there
   * it sees `ended`.
   */
  destroy(): void
}

export interface Listener {
  /** The endpoint as bound: a port of 0 is replaced by the real one. */
  readonly endpoint: Endpoint
  /** Stops accepting. Open connections live on. */
  close(): Promise<void>
}

export interface Network {
  /** Throws `address-in-use`; `invalid-argument` for a host that does not exist here. */
  listen(endpoint: Endpoint, accept: (connection: Connection) => void): Promise<Listener>
  /** Throws `unreachable`, also after `timeoutMs`. */
  connect(endpoint: Endpoint, options: { readonly timeoutMs: number }): Promise<Connection>
}
