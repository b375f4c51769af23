import { KhazanaError } from '../stdx/errors.js'

/** What a node tells of itself when it serves. */
export interface ReadyNode {
  readonly node: number
  readonly name: string
  /** `host:port`. */
  readonly listen: string
  /** The absolute path of the socket for clients of this machine. */
  readonly socket: string
  readonly pid: number
}

const prefix = 'ready '

export function formatReady(
  ready: ReadyNode | { readonly pid: number; readonly nodes: readonly ReadyNode[] },
): string {
  return prefix + JSON.stringify(ready)
}

/** The node in such a line, or undefined for any other line. */
export function parseReady(line: string): ReadyNode | undefined {
  if (!line.startsWith(prefix)) return undefined
  try {
    return JSON.parse(line.slice(prefix.length)) as ReadyNode
  } catch (cause) {
    throw new KhazanaError('protocol-error', `a node prints what is no JSON: ${line.slice(0, 100)}`, {
      cause,
    })
  }
}
