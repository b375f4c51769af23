import { join } from 'node:path'
import type { TimedOperation } from '../record.js'
import type { Stage } from '../stage.js'
import { ClientProcess } from './client-process.js'
import type { ClientError, Entrance, PlacedRegion } from './messages.js'

/** What all clients together ask for in a second, if nothing is in the way. */
const sectionsPerSecond = 200

export interface ClientsOptions {
  readonly stage: Stage
  /** How many go through nodes. */
  readonly count: number
  /** Whether there is one more that is a node itself. It has the machine after those of the nodes. */
  readonly withMember: boolean
  readonly nodes: number
  readonly seed: number
  readonly regions: readonly PlacedRegion[]
  /** The zero of the run's clock. */
  readonly origin: bigint
  readonly folder: string
  readonly reported: (operations: readonly TimedOperation[], errors: readonly ClientError[]) => void
  /** One has ended, and nobody had asked it to. */
  readonly crashed: (how: string) => void
}

/** All client processes of a run. */
export class Clients implements AsyncDisposable {
  readonly #processes: readonly ClientProcess[]

  /** Resolves when all are in. Throws where one does not come in. */
  static async start(options: ClientsOptions): Promise<Clients> {
    const { stage, seed, regions, origin, reported, crashed } = options
    const entrances = entrancesOf(options)
    const pauseMs = (1000 * entrances.length * regions.length) / sectionsPerSecond
    const starts = await Promise.allSettled(
      entrances.map(({ entrance, machine }, index) => {
        const prefix = machine === undefined ? [] : stage.network.prefix(machine)
        const request = { name: `c${index + 1}`, seed, origin, entrance, regions, pauseMs }
        return ClientProcess.start({ request, prefix, reported, crashed })
      }),
    )
    const processes = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
    for (const start of starts) {
      if (start.status === 'fulfilled') continue
      await killAll(processes)
      throw start.reason
    }
    return new Clients(processes)
  }

  private constructor(processes: readonly ClientProcess[]) {
    this.#processes = processes
  }

  get count(): number {
    return this.#processes.length
  }

  /** By its number, from 1. */
  process(number: number): ClientProcess {
    const process = this.#processes[number - 1]
    if (process === undefined) throw new Error(`there is no client ${number}`)
    return process
  }

  /** Lets all end what they are doing. Throws where one does not. */
  async stop(): Promise<void> {
    const ends = await Promise.allSettled(this.#processes.map((client) => client.stop()))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killAll(this.#processes)
  }
}

interface Place {
  readonly entrance: Entrance
  /** Undefined: wherever the run is, as a socket is in no network. */
  readonly machine: number | undefined
}

function entrancesOf({ stage, count, withMember, nodes, folder }: ClientsOptions): readonly Place[] {
  const { cluster, network } = stage
  const sockets = cluster.nodes.map(({ socket }) => socket)
  const clients = Array.from({ length: count }, (_, index): Place => {
    // Each begins at another node.
    const first = index % sockets.length
    const ordered = [...sockets.slice(first), ...sockets.slice(0, first)]
    return { entrance: { kind: 'clients', sockets: ordered }, machine: undefined }
  })
  const machine = nodes + 1
  const member: Entrance = {
    kind: 'member',
    dir: join(folder, `m${machine}`),
    name: `m${machine}`,
    listen: network.listenAt(machine),
    join: cluster.founder,
    insecure: network.canCut,
  }
  return withMember ? [...clients, { entrance: member, machine }] : clients
}

async function killAll(processes: readonly ClientProcess[]): Promise<void> {
  await Promise.all(processes.map((client) => client[Symbol.asyncDispose]()))
}
