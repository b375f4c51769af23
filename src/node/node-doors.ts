import type { Connection, Endpoint, Listener } from '../io/network.js'
import { formatEndpoint, parseEndpoint, unixEndpoint } from './endpoint-text.js'
import type { NodeOptions } from './node-options.js'
import type { NodeRecord } from './node-record.js'

/**
 * Where a node lets others in. The doors are there before anybody is behind them: a node that cannot have its port must find that out
 * before it joins a cluster, where it would be listed ever after, and it knows who it is only then. Whoever comes in between is
 * sent away, and comes again. To hold such connections instead would take a bound on them, and gain a moment.
 */
export class NodeDoors {
  readonly #options: NodeOptions
  readonly #record: NodeRecord
  readonly #listeners: Listener[] = []
  #listen = ''
  #accept = (connection: Connection): void => {
    connection.destroy()
  }

  constructor(options: NodeOptions, record: NodeRecord) {
    this.#options = options
    this.#record = record
  }

  /** `host:port`, empty where it accepts nothing over TCP. */
  get listen(): string {
    return this.#listen
  }

  /** Takes the places, and sends everybody away. Throws `address-in-use`, `invalid-argument`; some may be taken then. */
  async build(): Promise<void> {
    const { world, listen, socketPath } = this.#options
    const accept = (connection: Connection): void => {
      this.#accept(connection)
    }
    const endpoint = this.#listenEndpoint(listen)
    if (endpoint !== undefined) {
      const listener = await world.network.listen(endpoint, accept)
      this.#listeners.push(listener)
      this.#listen = formatEndpoint(listener.endpoint)
    }
    if (socketPath !== undefined) {
      this.#listeners.push(await world.network.listen(unixEndpoint(socketPath), accept))
    }
  }

  /** From when this resolves on, `accept` has whoever comes. */
  async open(accept: (connection: Connection) => void): Promise<void> {
    if (this.#listen !== '' && this.#record.listen !== this.#listen)
      await this.#record.writeListen(this.#listen)
    this.#accept = accept
  }

  /** Port 0 means any port at the first start, and the same one at later starts, so that others find it again. */
  #listenEndpoint(listen: Endpoint | undefined): Endpoint | undefined {
    const earlier = this.#record.listen
    if (listen?.kind !== 'tcp' || listen.port !== 0 || earlier === undefined) return listen
    const known = parseEndpoint(earlier)
    return known.kind === 'tcp' && known.host === listen.host ? known : listen
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()))
  }
}
