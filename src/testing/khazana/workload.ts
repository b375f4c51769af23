import { nodeChecksum as checksumOf } from '../../io/node/checksum.js'
import { Khazana } from '../../client/khazana.js'
import type { Address } from '../../address/address.js'
import type { AttributeSettings } from '../../address/attributes.js'
import type { AnyProtocol } from '../../consistency/contract.js'
import type { PluginOptions } from '../../consistency/plugins.js'
import type { World } from '../../io/world.js'
import { ConnectedSite } from '../../node/connected-site.js'
import { Node } from '../../node/node.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Prng } from '../../stdx/prng.js'
import { lostWrites } from '../acknowledged-writes.js'
import { disagreements, quiescentDisagreements } from '../directory-agreement.js'
import type { Operation } from '../history.js'
import type { Verdict } from '../linearizability.js'
import type { FaultTargets } from '../fault-injector.js'
import type { SimMachine, SimService } from '../sim-machine.js'
import type { SimProcess } from '../sim-process.js'
import type { SimWorld } from '../sim-world.js'
import type { Stage, Workload } from '../workload.js'
import { Actor } from './actor.js'
import type { Place } from './actor.js'
import { judge } from './judgement.js'
import { pause } from './pause.js'
import { Population } from './population.js'
import type { Inhabitant } from './population.js'
import { moveBugOf, protocolWith, spaceBugOf } from './planted-bugs.js'
import type { PlantedBug } from './planted-bugs.js'
import { conflictTests, drawPledge, mergeFunctions, pledgeOf } from './pledge.js'
import type { Pledge, SimulatedClaims } from './pledge.js'
import { planRegion } from './region-plan.js'
import { differentCopies, disagreementsAtRest } from './rest.js'
import { SectionLog } from './section-log.js'
import { kindOfRegion } from './sim-preset.js'
import type { SimPreset } from './sim-preset.js'
import { snapshotsOf } from './snapshots.js'
import type { WatchedSite } from './snapshots.js'
import { SpaceLog } from './space-log.js'

const port = 7400
const socketPath = '/data/khazana.sock'
const KiB = 1024
/** How often all sites are looked into while faults happen. Virtual ms. */
const lookEveryMs = 7
/** Complaints after which a run has said enough. */
const complaintsMax = 20
const mixedKeysMore = 6

/** What may keep a node from starting while faults happen. */
const startsLater: ReadonlySet<ErrorCode> = new Set([
  'unreachable',
  'timeout',
  'no-space',
  'directory-in-use',
  'closed',
])

/** What may keep a new node from joining while others come and go. */
const joinsLater: ReadonlySet<ErrorCode> = new Set([...startsLater, 'unsupported', 'outcome-unknown', 'busy'])
/** Why a node may go on as a member after it was told to leave. */
const staysOn: ReadonlySet<ErrorCode> = new Set(['timeout', 'unreachable', 'closed', 'no-space', 'busy'])
/** How long a node that is on its way out at the end of a run may take. Virtual ms. */
const leavesWithinMs = 40_000

export interface KhazanaWorkloadOptions {
  readonly preset: SimPreset
  /** A fault of a protocol, to see that it is found. */
  readonly plantedBug?: PlantedBug | undefined
  /** Beside the built-in ones, at all sites. */
  readonly protocols?: readonly AnyProtocol[] | undefined
  /** All regions are made with these, and held to that, instead of what the preset says. */
  readonly outside?: OutsideRegions | undefined
}

export interface OutsideRegions {
  readonly attributes: AttributeSettings
  readonly claims: SimulatedClaims
}

interface Shape {
  readonly nodes: number
  readonly clients: number
  readonly keys: number
  readonly leaseMs: number
  /** After which sessions between nodes that nobody uses are let go. */
  readonly sessionIdleMs: number
  readonly pageSize: number
  /** How often a node is stopped in good order: the mean in ms. */
  readonly stopEveryMs: number | undefined
  /** Nodes that join while others work, and the mean time between them, and until a node leaves. Virtual ms. */
  readonly guests: number
  readonly arriveEveryMs: number
  readonly leaveAfterMs: number
}

/** A client, and the node that it is connected to. */
interface ClientService {
  readonly gateway: string
  readonly service: SimService
}

/**
 * The real nodes, clients and stores: each node on a machine of its own with programs in its process, clients in
 * processes of their own, all working on a few keys that live in regions homed at different nodes.
 */
export class KhazanaWorkload implements Workload {
  readonly name: string
  readonly #options: KhazanaWorkloadOptions
  readonly #sites = new Map<SimProcess, WatchedSite>()
  readonly #khazanas = new Map<SimProcess, { readonly khazana: Khazana; readonly world: World }>()
  readonly #running = new Map<SimProcess, number>()
  readonly #acting = new Map<SimProcess, readonly Actor[]>()
  /** Names of programs by the life of the process that they are part of, and of those whose life is over. */
  readonly #living = new Map<SimProcess, string[]>()
  readonly #dead = new Set<string>()
  readonly #sections = new SectionLog()
  readonly #complaints: string[] = []
  readonly #places: Place[] = []
  readonly #last = new Map<string, string | null>()
  readonly #population = new Population()
  readonly #space = new SpaceLog()
  readonly #machines: SimMachine[] = []
  readonly #services: SimService[] = []
  readonly #clients: ClientService[] = []
  /** That work at each site at a time. */
  #programs = 1
  #shape: Shape | undefined
  #left = 0
  #isOpen = false
  #done: () => void = () => undefined
  #actors = 0

  constructor(options: KhazanaWorkloadOptions) {
    this.#options = options
    this.name = options.outside === undefined ? `khazana ${options.preset}` : 'khazana outside'
  }

  /** Whether homes move. */
  get #isMoving(): boolean {
    return this.#options.preset === 'moving' || this.#isRoaming
  }

  /** Whether nodes come and go. */
  get #isRoaming(): boolean {
    return this.#options.preset === 'roaming'
  }

  async setUp(stage: Stage): Promise<FaultTargets> {
    const shape = drawShape(stage.random, this.#isMoving ? 2 : 1)
    this.#shape = shape
    if (this.#options.preset !== 'strict') this.#programs = stage.random.fork('programs').int(1, 2)
    const [machines, services] = [this.#machines, this.#services]
    for (let index = 1; index <= shape.nodes; index++) {
      this.#startMachine(stage, shape, `node-${index}`)
      // One after the other, so that each gets the id that its name says.
      await this.#whenUp(stage.world, index)
    }
    await this.#reserve(stage, shape)
    for (let index = 1; index <= shape.clients; index++) {
      const at = stage.random.int(1, shape.nodes)
      const isLocal = stage.random.chance(0.6)
      const machine = isLocal ? machines[at - 1] : stage.world.addMachine(`client-${index}`)
      if (machine === undefined) continue
      const endpoint = isLocal
        ? ({ kind: 'unix', path: socketPath } as const)
        : ({ kind: 'tcp', host: `node-${at}`, port } as const)
      const service = machine.install(`client-${index}`, (world, process) =>
        this.#runClient(stage, endpoint, world, process),
      )
      services.push(service)
      this.#clients.push({ gateway: `node-${at}`, service })
      service.start()
    }
    return { machines, services }
  }

  /** A machine of its own, on which a node runs from now on. */
  #startMachine(stage: Stage, shape: Shape, name: string): void {
    const machine = stage.world.addMachine(name)
    const inhabitant = this.#population.add(name, this.#isOpen)
    const service = machine.install('node', (world, process) =>
      this.#runNode(stage, shape, inhabitant, world, process),
    )
    this.#machines.push(machine)
    this.#services.push(service)
    service.start()
  }

  #expectGuest(stage: Stage, shape: Shape, number: number): void {
    if (!this.#isRoaming || number > shape.guests) return
    const { scheduler } = stage.world
    const ms = stage.random.fork(`guest ${number}`).exponential(shape.arriveEveryMs)
    scheduler.schedule(undefined, ms, 'guest', () => {
      if (!this.#isOpen) return
      this.#startMachine(stage, shape, `guest-${number}`)
      this.#expectGuest(stage, shape, number + 1)
    })
  }

  async #whenUp(world: SimWorld, count: number): Promise<void> {
    while (this.#khazanas.size < count) {
      if (this.#complaints.length > 0) throw new Error(this.#complaints.join('\n'))
      await world.scheduler.delay(undefined, 10, 'set up')
    }
  }

  /** Regions of a few pages at different nodes. */
  async #reserve(stage: Stage, { keys, pageSize }: Shape): Promise<void> {
    const { random } = stage
    const owners = [...this.#khazanas.values()]
    // So that there are regions of several kinds.
    const keysMin = this.#isMoving || this.#options.preset === 'mixed' ? keys + mixedKeysMore : keys
    for (let key = 0; key < keysMin;) {
      const { khazana } = random.pick(owners)
      const pledge = this.#drawPledge(random.fork(`pledge of key ${key}`))
      const { cells, pages } = planRegion({ pledge, firstKey: key, pageSize, random })
      const region = await khazana.reserve(pages * pageSize, { ...pledge.attributes, pageSize })
      await region.allocate()
      for (const cell of cells) this.#places.push({ region: region.address, pageSize, cell, pledge })
      key += cells.length
    }
  }

  #drawPledge(random: Prng): Pledge {
    const { preset, outside } = this.#options
    if (outside !== undefined) return pledgeOf(outside.claims, outside.attributes)
    return drawPledge(kindOfRegion(preset, random), random)
  }

  async run(stage: Stage): Promise<void> {
    this.#left = stage.operations
    this.#isOpen = true
    this.#look(stage)
    if (this.#shape !== undefined) this.#expectGuest(stage, this.#shape, 1)
    for (const [process, { khazana, world }] of this.#khazanas) this.#actAll(stage, khazana, world, process)
    await new Promise<void>((resolve) => {
      this.#done = resolve
    })
    this.#isOpen = false
  }

  async settle(stage: Stage): Promise<void> {
    const { scheduler } = stage.world
    await scheduler.delay(undefined, 20_000, 'settle')
    const until = scheduler.now() + leavesWithinMs
    while (this.#population.isAnyLeaving && scheduler.now() < until)
      await scheduler.delay(undefined, 1000, 'leave')
    const before = this.#complaints.length
    for (const [process, { khazana, world }] of this.#khazanas) {
      if (process.state !== 'running') continue
      const actor = this.#actor(stage, khazana, world, process, 'patient')
      await actor.readAll()
      await actor.findAll()
    }
    this.#noteLast(stage)
    await scheduler.delay(undefined, 20_000, 'come to rest')
    const sites = [...this.#sites.values()]
    if (this.#complaints.length > before) {
      this.#complaints.push(...describeSites(sites))
      return
    }
    const found = [
      ...quiescentDisagreements(this.#snapshots()),
      ...differentCopies(sites, this.#places),
      ...disagreementsAtRest(sites, this.#places, this.#historyOf(stage)),
    ]
    if (this.#isRoaming) found.push(...this.#population.problems(this.#space))
    for (const one of found) this.#complain(`at rest: ${one}`)
  }

  /** What the last reads found. A key that nobody could read is a failure to make progress. */
  #noteLast({ history }: Stage): void {
    for (const { key } of this.#places.map(({ cell }) => cell)) {
      const read = history
        .operations()
        .filter((one) => one.op === 'read' && one.key === key)
        .at(-1)
      if (read?.ok !== true) this.#complain(`${key} cannot be read after all faults are healed`)
      else this.#last.set(key, read.value)
    }
  }

  counts(): Readonly<Record<string, number>> {
    return this.#isRoaming ? { ...this.#population.counts, ...this.#space.counts } : {}
  }

  check(stage: Stage): readonly string[] {
    const conflict = this.#sections.conflict()
    if (conflict !== undefined) this.#complain(conflict)
    if (this.#complaints.length > 0) return this.#complaints
    // Elsewhere which write stands is not a matter of time.
    const timely = this.#places
      .filter(({ pledge }) => pledge.reads !== 'eventual')
      .map(({ cell }) => cell.key)
    const history = stage.history.operations().filter(({ key }) => timely.includes(key))
    return lostWrites(history, this.#last).map((loss) => loss.explanation)
  }

  judge(stage: Stage): Verdict {
    return judge(this.#places, this.#historyOf(stage))
  }

  /**
   * Where `unlock` means that a write is accepted, and no more, one whose site is gone may have gone with it: its outcome is
   * unknown.
   */
  #historyOf({ history }: Stage): readonly Operation[] {
    const accepted = this.#places
      .filter(({ pledge }) => pledge.reads === 'eventual')
      .map(({ cell }) => cell.key)
    return history.operations().map((one) => {
      const mayBeLost = one.op === 'write' && this.#dead.has(one.process) && accepted.includes(one.key)
      return mayBeLost ? { ...one, complete: null, completeOrder: null } : one
    })
  }

  // ---- programs -------------------------------------------------------------------------------------------------

  async #runNode(
    stage: Stage,
    shape: Shape,
    inhabitant: Inhabitant,
    world: World,
    process: SimProcess,
  ): Promise<void> {
    const { name } = inhabitant
    const random = stage.random.fork(`life of ${process.name}`)
    process.onDeath(() => {
      inhabitant.node = undefined
      inhabitant.isLeaving = false
    })
    for (;;) {
      try {
        const node = await Node.start({
          world,
          directory: '/data',
          name,
          listen: { kind: 'tcp', host: name, port },
          insecure: true,
          socketPath,
          leaseMs: shape.leaseMs,
          sessionIdleMs: shape.sessionIdleMs,
          memoryBytesMax: 4 * KiB * KiB,
          diskBytesMax: 6 * KiB * KiB,
          storeLimits: { segmentBytes: 256 * KiB, pageBytesMax: 64 * KiB },
          moveBug: moveBugOf(this.#options.plantedBug),
          spaceBug: spaceBugOf(this.#options.plantedBug),
          ...(name === 'node-1' ? {} : { join: this.#door(random, name) }),
          ...this.#plugins(),
        })
        inhabitant.node = node
        inhabitant.hasServed = true
        this.#enter(process, {
          name: `node-${node.identity.node}`,
          replicas: node.replicas,
          incarnation: node.incarnation,
          isInGrace: () => node.isInGrace,
        })
        const khazana = new Khazana(node)
        this.#khazanas.set(process, { khazana, world })
        if (this.#isOpen) this.#actAll(stage, khazana, world, process)
        if (this.#isRoaming) void this.#leaveOneDay(stage, inhabitant, node, shape, random, world, process)
        if (!(await this.#whenToStop(stage, shape, world)) || inhabitant.hasLeft) return
        this.#leave(process)
        inhabitant.node = undefined
        await node.close()
      } catch (reason) {
        const error = KhazanaError.from(reason)
        if (error.code === 'wrong-cluster' && inhabitant.wasLeaving) {
          this.#onLeft(inhabitant, process)
          return
        }
        const isPatient = this.#isRoaming ? joinsLater : startsLater
        if (!isPatient.has(error.code)) {
          this.#complain(`${name} does not start: ${error.code}: ${error.stack ?? ''}`)
          return
        }
      }
      await pause(world.clock, 500)
    }
  }

  async #runClient(
    stage: Stage,
    endpoint: Parameters<typeof ConnectedSite.connect>[0]['endpoint'],
    world: World,
    process: SimProcess,
  ): Promise<void> {
    for (;;) {
      try {
        const site = await ConnectedSite.connect({
          world,
          endpoint,
          name: process.name,
          memoryBytesMax: 4 * KiB * KiB,
          ...this.#plugins(),
        })
        this.#enter(process, {
          name: process.name,
          replicas: site.replicas,
          incarnation: undefined,
          isInGrace: () => false,
        })
        const khazana = new Khazana(site)
        this.#khazanas.set(process, { khazana, world })
        if (this.#isOpen) this.#actAll(stage, khazana, world, process)
        return
      } catch (reason) {
        const error = KhazanaError.from(reason)
        if (!startsLater.has(error.code)) {
          this.#complain(`${process.name} cannot connect: ${error.code}: ${error.message}`)
          return
        }
      }
      await pause(world.clock, 500)
    }
  }

  /** Some nodes are stopped in good order now and then, and started again; false where this one is to go on. */
  async #whenToStop({ random }: Stage, shape: Shape, world: World): Promise<boolean> {
    if (shape.stopEveryMs === undefined) return false
    do await pause(world.clock, random.exponential(shape.stopEveryMs))
    while (!this.#isOpen && this.#left > 0)
    return this.#isOpen
  }

  /** Where a node joins the cluster: anywhere, where they come and go. */
  #door(random: Prng, name: string): { readonly kind: 'tcp'; readonly host: string; readonly port: number } {
    const host = this.#isRoaming ? this.#population.drawDoor(random, name) : 'node-1'
    return { kind: 'tcp', host, port }
  }

  /** Never rejects. */
  async #leaveOneDay(
    stage: Stage,
    inhabitant: Inhabitant,
    node: Node,
    shape: Shape,
    random: Prng,
    world: World,
    process: SimProcess,
  ): Promise<void> {
    for (;;) {
      await pause(world.clock, random.exponential(shape.leaveAfterMs))
      if (inhabitant.node !== node || (!this.#isOpen && this.#left === 0)) return
      if (!this.#isOpen || !this.#population.mayLeave()) continue
      inhabitant.isLeaving = true
      inhabitant.wasLeaving = true
      try {
        await node.leave({ timeoutMs: random.logarithmic(500, 30_000) })
        this.#onLeft(inhabitant, process)
        return
      } catch (reason) {
        const error = KhazanaError.from(reason)
        if (error.code === 'outcome-unknown') {
          this.#onLeft(inhabitant, process)
          // Its next life is to tell the others.
          await pause(world.clock, 500)
          await this.#runNode(stage, shape, inhabitant, world, process)
          return
        }
        if (!staysOn.has(error.code))
          this.#complain(`${inhabitant.name} does not leave: ${error.stack ?? ''}`)
      } finally {
        inhabitant.isLeaving = false
      }
    }
  }

  /** With its clients, whose only way into the cluster it was. */
  #onLeft(inhabitant: Inhabitant, process: SimProcess): void {
    inhabitant.hasLeft = true
    inhabitant.node = undefined
    this.#leave(process)
    for (const client of [...this.#clients]) {
      if (client.gateway !== inhabitant.name) continue
      this.#clients.splice(this.#clients.indexOf(client), 1)
      this.#services.splice(this.#services.indexOf(client.service), 1)
      if (client.service.isAlive) client.service.kill()
    }
  }

  #leave(process: SimProcess): void {
    for (const actor of this.#acting.get(process) ?? []) actor.stop()
    this.#acting.delete(process)
    this.#noteDeath(process)
    this.#sites.delete(process)
    this.#khazanas.delete(process)
  }

  #plugins(): PluginOptions {
    const { protocols = [], plantedBug } = this.#options
    const faulty = plantedBug === undefined ? undefined : protocolWith(plantedBug)
    const all = faulty === undefined ? protocols : [...protocols, faulty]
    return { protocols: all, conflictTests, mergeFunctions }
  }

  #enter(process: SimProcess, site: WatchedSite): void {
    this.#sites.set(process, site)
    process.onDeath(() => {
      this.#noteDeath(process)
      this.#sites.delete(process)
      this.#khazanas.delete(process)
      if (this.#running.delete(process)) this.#checkDone()
    })
  }

  #noteDeath(process: SimProcess): void {
    for (const name of this.#living.get(process) ?? []) this.#dead.add(name)
    this.#living.delete(process)
  }

  #actAll(stage: Stage, khazana: Khazana, world: World, process: SimProcess): void {
    for (let program = 0; program < this.#programs; program++) this.#act(stage, khazana, world, process)
  }

  #act(stage: Stage, khazana: Khazana, world: World, process: SimProcess): void {
    this.#running.set(process, (this.#running.get(process) ?? 0) + 1)
    const actor = this.#actor(stage, khazana, world, process, 'hasty')
    this.#acting.set(process, [...(this.#acting.get(process) ?? []), actor])
    actor.run().then(
      () => {
        this.#ended(process)
      },
      (reason: unknown) => {
        this.#complain(`${process.name} failed: ${KhazanaError.from(reason).stack ?? ''}`)
        this.#ended(process)
      },
    )
  }

  #actor(
    stage: Stage,
    khazana: Khazana,
    world: World,
    process: SimProcess,
    temper: 'hasty' | 'patient',
  ): Actor {
    this.#actors += 1
    const name = `${process.name}/${this.#actors}`
    this.#living.set(process, [...(this.#living.get(process) ?? []), name])
    return new Actor({
      name,
      temper,
      khazana,
      clock: world.clock,
      random: stage.random.fork(name),
      history: stage.history,
      sections: this.#sections,
      places: this.#places,
      movesTo: () => (this.#isMoving ? this.#population.names : []),
      space: this.#isRoaming ? this.#space : undefined,
      isCutOff: (region) => isCutOff(this.#sites.get(process), region),
      take: () => {
        if (this.#left === 0) return false
        this.#left -= 1
        return true
      },
      complain: (what) => {
        this.#complain(`${stage.world.scheduler.now().toFixed(1)}: ${what}`)
      },
    })
  }

  #ended(process: SimProcess): void {
    const running = (this.#running.get(process) ?? 1) - 1
    if (running > 0) this.#running.set(process, running)
    else this.#running.delete(process)
    this.#checkDone()
  }

  #checkDone(): void {
    if (this.#isOpen && this.#left === 0 && this.#running.size === 0) this.#done()
  }

  // ---- checks -----------------------------------------------------------------------------------------------------

  #look(stage: Stage): void {
    const { scheduler } = stage.world
    scheduler.schedule(undefined, lookEveryMs, 'look', () => {
      for (const found of disagreements(this.#snapshots())) this.#complain(`${scheduler.now()}: ${found}`)
      if (this.#isOpen) this.#look(stage)
    })
  }

  #snapshots(): ReturnType<typeof snapshotsOf> {
    return snapshotsOf([...this.#sites.values()], checksumOf)
  }

  #complain(what: string): void {
    if (this.#complaints.length < complaintsMax) this.#complaints.push(what)
  }
}

/** Whether the site has copies of the region, and none of its rights. */
function isCutOff(site: WatchedSite | undefined, region: Address): boolean {
  const replica = site?.replicas.get(region)
  return replica?.role.kind === 'copy' && !replica.isValid('write')
}

/** All that is not idle, for whoever looks for the reason of a failure. */
function describeSites(sites: readonly WatchedSite[]): string[] {
  const lines: string[] = []
  for (const { name, replicas } of sites) {
    for (const replica of replicas.all()) {
      for (const page of replica.pages()) {
        const view = replica.inspect(page)
        const children = [...view.children].map(([child, right]) => `${child}:${right}`).join(' ')
        const locks = `readers ${view.readers} writing ${view.writing} waiting ${view.waiting}`
        const region = replica.descriptor.address.toString(16)
        lines.push(
          `${name} ${region} p${page} ${replica.role.kind} valid ${replica.isValid()}: ${view.right} v${view.version} ` +
            `[${children}] ${locks} unsettled ${view.unsettled}`,
        )
      }
    }
  }
  return lines
}

function drawShape(random: Prng, nodesMin: number): Shape {
  return {
    nodes: random.int(nodesMin, 4),
    clients: random.int(0, 3),
    keys: random.int(1, 6),
    leaseMs: Math.round(random.logarithmic(300, 3000)),
    sessionIdleMs: Math.round(random.fork('idle sessions').logarithmic(10, 3000)),
    pageSize: random.pick([4 * KiB, 4 * KiB, 16 * KiB]),
    stopEveryMs: random.chance(0.3) ? random.logarithmic(1000, 20_000) : undefined,
    guests: random.fork('guests').int(1, 3),
    arriveEveryMs: random.fork('arrivals').logarithmic(30, 1000),
    leaveAfterMs: random.fork('departures').logarithmic(100, 3000),
  }
}
