import { join } from 'node:path'
import { Cluster } from './cluster/cluster.js'
import { Etcd } from './cluster/etcd.js'
import { Namespaces } from './cluster/namespaces.js'
import { Loopback } from './cluster/network.js'
import type { Network } from './cluster/network.js'
import type { FaultKind } from './faults/fault.js'

export interface StageOptions {
  readonly nodes: number
  /** Machines for clients that are nodes themselves. */
  readonly members: number
  readonly coordinator: 'embedded' | 'etcd'
  readonly faults: readonly FaultKind[]
  /** Where everything is kept. */
  readonly folder: string
  /** A node has ended by itself. */
  readonly crashed: (how: string) => void
}

/** The machines of a run and what runs on them for its whole length: nodes on the first ones, then members, then etcd. */
export class Stage implements AsyncDisposable {
  readonly network: Network
  readonly cluster: Cluster
  /** All that can be cut off from each other. */
  readonly machines: number
  /** Faults that can be done here. */
  readonly faults: readonly FaultKind[]
  /** What cannot, with why. */
  readonly skipped: readonly string[]
  readonly #etcd: Etcd | undefined

  /** Throws where something cannot be started; nothing is left then. */
  static async set(options: StageOptions): Promise<Stage> {
    const { nodes, members, faults, folder, crashed } = options
    const isEtcd = options.coordinator === 'etcd'
    const machines = nodes + members + (isEtcd ? 1 : 0)
    const { network, skipped } = await networkFor(faults, machines)
    let etcd: Etcd | undefined
    try {
      const machine = machines
      const files = { dir: join(folder, 'etcd'), logFile: join(folder, 'etcd.log') }
      etcd = isEtcd ? await Etcd.start({ ...files, network, machine }) : undefined
      const coordinator = etcd?.coordinator ?? 'embedded'
      const cluster = await Cluster.start({ nodes, folder, network, coordinator, crashed })
      return new Stage({ network, cluster, machines, etcd, skipped, faults })
    } catch (reason) {
      await etcd?.[Symbol.asyncDispose]()
      await network[Symbol.asyncDispose]()
      throw reason
    }
  }

  private constructor(
    parts: Pick<Stage, 'network' | 'cluster' | 'machines' | 'skipped' | 'faults'> & {
      readonly etcd: Etcd | undefined
    },
  ) {
    this.network = parts.network
    this.cluster = parts.cluster
    this.machines = parts.machines
    this.skipped = parts.skipped
    this.faults = parts.faults.filter((kind) => kind !== 'partition' || parts.network.canCut)
    this.#etcd = parts.etcd
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
    await this.#etcd?.[Symbol.asyncDispose]()
    await this.network[Symbol.asyncDispose]()
  }
}

async function networkFor(
  faults: readonly FaultKind[],
  machines: number,
): Promise<{ readonly network: Network; readonly skipped: readonly string[] }> {
  if (!faults.includes('partition')) return { network: new Loopback(), skipped: [] }
  try {
    return { network: await Namespaces.make(machines), skipped: [] }
  } catch (reason) {
    const why = (reason instanceof Error ? reason.message : String(reason)).trim().replaceAll('\n', ' ')
    const skipped = `partitions, as network namespaces cannot be made here (they take root, and "ip"): ${why}`
    return { network: new Loopback(), skipped: [skipped] }
  }
}
