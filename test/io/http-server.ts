import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

/** What a test lets a server do with a request whose body has come. */
export type Handler = (body: string, response: ServerResponse, request: IncomingMessage) => void

/** A server of this process, on a port of its own. */
export class HttpServer implements AsyncDisposable {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server, scheme: string) {
    this.#server = server
    this.url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(handler: Handler, tls?: ServerOptions): Promise<HttpServer> {
    const listener: RequestListener = (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => handler(Buffer.concat(chunks).toString(), response, request))
    }
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return new HttpServer(server, tls === undefined ? 'http' : 'https')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}
