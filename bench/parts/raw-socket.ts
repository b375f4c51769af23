import { createConnection, createServer } from 'node:net'
import type { AddressInfo, NetConnectOpts, Socket } from 'node:net'
import type { Part } from '../process/part.js'

/** A request says how many bytes it wants back; it is as long as a small message of ours. */
export const requestBytes = 64
/** What is written, or read, at once of much. */
const chunkBytes = 256 * 1024

/** Where a raw server listens. */
export type RawEndpoint = { readonly port: number } | { readonly path: string }

interface ServerActions {
  listen(path: string | undefined): Promise<RawEndpoint>
}

/** Answers requests with as many bytes as they ask for: plain sockets of Node, nothing of ours. */
export const rawServer: Part<undefined, ServerActions> = {
  name: 'raw-server',
  create: async (host) => ({
    listen: (path) =>
      new Promise((resolve, reject) => {
        const sockets = new Set<Socket>()
        const server = createServer({ noDelay: true }, (socket) => {
          sockets.add(socket)
          socket.on('close', () => sockets.delete(socket))
          serve(socket)
        })
        host.atEnd(() => {
          for (const socket of sockets) socket.destroy()
          server.close()
        })
        server.once('error', reject)
        server.listen(path === undefined ? { host: '127.0.0.1', port: 0 } : { path }, () => {
          // Only a server on a path has a text for its address.
          resolve(path === undefined ? { port: (server.address() as AddressInfo).port } : { path })
        })
      }),
  }),
}

function serve(socket: Socket): void {
  const chunk = new Uint8Array(chunkBytes).fill(7)
  let owed = 0
  let isBlocked = false
  let arrived = 0
  const request = Buffer.alloc(requestBytes)
  const pay = (): void => {
    while (owed > 0 && !isBlocked) {
      const bytes = Math.min(owed, chunkBytes)
      owed -= bytes
      isBlocked = !socket.write(chunk.subarray(0, bytes))
    }
  }
  socket.on('drain', () => {
    isBlocked = false
    pay()
  })
  socket.on('error', () => socket.destroy())
  socket.on('data', (data) => {
    for (let at = 0; at < data.length;) {
      const taken = data.copy(request, arrived, at)
      arrived += taken
      at += taken
      if (arrived < requestBytes) continue
      arrived = 0
      owed += request.readUInt32LE(0)
      pay()
    }
  })
}

/** One connection to a raw server. */
export class RawClient {
  readonly #socket: Socket
  readonly #request = new Uint8Array(requestBytes)
  #missing = 0
  #answered: () => void = () => undefined
  #failed: (error: Error) => void = () => undefined

  private constructor(endpoint: RawEndpoint) {
    // Into one buffer again and again: the fastest way that Node has.
    const onread = {
      buffer: new Uint8Array(chunkBytes),
      callback: (bytes: number) => {
        this.#missing -= bytes
        if (this.#missing === 0) this.#answered()
        return true
      },
    }
    this.#socket = createConnection({
      ...endpoint,
      ...('port' in endpoint ? { host: '127.0.0.1', noDelay: true } : {}),
      onread,
    } as NetConnectOpts)
    this.#socket.on('error', (error) => {
      this.#failed(error)
    })
  }

  static async connect(endpoint: RawEndpoint): Promise<RawClient> {
    const client = new RawClient(endpoint)
    await new Promise<void>((resolve, reject) => {
      client.#failed = reject
      client.#socket.once('connect', () => resolve())
    })
    return client
  }

  /** Asks for so many bytes. Resolves when all are there. */
  fetch(bytes: number): Promise<void> {
    new DataView(this.#request.buffer).setUint32(0, bytes, true)
    this.#missing = bytes
    return new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
      this.#socket.write(this.#request)
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
