import type { WaitOptions } from './deadline.js'

/** How the other side of a connection proves who it is, and this side does. PEM texts. */
export interface TlsOptions {
  /** Whom to believe; the authorities of the machine unless told. */
  readonly ca?: string
  /** Of this side, both or neither. */
  readonly cert?: string
  readonly key?: string
}

/** Asks servers over HTTP. */
export interface HttpClient {
  /**
   * Sends JSON, and resolves when the head of the answer is there. Throws `unreachable` where the server has certainly not heard of it;
   * `outcome-unknown` where the connection was lost later; `timeout` and `aborted` where it may have heard;
   * `invalid-argument` for what is no URL of `http:` or `https:`.
   */
  post(url: string, body: string, options: WaitOptions): Promise<HttpResponse>
  /** Lets go of all connections. Answers that are being read break. Idempotent. */
  close(): void
}

export interface HttpResponse {
  readonly status: number
  /** More of the body, as it comes, the caller's own; undefined at its end. Throws `outcome-unknown` where the connection is lost. One call at a time. */
  read(): Promise<Uint8Array | undefined>
  /** Whatever is still to come does not. Idempotent; a no-op after the end. */
  destroy(): void
}
