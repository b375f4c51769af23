import { Khazana } from '../../src/client/khazana.js'
import type { ReserveOptions } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import type { Endpoint } from '../../src/io/network.js'
import { ConnectedSite } from '../../src/node/connected-site.js'
import type { WaitOptions } from '../../src/io/deadline.js'
import { Node } from '../../src/node/node.js'
import type { NodeOptions } from '../../src/node/node-options.js'
import type { Session } from '../../src/node/session/session.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { DirectoryDisk } from '../../src/testing/directory-disk.js'
import { SimDirectory } from '../../src/testing/sim-directory.js'
import type { SimMachine, SimService } from '../../src/testing/sim-machine.js'
import { SimWorld } from '../../src/testing/sim-world.js'

const MiB = 1024 * 1024
const port = 7400
export const pageSize = 4096
export const leaseMs = 2000
export const idleMs = 3000

export interface NodeClusterOptions {
  readonly seed?: number
  readonly nodes: number
  /** Is given all that happens, and what is logged, line by line. */
  readonly traceSink?: (line: string) => void
  /** What differs from the usual, of one of them by its number. */
  readonly more?: (number: number) => Partial<NodeOptions>
  /** Of real time, for what it runs. Milliseconds; 60,000 unless told. */
  readonly wallClockMsMax?: number | undefined
}

interface Member {
  readonly machine: SimMachine
  readonly service: SimService
  /** Undefined also when it has left, and has closed. */
  node: Node | undefined
  /** It has said that it has left the cluster. */
  hasLeft: boolean
  /** Why it did not start. */
  failure: KhazanaError | undefined
}

/** Some nodes, each on a machine of its own, that let sessions of no use go after a few seconds. */
export class NodeCluster {
  readonly world: SimWorld
  readonly #members: Member[] = []

  constructor({ seed = 1, nodes, traceSink, more = () => ({}), wallClockMsMax }: NodeClusterOptions) {
    this.world = new SimWorld({
      seed,
      ...(traceSink !== undefined && { traceSink }),
      ...(wallClockMsMax !== undefined && { wallClockMsMax }),
      makeDisk: () => new DirectoryDisk((path) => new SimDirectory({ path })),
      disk: { operationMsMin: 0.1, operationMsMean: 0.2, syncMsMean: 4, bandwidthBytesPerMs: 100_000 },
    })
    for (let number = 1; number <= nodes; number++) this.add(more(number))
  }

  /**
   * One more node, which is not started yet. Answers with its number: that of the node in the cluster, too, if it is started in its
   * turn, and the founder is there to give it.
   */
  add(more: Partial<NodeOptions> = {}): number {
    const number = this.#members.length + 1
    const machine = this.world.addMachine(`node-${number}`)
    const service = machine.install('node', async (world, process) => {
      process.onDeath(() => (member.node = undefined))
      try {
        member.node = await Node.start({
          world,
          directory: '/data',
          listen: endpointOf(number),
          socketPath: '/data/khazana.sock',
          insecure: true,
          leaseMs,
          sessionIdleMs: idleMs,
          scrubEveryMs: 0,
          memoryBytesMax: 4 * MiB,
          diskBytesMax: 8 * MiB,
          storeLimits: { segmentBytes: 256 * 1024, pageBytesMax: 64 * 1024 },
          left: () => {
            member.hasLeft = true
            member.node = undefined
          },
          ...(number === 1 ? {} : { join: endpointOf(1) }),
          ...more,
        })
      } catch (reason) {
        member.failure = KhazanaError.from(reason)
        process.die('killed')
      }
    })
    const member: Member = { machine, service, node: undefined, hasLeft: false, failure: undefined }
    this.#members.push(member)
    return number
  }

  /** Runs the test in virtual time, after all nodes have started, one after the other. */
  async run<T>(test: () => Promise<T>): Promise<T> {
    const { scheduler } = this.world
    const whole = async (): Promise<T> => {
      for (const [index] of this.#members.entries()) await this.start(index + 1)
      return test()
    }
    return scheduler.settle(whole(), scheduler.now() + 600_000)
  }

  /** Resolves when the node serves, and throws what keeps it from that. */
  async start(number: number): Promise<void> {
    const member = this.#member(number)
    member.failure = undefined
    member.service.start()
    const failure = (): KhazanaError | undefined => member.failure
    const isOver = (): boolean => member.node !== undefined || member.failure !== undefined
    await this.until(`node ${number} has started`, isOver)
    const reason = failure()
    if (reason !== undefined) throw reason
  }

  crash(number: number): void {
    this.#member(number).service.kill()
  }

  /** The node's process stands still, as after SIGSTOP, until what this answers is called. */
  freeze(number: number): () => void {
    const { process } = this.#member(number).service
    process?.pause()
    return () => {
      process?.resume()
    }
  }

  /** What was not synced is lost. The machine has power again at once. */
  losePower(number: number): void {
    const { machine } = this.#member(number)
    machine.powerOff()
    machine.powerOn()
  }

  /** Changes a byte of what the node's disk has of a page of a region of a home group, behind its back. `offset`: from where the page begins. */
  async rot(number: number, region: Region, page = 0, offset = 100): Promise<void> {
    const copies = this.node(number)
      .groups.all()
      .map(({ copies: each }) => each)
    const space = copies.map((each) => each.get(region.address)?.space).find((one) => one !== undefined)
    const places = copies.map((each) =>
      space === undefined ? undefined : each.placeOf(space, page as never),
    )
    const place = places.find((one) => one !== undefined)
    if (place === undefined) throw new Error(`node ${number} has no page ${page}`)
    const log = await this.log(number)
    log.rot(place.file, place.position + offset)
  }

  /** The node's log on its disk. */
  async log(number: number): Promise<SimDirectory> {
    const log = await this.#member(number).machine.disk.openDirectory('/data/log')
    if (!(log instanceof SimDirectory)) throw new Error('not a simulated disk')
    return log
  }

  hasLeft(number: number): boolean {
    return this.#member(number).hasLeft
  }

  /** Resolves when the node has left the cluster, and is closed. */
  async leave(number: number, wait: WaitOptions = {}): Promise<void> {
    await this.node(number).leave(wait)
    await this.until('it has closed', () => this.hasLeft(number))
  }

  /** Another process of the node's machine has its port, takes connections, and drops them. */
  occupy(number: number): void {
    const other = this.#member(number).machine.install('other', async ({ network }) => {
      await network.listen(endpointOf(number), (connection) => {
        connection.destroy()
      })
    })
    other.start()
  }

  /** Whether the node has begun to keep anything. */
  hasDirectory(number: number): boolean {
    const { disk } = this.#member(number).machine
    return disk.hasDirectory('/data') || disk.hasDirectory('/data/log')
  }

  /** Those that serve. */
  get nodes(): Node[] {
    return this.#members.flatMap(({ node }) => (node === undefined ? [] : [node]))
  }

  node(number: number): Node {
    const { node } = this.#member(number)
    if (node === undefined) throw new Error(`node ${number} is down`)
    return node
  }

  /** The session that one has with the other at this moment. */
  session(of: number, withOther: number): Session | undefined {
    return this.node(of).replicas.session(withOther as never)
  }

  /** The node's present process: what belongs to it ends with it. */
  processOf(number: number): SimService['process'] {
    return this.#member(number).service.process
  }

  /** Of each node, with which others it has sessions. */
  get sessions(): number[][] {
    return this.#members.map(({ node }) =>
      [...(node?.replicas.sessions() ?? [])]
        .filter(({ peer }) => peer.role === 'node')
        .map(({ peer }) => peer.site as number)
        .sort((a, b) => a - b),
    )
  }

  /** A client of the node, on a machine of its own. */
  async client(number: number): Promise<Khazana> {
    let khazana: Khazana | undefined
    const service = this.world.addMachine(`client-of-${number}`).install('client', async (world) => {
      const endpoint = endpointOf(number)
      khazana = new Khazana(await ConnectedSite.connect({ world, endpoint, memoryBytesMax: 4 * MiB }))
    })
    service.start()
    await this.until('the client is connected', () => khazana !== undefined)
    if (khazana === undefined) throw new Error('not connected')
    return khazana
  }

  /** A region homed at the node, with storage. */
  async reserve(home: number, pages = 1, options: ReserveOptions = {}): Promise<Region> {
    const region = await new Khazana(this.node(home)).reserve(pages * pageSize, { pageSize, ...options })
    await region.allocate()
    return region
  }

  /** The region as the node knows it. */
  at(number: number, region: Region): Promise<Region> {
    return new Khazana(this.node(number)).region(region.address)
  }

  now(): number {
    return this.world.scheduler.now()
  }

  pause(ms: number): Promise<void> {
    return this.world.scheduler.delay(undefined, ms, 'test')
  }

  /** Waits for what must come, and fails where it does not within a minute. */
  async until(what: string, isSo: () => boolean | Promise<boolean>, everyMs = 5): Promise<void> {
    const end = this.now() + 60_000
    while (this.now() < end) {
      if (await isSo()) return
      await this.pause(everyMs)
    }
    throw new Error(`not within a minute: ${what}`)
  }

  /** Nothing gets from one machine to the other, or back. Answers with what mends it. */
  cut(a: number, b: number): () => void {
    return this.silence(`node-${a}`, `node-${b}`)
  }

  /** The same, by the names of the machines. */
  silence(...names: readonly [string, string]): () => void {
    const links = [this.world.network.link(names[0], names[1]), this.world.network.link(names[1], names[0])]
    for (const link of links) link.block()
    return () => {
      for (const link of links) link.unblock()
    }
  }

  #member(number: number): Member {
    const member = this.#members[number - 1]
    if (member === undefined) throw new Error(`no node ${number}`)
    return member
  }
}

/** Where the node can be reached. */
export function endpointOf(number: number): Endpoint {
  return { kind: 'tcp', host: `node-${number}`, port }
}
