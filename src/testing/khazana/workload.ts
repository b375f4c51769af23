import { nodeChecksum as checksumOf } from '../../io/node/checksum.js'
import type { Khazana } from '../../client/khazana.js'
import type { Address } from '../../address/address.js'
import { pagesOf } from '../../address/range.js'
import type { AnyProtocol } from '../../consistency/contract.js'
import type { World } from '../../io/world.js'
import { present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { lostWrites } from '../acknowledged-writes.js'
import { disagreements, quiescentDisagreements } from '../directory-agreement.js'
import type { Operation } from '../history.js'
import type { Verdict } from '../linearizability.js'
import type { FaultTargets } from '../fault-injector.js'
import type { SimProcess } from '../sim-process.js'
import type { SimWorld } from '../sim-world.js'
import type { Stage, Workload } from '../workload.js'
import { Actor } from './actor.js'
import type { Place } from './place.js'
import { BitRot } from './bit-rot.js'
import type { Kept } from './bit-rot.js'
import { CoordinatorOutages } from './coordinator-outages.js'
import { describeSites } from './describe-sites.js'
import { differentBackups, misplaced, superfluousCopies } from './group-agreement.js'
import { judge } from './judgement.js'
import { protocolWith } from './planted-bugs.js'
import type { PlantedBug } from './planted-bugs.js'
import { conflictTests, mergeFunctions } from './pledge.js'
import type { Population } from './population.js'
import { Processes } from './processes.js'
import { overlaps } from './overlaps.js'
import { makeRegions } from './region-making.js'
import type { MadeRegions, OutsideRegions } from './region-making.js'
import { ReplicaChanges } from './replica-changes.js'
import { differentCopies, disagreementsAtRest } from './rest.js'
import { SectionLog } from './section-log.js'
import { OutsideStore } from './outside-store.js'
import { drawShape } from './shape.js'
import type { Shape } from './shape.js'
import type { SimPreset } from './sim-preset.js'
import { snapshotsOf } from './snapshots.js'
import type { WatchedSite } from './snapshots.js'
import { SpaceLog } from './space-log.js'

/** How often all sites are looked into while faults happen. Virtual ms. */
const lookEveryMs = 7
/** Complaints after which a run has said enough. */
const complaintsMax = 20

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
  readonly #outside = new OutsideStore()
  readonly #complaints: string[] = []
  #regions: MadeRegions = { places: [], pairs: [] }
  readonly #last = new Map<string, string | null>()
  readonly #space = new SpaceLog()
  /** That work at each site at a time. */
  #programs = 1
  #processes: Processes | undefined
  /** Where regions have replicas. */
  #rot: BitRot | undefined
  /** Pages that rotted away. */
  #lost: readonly Kept[] = []
  /** Where the coordinator is none of the nodes'. */
  #outages: CoordinatorOutages | undefined
  #replicaChanges: ReplicaChanges | undefined
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

  /** Whether regions have replicas. */
  get #isBacked(): boolean {
    return this.#options.preset === 'backed'
  }

  get #mayBeDamaged(): boolean {
    return (this.#rot?.count ?? 0) > 0
  }

  async setUp(stage: Stage): Promise<FaultTargets> {
    const shape = drawShape(stage.random, this.#isBacked ? 3 : this.#isMoving ? 2 : 1)
    const { world, random } = stage
    if (this.#isBacked && random.fork('coordinator').chance(0.7))
      this.#outages = new CoordinatorOutages(world, random)
    if (this.#options.preset !== 'strict') this.#programs = random.fork('programs').int(1, 2)
    const processes = this.#processesOf(stage, shape)
    this.#processes = processes
    for (let index = 1; index <= shape.nodes; index++) {
      processes.startNode(`node-${index}`)
      // One after the other, so that each gets the id that its name says.
      await this.#whenUp(world, index)
    }
    const { preset, outside } = this.#options
    const owners = [...this.#khazanas.values()].map(({ khazana }) => khazana)
    this.#regions = await makeRegions({ preset, outside, owners, shape, random })
    for (let index = 1; index <= shape.clients; index++) processes.startClient(index)
    const { machines, services } = processes
    if (!this.#isBacked) return processes
    const rot = new BitRot({
      machines: () => machines,
      nodeOn: ({ name }) => this.#population.nodes.find((node) => node.name === name),
    })
    this.#rot = rot
    return { machines, services, rot: (chance) => rot.hit(chance) }
  }

  #processesOf(stage: Stage, shape: Shape): Processes {
    const { protocols = [], plantedBug } = this.#options
    const faulty = plantedBug === undefined ? undefined : protocolWith(plantedBug)
    const all = faulty === undefined ? protocols : [...protocols, faulty]
    return new Processes({
      ...{ world: stage.world, random: stage.random, shape, plantedBug },
      isRoaming: this.#isRoaming,
      scrubEveryMs: this.#isBacked ? shape.scrubEveryMs : 0,
      coordinator: this.#outages?.coordinator,
      plugins: { protocols: all, conflictTests, mergeFunctions },
      hooks: {
        enter: (process, khazana, world, site) => {
          this.#enter(process, site)
          this.#khazanas.set(process, { khazana, world })
          if (this.#isOpen) this.#actAll(stage, khazana, world, process)
        },
        leave: (process) => {
          this.#leave(process)
        },
        isOpen: () => this.#isOpen,
        operationsLeft: () => this.#left,
        complain: (what) => {
          this.#complain(what)
        },
      },
    })
  }

  get #population(): Population {
    return present(this.#processes, 'a run is set up before it begins').population
  }

  async #whenUp(world: SimWorld, count: number): Promise<void> {
    while (this.#khazanas.size < count) {
      if (this.#complaints.length > 0) throw new Error(this.#complaints.join('\n'))
      await world.scheduler.delay(undefined, 10, 'set up')
    }
  }

  /** With the halves of pairs. */
  get #allPlaces(): readonly Place[] {
    return [...this.#regions.places, ...this.#regions.pairs.flat()]
  }

  async run(stage: Stage): Promise<void> {
    this.#left = stage.operations
    this.#isOpen = true
    this.#look(stage)
    this.#outages?.begin(() => this.#isOpen)
    this.#changeReplicas(stage)
    this.#processes?.expectGuests()
    for (const [process, { khazana, world }] of this.#khazanas) this.#actAll(stage, khazana, world, process)
    await new Promise<void>((resolve) => {
      this.#done = resolve
    })
    this.#isOpen = false
  }

  #changeReplicas({ world, random }: Stage): void {
    if (!this.#isBacked || !random.fork('changes of replicas').chance(0.5)) return
    this.#replicaChanges = new ReplicaChanges({
      ...{ world, random, places: this.#allPlaces },
      sites: () => this.#khazanas,
      isOn: () => this.#isOpen && this.#khazanas.size > 0,
      mayBeDamaged: () => this.#mayBeDamaged,
      complain: (what) => {
        this.#complain(what)
      },
    })
    this.#replicaChanges.begin()
  }

  async settle(stage: Stage): Promise<void> {
    const { scheduler } = stage.world
    this.#outages?.end()
    await scheduler.delay(undefined, 20_000, 'settle')
    const until = scheduler.now() + leavesWithinMs
    while (this.#population.isAnyLeaving && scheduler.now() < until)
      await scheduler.delay(undefined, 1000, 'leave')
    this.#lost = this.#rot?.lost() ?? []
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
    // Then not all copies are the same either.
    if (this.#lost.length > 0) return
    const found = [
      ...quiescentDisagreements(this.#snapshots()),
      ...differentCopies(sites, this.#allPlaces),
      ...this.#halvesAtRest(),
      ...this.#population.nodes.flatMap((node) => node.home.transactions.leftovers()),
      ...disagreementsAtRest(sites, this.#regions.places, this.#historyOf(stage)),
      ...this.#pendingAtRest(),
    ]
    if (this.#isBacked) {
      const { nodes } = this.#population
      found.push(...(await differentBackups(nodes)), ...superfluousCopies(nodes), ...overlaps(nodes))
      found.push(...misplaced(nodes, new Set(this.#allPlaces.map(({ region }) => region))))
      for (const node of nodes) {
        const { damagedPages } = node.status()
        if (damagedPages > 0) found.push(`${node.name} has ${damagedPages} damaged pages`)
      }
    }
    if (this.#isRoaming) found.push(...this.#population.problems(this.#space))
    for (const one of found) this.#complain(`at rest: ${one}`)
  }

  /** What the last reads found. A key that nobody could read is a failure to make progress. */
  #noteLast({ history }: Stage): void {
    for (const { key } of this.#allReadable.map(({ cell }) => cell)) {
      const read = history
        .operations()
        .filter((one) => one.op === 'read' && one.key === key)
        .at(-1)
      if (read?.ok !== true) this.#complain(`${key} cannot be read after all faults are healed`)
      else this.#last.set(key, read.value)
    }
  }

  /** Without those of which a page has rotted away; pairs as a whole. */
  get #readable(): MadeRegions {
    const { places, pairs } = this.#regions
    const isWhole = (place: Place): boolean => !this.#lost.some((page) => isPartOf(page, place))
    return { places: places.filter(isWhole), pairs: pairs.filter((pair) => pair.every(isWhole)) }
  }

  get #allReadable(): readonly Place[] {
    const { places, pairs } = this.#readable
    return [...places, ...pairs.flat()]
  }

  #pendingAtRest(): readonly string[] {
    return this.#population.nodes.flatMap((node) => {
      const { releasesPending } = node.status()
      return releasesPending === 0 ? [] : [`${node.name} has ${releasesPending} releases that are pending`]
    })
  }

  #halvesAtRest(): readonly string[] {
    return this.#regions.pairs.flatMap((pair) => {
      const [a, b] = pair.map(({ cell }) => `${cell.key} is ${this.#last.get(cell.key)}`)
      const [first, second] = pair.map(({ cell }) => this.#last.get(cell.key))
      return first === second ? [] : [`half a transfer is left: ${a}, and ${b}`]
    })
  }

  counts(): Readonly<Record<string, number>> {
    if (this.#isRoaming) return { ...this.#population.counts, ...this.#space.counts }
    const rotten = this.#rot?.count ?? 0
    const mended = this.#population.nodes.reduce((sum, node) => sum + node.status().mendedPages, 0)
    return {
      ...(this.#outages !== undefined && { outages: this.#outages.count }),
      ...(this.#replicaChanges !== undefined && { replicaChanges: this.#replicaChanges.count }),
      ...(rotten > 0 && { rotten, mended, lost: this.#lost.length }),
    }
  }

  check(stage: Stage): readonly string[] {
    const conflict = this.#sections.conflict()
    if (conflict !== undefined) this.#complain(conflict)
    if (this.#complaints.length > 0) return this.#complaints
    // Elsewhere which write stands is not a matter of time.
    const timely = this.#allReadable
      .filter(({ pledge }) => pledge.reads !== 'eventual')
      .map(({ cell }) => cell.key)
    const history = stage.history.operations().filter(({ key }) => timely.includes(key))
    return lostWrites(history, this.#last).map((loss) => loss.explanation)
  }

  judge(stage: Stage): Verdict {
    return judge(this.#allPlaces, this.#historyOf(stage))
  }

  /**
   * Where `unlock` means that a write is accepted, and no more, one whose site is gone may have gone with it: its outcome is
   * unknown.
   */
  #historyOf({ history }: Stage): readonly Operation[] {
    const accepted = this.#regions.places
      .filter(({ pledge }) => pledge.reads === 'eventual')
      .map(({ cell }) => cell.key)
    return history.operations().map((one) => {
      const mayBeLost = one.op === 'write' && this.#dead.has(one.process) && accepted.includes(one.key)
      return mayBeLost ? { ...one, complete: null, completeOrder: null } : one
    })
  }

  // ---- programs -------------------------------------------------------------------------------------------------

  #leave(process: SimProcess): void {
    for (const actor of this.#acting.get(process) ?? []) actor.stop()
    this.#acting.delete(process)
    this.#noteDeath(process)
    this.#sites.delete(process)
    this.#khazanas.delete(process)
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
      outside: this.#outside,
      places: this.#readable.places,
      mayBeDamaged: () => this.#mayBeDamaged,
      pairs: this.#readable.pairs,
      movesTo: () => (this.#isMoving ? this.#population.names : []),
      space: this.#isRoaming ? this.#space : undefined,
      isCutOff: (region) => this.#isCutOff(process, region),
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

  #isCutOff(process: SimProcess, region: Address): boolean {
    const site = this.#sites.get(process)
    const gateway = [...this.#sites.values()].find(({ name }) => name === site?.gateway)
    return isCutOff(site, gateway, region)
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

/** Whether the site has copies of the region, and none of its rights; or its only way to the home ends at its node, which may be about to start, or cut off itself. */
function isCutOff(site: WatchedSite | undefined, gateway: WatchedSite | undefined, region: Address): boolean {
  const replica = site?.replicas.get(region)
  if (replica?.role.kind !== 'copy') return false
  if (!replica.isValid('write')) return true
  if (site?.gateway === undefined) return false
  if (gateway === undefined) return true
  const { home } = replica.descriptor
  if (site.gateway !== `node-${home}`) return gateway.replicas.session(home) === undefined
  const there = gateway.replicas.get(region)
  return there?.role.kind === 'copy' && !there.isValid('write')
}

function isPartOf({ address, page }: Kept, { region, cell, pageSize }: Place): boolean {
  const { first, count } = pagesOf(cell, pageSize)
  return address === region && page >= first && page < first + count
}
