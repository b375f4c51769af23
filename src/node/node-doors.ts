import type { Connection, Endpoint, Listener } from '../io/network.js'
import { KhazanaError } from '../stdx/errors.js'
import { formatEndpoint, isLocal, parseEndpoint, unixEndpoint } from './endpoint-text.js'
import type { NodeOptions } from './node-options.js'
import type { NodeRecord } from './node-record.js'

/** Where a node lets others in. */
export class NodeDoors {
  readonly #options: NodeOptions
  readonly #record: NodeRecord
  readonly #listeners: Listener[] = []
  #listen = ''

  constructor(options: NodeOptions, record: NodeRecord) {
    this.#options = options
    this.#record = record
  }

  /** `host:port`, empty where it accepts nothing over TCP. */
  get listen(): string {
    return this.#listen
  }

  /** Throws `insecure`, `address-in-use`. */
  async open(accept: (connection: Connection) => void): Promise<void> {
    const { world, listen, socketPath, insecure } = this.#options
    const endpoint = this.#listenEndpoint(listen)
    if (endpoint !== undefined) {
      if (!isLocal(endpoint) && insecure !== true) throw insecureEndpoint(endpoint)
      const listener = await world.network.listen(endpoint, accept)
      this.#listeners.push(listener)
      this.#listen = formatEndpoint(listener.endpoint)
      if (this.#record.listen !== this.#listen) await this.#record.writeListen(this.#listen)
    }
    if (socketPath !== undefined) {
      this.#listeners.push(await world.network.listen(unixEndpoint(socketPath), accept))
    }
  }

  /** Port 0 means any port at the first start, and the same one at later starts, so that others find it again. */
  #listenEndpoint(listen: Endpoint | undefined): Endpoint | undefined {
    const earlier = this.#record.listen
    if (listen?.kind !== 'tcp' || listen.port !== 0 || earlier === undefined) return listen
    const known = parseEndpoint(earlier)
    return known.kind === 'tcp' && known.host === listen.host ? known : listen
  }

  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()))
  }
}

function insecureEndpoint(endpoint: Endpoint): KhazanaError {
  return new KhazanaError(
    'insecure',
    `${formatEndpoint(endpoint)} can be reached from other machines, and there is no TLS yet: ` +
      'listen on 127.0.0.1, or pass --insecure in a network that you trust',
  )
}
