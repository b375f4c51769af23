import { Khazana } from '../../client/khazana.js'
import type { PluginOptions } from '../../consistency/plugins.js'
import type { World } from '../../io/world.js'
import { ConnectedSite } from '../../node/connected-site.js'
import { Node } from '../../node/node.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Prng } from '../../stdx/prng.js'
import type { SimCoordinator } from '../coordinator/sim-coordinator.js'
import type { SimMachine, SimService } from '../sim-machine.js'
import type { SimProcess } from '../sim-process.js'
import type { SimWorld } from '../sim-world.js'
import { pause } from './pause.js'
import { groupBugOf, mendBugOf, moveBugOf, spaceBugOf, transactionBugOf } from './planted-bugs.js'
import type { PlantedBug } from './planted-bugs.js'
import { Population } from './population.js'
import type { Inhabitant } from './population.js'
import type { Shape } from './shape.js'
import type { WatchedSite } from './snapshots.js'

const port = 7400
const socketPath = '/data/khazana.sock'
const KiB = 1024

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

export interface ProcessesOptions {
  readonly world: SimWorld
  /** The workload's own. */
  readonly random: Prng
  readonly shape: Shape
  /** Whether nodes come and go. */
  readonly isRoaming: boolean
  /** Undefined: the founder keeps one. */
  readonly coordinator: SimCoordinator | undefined
  readonly plugins: PluginOptions
  readonly plantedBug: PlantedBug | undefined
  /** As an option of nodes. */
  readonly scrubEveryMs: number
  readonly hooks: ProcessHooks
}

/** What the processes tell the workload, and ask it. */
export interface ProcessHooks {
  /** The site is there: programs may work at it. */
  enter(process: SimProcess, khazana: Khazana, world: World, site: WatchedSite): void
  /** It stops in good order. */
  leave(process: SimProcess): void
  /** Whether programs work now. */
  isOpen(): boolean
  operationsLeft(): number
  complain(what: string): void
}

/** A client, and the node that it is connected to. */
interface ClientService {
  readonly gateway: string
  readonly service: SimService
}

/** The processes of a run: nodes, each on a machine of its own, and clients. They start, stop, leave, and come back by themselves. */
export class Processes {
  readonly #options: ProcessesOptions
  readonly population = new Population()
  /** All of these grow, and services go, while the run is on. */
  readonly machines: SimMachine[] = []
  readonly services: SimService[] = []
  readonly #clients: ClientService[] = []

  constructor(options: ProcessesOptions) {
    this.#options = options
  }

  /** A machine of its own, on which a node runs from now on. */
  startNode(name: string): void {
    const machine = this.#options.world.addMachine(name)
    const inhabitant = this.population.add(name, this.#options.hooks.isOpen())
    const service = machine.install('node', (world, process) => this.#runNode(inhabitant, world, process))
    this.machines.push(machine)
    this.services.push(service)
    service.start()
  }

  /** Nodes that come while others work. */
  expectGuests(number = 1): void {
    if (!this.#options.isRoaming || number > this.#options.shape.guests) return
    const { scheduler } = this.#options.world
    const ms = this.#options.random.fork(`guest ${number}`).exponential(this.#options.shape.arriveEveryMs)
    scheduler.schedule(undefined, ms, 'guest', () => {
      if (!this.#options.hooks.isOpen()) return
      this.startNode(`guest-${number}`)
      this.expectGuests(number + 1)
    })
  }

  /** A client of one of the first nodes, on its machine or on one of its own. */
  startClient(number: number): void {
    const { random, shape, world } = this.#options
    const at = random.int(1, shape.nodes)
    const isLocal = random.chance(0.6)
    const machine = isLocal ? this.machines[at - 1] : world.addMachine(`client-${number}`)
    if (machine === undefined) return
    const endpoint = isLocal
      ? ({ kind: 'unix', path: socketPath } as const)
      : ({ kind: 'tcp', host: `node-${at}`, port } as const)
    const service = machine.install(`client-${number}`, (itsWorld, process) =>
      this.#runClient(`node-${at}`, endpoint, itsWorld, process),
    )
    this.services.push(service)
    this.#clients.push({ gateway: `node-${at}`, service })
    service.start()
  }

  async #runNode(inhabitant: Inhabitant, world: World, process: SimProcess): Promise<void> {
    const { name } = inhabitant
    const random = this.#options.random.fork(`life of ${process.name}`)
    const { coordinator } = this.#options
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
          leaseMs: this.#options.shape.leaseMs,
          sessionIdleMs: this.#options.shape.sessionIdleMs,
          scrubEveryMs: this.#options.scrubEveryMs,
          memoryBytesMax: 4 * KiB * KiB,
          diskBytesMax: 6 * KiB * KiB,
          storeLimits: { segmentBytes: 256 * KiB, pageBytesMax: 64 * KiB },
          moveBug: moveBugOf(this.#options.plantedBug),
          spaceBug: spaceBugOf(this.#options.plantedBug),
          groupBug: groupBugOf(this.#options.plantedBug),
          transactionBug: transactionBugOf(this.#options.plantedBug),
          mendBug: mendBugOf(this.#options.plantedBug),
          ...(coordinator !== undefined && {
            coordinator: () => coordinator.accessOf(process, world.clock),
          }),
          ...(name === 'node-1' ? {} : { join: this.#door(random, name) }),
          ...this.#options.plugins,
        })
        inhabitant.node = node
        inhabitant.hasServed = true
        this.#options.hooks.enter(process, new Khazana(node), world, {
          name: `node-${node.identity.node}`,
          replicas: node.replicas,
          incarnation: node.incarnation,
          isInGrace: () => node.isInGrace,
        })
        if (this.#options.isRoaming) void this.#leaveOneDay(inhabitant, node, random, world, process)
        if (!(await this.#whenToStop(world)) || inhabitant.hasLeft) return
        this.#options.hooks.leave(process)
        inhabitant.node = undefined
        await node.close()
      } catch (reason) {
        const error = KhazanaError.from(reason)
        if (error.code === 'wrong-cluster' && inhabitant.wasLeaving) {
          this.#onLeft(inhabitant, process)
          return
        }
        const isPatient = this.#options.isRoaming ? joinsLater : startsLater
        if (!isPatient.has(error.code)) {
          this.#options.hooks.complain(`${name} does not start: ${error.code}: ${error.stack ?? ''}`)
          return
        }
      }
      await pause(world.clock, 500)
    }
  }

  async #runClient(
    gateway: string,
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
          ...this.#options.plugins,
        })
        this.#options.hooks.enter(process, new Khazana(site), world, {
          gateway,
          name: process.name,
          replicas: site.replicas,
          incarnation: undefined,
          isInGrace: () => false,
        })
        return
      } catch (reason) {
        const error = KhazanaError.from(reason)
        if (!startsLater.has(error.code)) {
          this.#options.hooks.complain(`${process.name} cannot connect: ${error.code}: ${error.message}`)
          return
        }
      }
      await pause(world.clock, 500)
    }
  }

  /** Some nodes are stopped in good order now and then, and started again; false where this one is to go on. */
  async #whenToStop(world: World): Promise<boolean> {
    const { shape, random } = this.#options
    if (shape.stopEveryMs === undefined) return false
    do await pause(world.clock, random.exponential(shape.stopEveryMs))
    while (!this.#options.hooks.isOpen() && this.#options.hooks.operationsLeft() > 0)
    return this.#options.hooks.isOpen()
  }

  /** Where a node joins the cluster: anywhere, where they come and go. */
  #door(random: Prng, name: string): { readonly kind: 'tcp'; readonly host: string; readonly port: number } {
    const host = this.#options.isRoaming ? this.population.drawDoor(random, name) : 'node-1'
    return { kind: 'tcp', host, port }
  }

  /** Never rejects. */
  async #leaveOneDay(
    inhabitant: Inhabitant,
    node: Node,
    random: Prng,
    world: World,
    process: SimProcess,
  ): Promise<void> {
    for (;;) {
      await pause(world.clock, random.exponential(this.#options.shape.leaveAfterMs))
      if (
        inhabitant.node !== node ||
        (!this.#options.hooks.isOpen() && this.#options.hooks.operationsLeft() === 0)
      )
        return
      if (!this.#options.hooks.isOpen() || !this.population.mayLeave()) continue
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
          await this.#runNode(inhabitant, world, process)
          return
        }
        if (!staysOn.has(error.code))
          this.#options.hooks.complain(`${inhabitant.name} does not leave: ${error.stack ?? ''}`)
      } finally {
        inhabitant.isLeaving = false
      }
    }
  }

  /** With its clients, whose only way into the cluster it was. */
  #onLeft(inhabitant: Inhabitant, process: SimProcess): void {
    inhabitant.hasLeft = true
    inhabitant.node = undefined
    this.#options.hooks.leave(process)
    for (const client of [...this.#clients]) {
      if (client.gateway !== inhabitant.name) continue
      this.#clients.splice(this.#clients.indexOf(client), 1)
      this.services.splice(this.services.indexOf(client.service), 1)
      if (client.service.isAlive) client.service.kill()
    }
  }
}
