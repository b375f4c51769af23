import type { NodeId } from '../address/identity.js'
import type { World } from '../io/world.js'
import { parseEndpoint } from './endpoint-text.js'
import { Dialer } from './session/dialer.js'
import type { SessionContext } from './session/handshake.js'
import type { LocalIdentity } from './session/session.js'

export interface NodeDialersOptions extends SessionContext {
  readonly world: World
  readonly self: () => LocalIdentity
  /** Whether a new session with the node may begin. */
  readonly mayOpen: (node: NodeId) => boolean
}

/** The connections that this node keeps up to others: one to each. */
export class NodeDialers {
  readonly #options: NodeDialersOptions
  readonly #dialers = new Map<NodeId, Dialer>()
  readonly #endpoints = new Map<NodeId, string>()

  constructor(options: NodeDialersOptions) {
    this.#options = options
  }

  /** Keeps a session with the node, which is at `listen` from now on. */
  keep(node: NodeId, listen: string): void {
    this.#endpoints.set(node, listen)
    if (this.#dialers.has(node)) return
    const { world, self, mayOpen, ...context } = this.#options
    const dialer = new Dialer({
      ...context,
      random: world.random,
      network: world.network,
      endpoint: () => parseEndpoint(this.#endpoints.get(node) ?? listen),
      identity: self,
      expected: node,
      mayOpen: () => mayOpen(node),
      failed: (error, attempt) => {
        if (attempt === 1)
          world.logger.log('info', 'a node cannot be reached', { node, reason: error.message })
      },
      refused: (error) => {
        world.logger.log('error', 'a node refuses this one', {
          node,
          code: error.code,
          reason: error.message,
        })
      },
    })
    this.#dialers.set(node, dialer)
    dialer.start()
  }

  abandon(): void {
    for (const dialer of this.#dialers.values()) dialer.abandon()
  }

  /** Says goodbye to all. Resolves when the connections are closed. */
  async close(): Promise<void> {
    await Promise.all([...this.#dialers.values()].map((dialer) => dialer.close()))
  }
}
