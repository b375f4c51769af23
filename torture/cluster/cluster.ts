import { join } from 'node:path'
import type { Network } from './network.js'
import { NodeProcess } from './node-process.js'

export interface ClusterOptions {
  readonly nodes: number
  /** Where each node has a directory, `n1` and so on, and its log, `n1.log`. Short enough for sockets. */
  readonly folder: string
  readonly network: Network
  /** As `khazana node --coordinator` takes it. */
  readonly coordinator: string
  /** In milliseconds; that of daemons unless given. */
  readonly leaseMs?: number
  /** A node has ended by itself. */
  readonly crashed: (how: string) => void
}

/** The daemons: node N runs on machine N, and the first one is who the others join. */
export class Cluster implements AsyncDisposable {
  readonly nodes: readonly NodeProcess[]
  /** Where to join. */
  readonly founder: string

  /** Resolves when all serve. Throws with the last words of one that does not. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const { nodes: count, folder, network, coordinator, leaseMs, crashed } = options
    const nodes: NodeProcess[] = []
    let founder: string | undefined
    try {
      for (let number = 1; number <= count; number++) {
        const node = new NodeProcess({
          number,
          dir: join(folder, `n${number}`),
          logFile: join(folder, `n${number}.log`),
          args: [
            ...['--name', `n${number}`, '--listen', network.listenAt(number)],
            // The bridge of a run is no open network.
            ...(network.canCut ? ['--insecure'] : []),
            ...['--coordinator', coordinator],
            ...(leaseMs === undefined ? [] : ['--lease', String(leaseMs)]),
            ...(founder === undefined ? [] : ['--join', founder]),
          ],
          prefix: network.prefix(number),
          crashed,
        })
        nodes.push(node)
        const { listen } = await node.start()
        founder ??= listen
      }
    } catch (reason) {
      await killAll(nodes)
      throw reason
    }
    if (founder === undefined) throw new Error('a cluster has a node')
    return new Cluster(nodes, founder)
  }

  private constructor(nodes: readonly NodeProcess[], founder: string) {
    this.nodes = nodes
    this.founder = founder
  }

  /** By its number, from 1. */
  node(number: number): NodeProcess {
    const node = this.nodes[number - 1]
    if (node === undefined) throw new Error(`there is no node ${number}`)
    return node
  }

  get running(): number {
    return this.nodes.filter(({ isRunning }) => isRunning).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killAll(this.nodes)
  }
}

async function killAll(nodes: readonly NodeProcess[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.kill()))
}
