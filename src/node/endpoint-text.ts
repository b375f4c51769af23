import type { Endpoint } from '../io/network.js'
import { checkText } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'

/**
 * An endpoint from text: `host:port`, `[v6]:port`, or the path of a unix socket, with or without `unix:` before it.
 * Throws `invalid-argument`.
 */
export function parseEndpoint(text: string): Endpoint {
  checkText(text, 'an endpoint')
  if (text.startsWith('unix:')) return unixEndpoint(text.slice('unix:'.length))
  const tcp = /^(?:tcp:)?(?:\[([0-9a-fA-F:.]+)\]|([^/:\s]+)):(\d{1,5})$/.exec(text)
  if (tcp === null) {
    if (text.includes('/')) return unixEndpoint(text)
    throw new KhazanaError(
      'invalid-argument',
      `an endpoint is host:port or the path of a socket, not "${text}"`,
    )
  }
  const host = tcp[1] ?? tcp[2] ?? ''
  const port = Number(tcp[3])
  if (port > 65_535) throw new KhazanaError('invalid-argument', `a port is 0 to 65535, not ${port}`)
  return { kind: 'tcp', host, port }
}

export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  return `${host}:${endpoint.port}`
}

/** Bytes of a unix socket's path that every system takes. */
const socketPathBytesMax = 103

export function unixEndpoint(path: string): Endpoint {
  if (path === '') throw new KhazanaError('invalid-argument', 'the path of a unix socket is empty')
  const bytes = new TextEncoder().encode(path).length
  if (bytes > socketPathBytesMax) {
    const limit = `has ${bytes} bytes, and systems take ${socketPathBytesMax}`
    throw new KhazanaError(
      'invalid-argument',
      `the socket's path ${limit}: use a directory with a shorter path`,
    )
  }
  return { kind: 'unix', path }
}

/** Whether only this machine can connect there. */
export function isLocal(endpoint: Endpoint): boolean {
  if (endpoint.kind === 'unix') return true
  return (
    endpoint.host === 'localhost' || endpoint.host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(endpoint.host)
  )
}
