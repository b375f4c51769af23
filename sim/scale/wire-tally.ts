import type { Connection, Listener, Network } from '../../src/io/network.js'

/** What has crossed the connections of all nodes, as their operating systems would count it. */
export class WireTally {
  /** Bytes of all kinds: messages, handshakes, leases, acknowledgements. */
  bytes = 0
  /** Of these, on connections that were begun since the last `mark`. */
  youngBytes = 0
  /** Connections that were dialed and came about. */
  connections = 0
  #era = 0

  /** Connections that are there by now are old. */
  mark(): void {
    this.#era += 1
    this.youngBytes = 0
  }

  /** The network of a node, counted. */
  over(network: Network): Network {
    return {
      listen: (endpoint, accept): Promise<Listener> =>
        network.listen(endpoint, (connection) => {
          accept(this.#counted(connection))
        }),
      connect: async (endpoint, options): Promise<Connection> => {
        const connection = await network.connect(endpoint, options)
        this.connections += 1
        return this.#counted(connection)
      },
    }
  }

  #counted(connection: Connection): Connection {
    const era = this.#era
    return {
      get remote() {
        return connection.remote
      },
      get queuedBytes() {
        return connection.queuedBytes
      },
      start: (handlers) => {
        connection.start(handlers)
      },
      send: (chunks) => {
        for (const { length } of chunks) {
          this.bytes += length
          if (era === this.#era) this.youngBytes += length
        }
        return connection.send(chunks)
      },
      close: () => {
        connection.close()
      },
      destroy: () => {
        connection.destroy()
      },
    }
  }
}
