import { statSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import { socketIn } from '../client/open.js'
import { parseEndpoint } from '../node/endpoint-text.js'
import { asArgument } from './arguments.js'

const checked = asArgument((text: string) => {
  parseEndpoint(text)
  return text
})

/**
 * Where a node is, from what people type: `host:port`, the path of its socket, or its directory, which holds the
 * socket. A text that `connect` takes.
 */
export function endpointArgument(text: string): string {
  const found = text.startsWith('unix:') ? undefined : statSync(text, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return checked(`unix:${socketIn(text)}`)
  if (found?.isSocket() === true) return checked(`unix:${text}`)
  return checked(text)
}

/** `host:port`, where a node can listen or be joined. */
export function hostAndPortArgument(text: string): string {
  const endpoint = asArgument(parseEndpoint)(text)
  if (endpoint.kind === 'tcp') return text
  throw new InvalidArgumentError('Give HOST:PORT; the socket for this machine is made in the directory.')
}
