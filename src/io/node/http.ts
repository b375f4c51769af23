import { Agent as PlainAgent, request as plainRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { KhazanaError } from '../../stdx/errors.js'
import { Deadline } from '../deadline.js'
import type { WaitOptions } from '../deadline.js'
import type { HttpClient, HttpResponse, TlsOptions } from '../http.js'
import { nodeClock } from './clock.js'

/** How long a server may take to accept a connection, TLS included. */
const connectMsMax = 2_000
/** To one server, at a time; further requests wait. */
const connectionsMax = 1_100

/** HTTP/1.1 as the runtime has it, with connections that are kept for the next request. */
export function nodeHttp(tls: TlsOptions = {}): HttpClient {
  const agents = {
    'http:': new PlainAgent({ keepAlive: true, maxSockets: connectionsMax }),
    'https:': new TlsAgent({ ...tls, keepAlive: true, maxSockets: connectionsMax }),
  }
  const begin = (url: URL): ClientRequest => {
    const options = { method: 'POST', headers: { 'content-type': 'application/json' } }
    if (url.protocol === 'http:') return plainRequest(url, { ...options, agent: agents['http:'] })
    if (url.protocol === 'https:') return tlsRequest(url, { ...options, agent: agents['https:'] })
    throw new KhazanaError('invalid-argument', `a URL begins with http: or https:, not ${url.protocol}`)
  }
  return {
    post: async (url, body, options) => {
      const target = parsed(url)
      return exchange(target.origin, begin(target), body, options)
    },
    close: () => {
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

function parsed(url: string): URL {
  try {
    return new URL(url)
  } catch (cause) {
    throw new KhazanaError('invalid-argument', `not a URL: ${url}`, { cause })
  }
}

/** Which event says that the socket can be written to. */
function openEventOf(request: ClientRequest): 'connect' | 'secureConnect' {
  return request.protocol === 'https:' ? 'secureConnect' : 'connect'
}

function exchange(
  server: string,
  request: ClientRequest,
  body: string,
  options: WaitOptions,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    /** From here on the server may have heard. */
    let isConnected = false
    const connecting = nodeClock.after(connectMsMax, () => {
      if (!isConnected) request.destroy(new Error(`no connection within ${connectMsMax} ms`))
    })
    let deadline: Deadline | undefined
    const stop = (): void => {
      connecting.cancel()
      deadline?.stop()
    }
    const fail = (cause: Error): void => {
      stop()
      if (!isConnected) {
        reject(new KhazanaError('unreachable', `cannot reach ${server}: ${cause.message}`, { cause }))
      } else if (cause instanceof KhazanaError) reject(cause)
      else reject(lost(server, cause))
    }
    request.on('error', fail)
    request.on('socket', (socket: Socket) => {
      const opened = (): void => {
        isConnected = true
        connecting.cancel()
      }
      if (request.reusedSocket) opened()
      else socket.once(openEventOf(request), opened)
    })
    request.on('response', (response) => {
      stop()
      resolve(new NodeResponse(server, response))
    })
    try {
      deadline = Deadline.start(nodeClock, `POST to ${server}`, options, (error) => request.destroy(error))
    } catch (error) {
      stop()
      request.destroy()
      reject(KhazanaError.from(error))
      return
    }
    request.end(body)
  })
}

class NodeResponse implements HttpResponse {
  readonly #server: string
  readonly #message: IncomingMessage
  readonly #chunks: AsyncIterator<Uint8Array, undefined>

  constructor(server: string, message: IncomingMessage) {
    this.#server = server
    this.#message = message
    // Told by the iterator, where somebody reads.
    message.on('error', () => undefined)
    this.#chunks = message[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>
  }

  get status(): number {
    return this.#message.statusCode ?? 0
  }

  async read(): Promise<Uint8Array | undefined> {
    try {
      const { value } = await this.#chunks.next()
      return value
    } catch (cause) {
      throw lost(this.#server, cause)
    }
  }

  destroy(): void {
    if (!this.#message.complete) this.#message.destroy()
  }
}

function lost(server: string, cause: unknown): KhazanaError {
  const message = cause instanceof Error ? cause.message : String(cause)
  return new KhazanaError('outcome-unknown', `the connection to ${server} was lost: ${message}`, { cause })
}
