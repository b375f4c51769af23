import { Khazana } from '../../src/client/khazana.js'
import { founder } from '../../src/address/identity.js'
import type { NodeId } from '../../src/address/identity.js'
import { Node } from '../../src/node/node.js'
import { DirectoryDisk } from '../../src/testing/directory-disk.js'
import { SimDirectory } from '../../src/testing/sim-directory.js'
import type { SimService } from '../../src/testing/sim-machine.js'
import { SimWorld } from '../../src/testing/sim-world.js'
import { WireTally } from './wire-tally.js'

const KiB = 1024
const MiB = 1024 * KiB
const port = 7400

/** The size of every region: one page. Bytes. */
export const regionBytes = 4096
/** Long enough that nobody's patience ends, nor many leases are renewed, while operations are counted. */
export const leaseMs = 120_000
/** After this a session that is of no use is let go. */
export const idleMs = 20_000
/** Nodes that join at a time: an acceptor judges 64 hellos at once, and a cluster that grows must not exceed that. */
const startsAtOnceMax = 32
/** What one region may cost its home on disk: the page, its records, and room for the cleaner. Bytes. */
const diskBytesPerRegion = 4 * regionBytes
const diskBytesMin = 8 * MiB
/** How long anything may take in virtual time, which costs nothing. */
const virtualMsMax = 1e9

export interface ScaleClusterOptions {
  readonly seed: number
  readonly nodes: number
  /** Regions of all nodes together: their disks have room for these. */
  readonly regions: number
}

/** What all nodes together have counted, since the cluster was made. */
export interface Totals {
  /** As nodes count them themselves: numbered messages, each once. */
  readonly messages: number
  readonly bytes: number
  /** Sessions between nodes at this moment. */
  readonly sessions: number
  /** On their disks at this moment. */
  readonly diskBytes: number
  /** Frames of pages that they have in memory at this moment. */
  readonly frameBytes: number
}

interface Member {
  readonly service: SimService
  node: Node | undefined
}

/** A cluster of many small nodes, each on a machine of its own, without faults. The first one founds it, and is its manager. */
export class ScaleCluster {
  readonly world: SimWorld
  readonly wire = new WireTally()
  readonly #options: ScaleClusterOptions
  readonly #disks: DirectoryDisk[] = []
  readonly #members: Member[] = []
  readonly #byId = new Map<NodeId, Node>()
  /** What nodes had counted that are down by now. */
  #messagesOfDead = 0
  #bytesOfDead = 0

  constructor(options: ScaleClusterOptions) {
    this.#options = options
    this.world = new SimWorld({
      seed: options.seed,
      makeDisk: () => {
        const disk = new DirectoryDisk((path) => new SimDirectory({ path }))
        this.#disks.push(disk)
        return disk
      },
      disk: { operationMsMin: 0.05, operationMsMean: 0.1, syncMsMean: 0.5, bandwidthBytesPerMs: 500_000 },
      stepsMax: Infinity,
      wallClockMsMax: Infinity,
    })
    for (let number = 1; number <= options.nodes; number++) this.#install(number)
  }

  #install(number: number): void {
    const { nodes, regions } = this.#options
    const name = `node-${number}`
    const service = this.world.addMachine(name).install('node', async (world) => {
      member.node = await Node.start({
        world: { ...world, network: this.wire.over(world.network) },
        directory: '/data',
        name,
        listen: { kind: 'tcp', host: name, port },
        insecure: true,
        leaseMs,
        sessionIdleMs: idleMs,
        scrubEveryMs: 0,
        memoryBytesMax: 4 * MiB,
        diskBytesMax: diskBytesMin + Math.ceil(regions / nodes) * diskBytesPerRegion,
        storeLimits: { segmentBytes: 128 * KiB, pageBytesMax: 32 * KiB },
        ...(number === 1 ? {} : { join: { kind: 'tcp', host: 'node-1', port } as const }),
      })
    })
    const member: Member = { service, node: undefined }
    this.#members.push(member)
  }

  /** Runs the work in virtual time. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const { scheduler } = this.world
    return scheduler.settle(work(), scheduler.now() + virtualMsMax)
  }

  pause(ms: number): Promise<void> {
    return this.world.scheduler.delay(undefined, ms, 'pause')
  }

  /** Waits until it is so; fails where that takes too long. */
  async until(what: string, isSo: () => boolean, everyMs = 50, msMax = 600_000): Promise<void> {
    const end = this.world.scheduler.now() + msMax
    while (!isSo()) {
      if (this.world.scheduler.now() > end) throw new Error(`not within ${msMax} ms: ${what}`)
      await this.pause(everyMs)
    }
  }

  // ---- nodes ----------------------------------------------------------------------------------------------------------

  /** Starts machines up to that one; resolves when each node serves, and all know of all. */
  async startUpTo(last: number, started: (count: number) => void = () => undefined): Promise<void> {
    let from = this.live.length
    while (from < last) {
      const size = from === 0 ? 1 : startsAtOnceMax
      const batch = this.#members.slice(from, Math.min(from + size, last))
      for (const { service } of batch) service.start()
      await this.until('nodes have started', () => batch.every(({ node }) => node !== undefined))
      for (const { node } of batch) if (node !== undefined) this.#byId.set(node.identity.node, node)
      from += batch.length
      started(from)
    }
    await this.until('all nodes know each other', () =>
      this.live.every(({ members }) => members.members.length === last),
    )
  }

  /** Those that run, in the order of their ids. */
  get live(): Node[] {
    return [...this.#byId.values()].sort((a, b) => a.identity.node - b.identity.node)
  }

  node(id: NodeId): Node {
    const node = this.#byId.get(id)
    if (node === undefined) throw new Error(`node ${id} does not run`)
    return node
  }

  khazana(id: NodeId): Khazana {
    return new Khazana(this.node(id))
  }

  /** The founder's process dies. */
  killFounder(): void {
    const member = this.#members[0]
    if (member?.node === undefined) throw new Error('the founder does not run')
    const { messagesSent, bytesSent } = member.node.status()
    this.#messagesOfDead += messagesSent
    this.#bytesOfDead += bytesSent
    member.service.kill()
    member.node = undefined
    this.#byId.delete(founder)
  }

  // ---- what it costs --------------------------------------------------------------------------------------------------

  totals(): Totals {
    let messages = this.#messagesOfDead
    let bytes = this.#bytesOfDead
    let ends = 0
    let diskBytes = 0
    let frameBytes = 0
    for (const { node } of this.#members) {
      if (node === undefined) continue
      const status = node.status()
      messages += status.messagesSent
      bytes += status.bytesSent
      ends += status.nodeSessions
      diskBytes += status.diskBytes
      frameBytes += status.memoryBytes
    }
    return { messages, bytes, sessions: ends / 2, diskBytes, frameBytes }
  }

  /** What simulated disks take in the memory of this process: they have what is written, and what of it is durable. */
  get simulatedDiskBytes(): number {
    return 2 * this.#disks.reduce((sum, disk) => sum + disk.usedBytes(), 0)
  }

  /** Sessions with other nodes that each node has. */
  get sessionsByNode(): ReadonlyMap<NodeId, number> {
    return new Map(this.live.map((node) => [node.identity.node, node.status().nodeSessions]))
  }

  /** Waits until there are no sessions but those that each node keeps with the manager. */
  async rest(): Promise<void> {
    const kept = this.live.length - 1
    await this.until('sessions of no use are let go', () => this.totals().sessions <= kept, idleMs / 4)
    await this.pause(50)
  }
}
