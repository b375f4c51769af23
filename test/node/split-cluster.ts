import type { ReserveOptions } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import { ServedAccess } from '../../src/coordinator/served-access.js'
import type { Ask } from '../../src/coordinator/served-access.js'
import type { StoreAccess } from '../../src/coordinator/request.js'
import type { NodeOptions } from '../../src/node/node-options.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'
import { SimCoordinator, schedulerClock } from '../../src/testing/coordinator/sim-coordinator.js'
import { NodeCluster, pageSize } from './node-cluster.js'

/** Which nodes are on the home's side, which is node 1, and whether the coordinator is. */
export interface Split {
  readonly withHome: readonly number[]
  readonly coordinator: 'with-home' | 'beyond'
}

/** A program: in a node's own process, or one that is connected to it. */
export interface Program {
  readonly name: string
  readonly node: number
  readonly region: Region
}

/** For how long a program waits before it takes what has not happened for refused. */
export const patienceMs = 400

/** Three nodes, and a coordinator that is none of theirs, which a partition puts on one of its sides. */
export class SplitCluster {
  readonly cluster: NodeCluster
  readonly #coordinator: { it?: SimCoordinator } = {}
  /** Nodes that the coordinator hears nothing of. */
  readonly #deaf = new Set<number>()

  constructor(more: (number: number) => Partial<NodeOptions> = () => ({}), seed = 1) {
    const coordinator = (number: number): StoreAccess => this.#accessOf(number)
    this.cluster = new NodeCluster({
      nodes: 3,
      seed,
      more: (number) => ({ coordinator: () => coordinator(number), sessionIdleMs: 600_000, ...more(number) }),
    })
  }

  #accessOf(number: number): StoreAccess {
    const { scheduler } = this.cluster.world
    this.#coordinator.it ??= new SimCoordinator({ scheduler, random: Prng.fromSeed(7) })
    const access = this.#coordinator.it.accessOf(undefined, schedulerClock(scheduler))
    const through: Ask = async (request, wait) => {
      if (this.#deaf.has(number)) throw new KhazanaError('unreachable', 'the coordinator is cut off')
      if (request.kind !== 'changes') return access.ask(request, wait) as never
      const { prefix, from } = request
      return (await access.follow(prefix).read(from, wait)) as never
    }
    return new ServedAccess(through)
  }

  /** Answers with what mends it. */
  split({ withHome, coordinator }: Split): () => void {
    const all = [1, 2, 3]
    const beyond = all.filter((each) => !withHome.includes(each))
    const mends = withHome.flatMap((here) => beyond.map((there) => this.cluster.cut(here, there)))
    const deaf = coordinator === 'with-home' ? beyond : withHome
    for (const each of deaf) this.#deaf.add(each)
    return () => {
      for (const mend of mends) mend()
      for (const each of deaf) this.#deaf.delete(each)
    }
  }

  /** A program at every node, and a client of the first and of the last. */
  async programs(pages: number, options: ReserveOptions): Promise<Program[]> {
    const { cluster } = this
    const region = await cluster.reserve(1, pages, options)
    const programs: Program[] = []
    for (const node of [1, 2, 3]) {
      programs.push({ name: `node ${node}`, node, region: await cluster.at(node, region) })
    }
    for (const node of [1, 3]) {
      const khazana = await cluster.client(node)
      programs.push({ name: `client of ${node}`, node, region: await khazana.region(region.address) })
    }
    return programs
  }

  /** The home of the region, as all nodes see it: no two of them take themselves for it. */
  homesOf(region: Region): number[] {
    return this.cluster.nodes
      .filter(({ home }) => home.find(region.address) !== undefined)
      .map(({ node }) => node)
  }

  /** Bytes of all messages that nodes have sent until now. */
  get bytesSent(): number {
    return this.cluster.nodes.reduce((sum, node) => sum + node.status().bytesSent, 0)
  }
}

export async function write(region: Region, page: number, value: number, timeoutMs: number): Promise<void> {
  const lock = await region.lock('write', { offset: page * pageSize, length: pageSize }, { timeoutMs })
  lock.write(page * pageSize, new Uint8Array([value]))
  await lock.unlock()
}

/** What is there, and for how long it may have been otherwise elsewhere. */
export async function read(
  region: Region,
  page: number,
  timeoutMs: number,
): Promise<{ readonly value: number; readonly ageMs: number }> {
  const lock = await region.lock('read', { offset: page * pageSize, length: pageSize }, { timeoutMs })
  const seen = { value: lock.read(page * pageSize, 1)[0] ?? -1, ageMs: lock.ageMs }
  await lock.unlock()
  return seen
}

export function codeOf(reason: unknown): string {
  return KhazanaError.from(reason).code
}
