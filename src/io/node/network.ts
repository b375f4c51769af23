import { createServer, createConnection, type NetConnectOpts, type Server, type Socket } from 'node:net'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Connection, Endpoint, Listener, Network } from '../network.js'
import { SocketConnection } from './socket-connection.js'
import { bindUnixSocket } from './unix-socket.js'

/** What one read takes at most. */
const readBytesMax = 256 * 1024
const backlogMax = 511

/** TCP and unix sockets of this machine. */
export const nodeNetwork: Network = { listen, connect }

async function listen(endpoint: Endpoint, accept: (connection: Connection) => void): Promise<Listener> {
  checkPort(endpoint)
  const server = createServer({ pauseOnConnect: true, noDelay: true })
  server.on('connection', (socket) =>
    accept(
      new SocketConnection(socket, {
        kind: endpoint.kind,
        remote: nameOf(endpoint, socket),
        sink: undefined,
      }),
    ),
  )
  switch (endpoint.kind) {
    case 'tcp': {
      await bind(server, { host: endpoint.host, port: endpoint.port }, endpoint)
      return {
        endpoint: { ...endpoint, port: portOf(server, endpoint.port) },
        close: () => closeServer(server),
      }
    }
    case 'unix':
      return listenUnix(server, endpoint)
    default:
      return unreachable(endpoint)
  }
}

async function listenUnix(
  server: Server,
  endpoint: Extract<Endpoint, { readonly kind: 'unix' }>,
): Promise<Listener> {
  try {
    const bound = await bindUnixSocket(endpoint.path, (path) => bind(server, { path }, endpoint))
    return {
      endpoint,
      close: async () => {
        await bound.remove()
        await closeServer(server)
      },
    }
  } catch (reason) {
    server.close()
    throw reason
  }
}

function bind(
  server: Server,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
  endpoint: Endpoint,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, endpoint))
    server.once('error', failed)
    server.listen({ ...where, backlog: backlogMax }, () => {
      server.off('error', failed)
      // Later errors are of accepting (no file descriptors left): the next connection may work again.
      server.on('error', () => undefined)
      resolve()
    })
  })
}

function portOf(server: Server, asked: number): number {
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : asked
}

function closeServer(server: Server): Promise<void> {
  // The callback of `close` waits for all connections, which live on here.
  server.close()
  return Promise.resolve()
}

async function connect(endpoint: Endpoint, options: { readonly timeoutMs: number }): Promise<Connection> {
  checkPort(endpoint)
  return new Promise((resolve, reject) => {
    const sink: { current: (chunk: Uint8Array) => void } = { current: () => undefined }
    const buffer = new Uint8Array(readBytesMax)
    const socket = createConnection({
      ...addressOf(endpoint),
      onread: {
        buffer,
        callback: (length, filled) => {
          sink.current(filled.subarray(0, length))
          return true
        },
      },
    } as NetConnectOpts)
    socket.pause()
    const timer = setTimeout(() => socket.destroy(timedOut(endpoint, options.timeoutMs)), options.timeoutMs)
    const failed = (cause: Error): void => {
      clearTimeout(timer)
      reject(
        new KhazanaError('unreachable', `cannot connect to ${textOf(endpoint)}: ${cause.message}`, { cause }),
      )
    }
    socket.once('error', failed)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', failed)
      resolve(new SocketConnection(socket, { kind: endpoint.kind, remote: textOf(endpoint), sink }))
    })
  })
}

function checkPort(endpoint: Endpoint): void {
  if (endpoint.kind === 'unix') return
  const { port } = endpoint
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new KhazanaError('invalid-argument', `a port is a whole number from 0 to 65535, not ${port}`)
  }
}

function addressOf(endpoint: Endpoint): NetConnectOpts {
  return endpoint.kind === 'unix'
    ? { path: endpoint.path }
    : { host: endpoint.host, port: endpoint.port, noDelay: true }
}

function timedOut(endpoint: Endpoint, timeoutMs: number): Error {
  return new Error(`no answer from ${textOf(endpoint)} in ${timeoutMs} ms`)
}

function listenError(error: NodeJS.ErrnoException, endpoint: Endpoint): KhazanaError {
  const where = textOf(endpoint)
  if (error.code === 'EADDRINUSE') {
    const message = `${where} is in use: stop the process that listens there, or choose another port`
    return new KhazanaError('address-in-use', message, { cause: error })
  }
  return new KhazanaError('invalid-argument', `cannot listen on ${where}: ${error.message}`, { cause: error })
}

function nameOf(endpoint: Endpoint, socket: Socket): string {
  if (endpoint.kind === 'unix') return textOf(endpoint)
  return textOf({ kind: 'tcp', host: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 })
}

function textOf(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`
  return endpoint.host.includes(':')
    ? `[${endpoint.host}]:${endpoint.port}`
    : `${endpoint.host}:${endpoint.port}`
}
