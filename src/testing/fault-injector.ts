import { present, unreachable } from '../stdx/assert.js'
import type { Prng } from '../stdx/prng.js'
import { faultKinds } from './faults.js'
import type { FaultKind, FaultPlan, FaultRate } from './faults.js'
import type { SimMachine, SimService } from './sim-machine.js'
import type { SimLink } from './sim-link.js'
import type { SimWorld } from './sim-world.js'

/** What faults may hit. Links and connections between all hosts may always be hit. */
export interface FaultTargets {
  /** Their power, disks and clocks. */
  readonly machines: readonly SimMachine[]
  /** Their processes are killed and paused; each is on one of the machines. */
  readonly services: readonly SimService[]
  /**
   * Damages some of what a disk keeps, and says what that was; undefined where nothing may be damaged now. What may be damaged at one time, so
   * that nothing is lost for good, only the workload knows. Without it there is no `bit-rot`.
   */
  readonly rot?: (random: Prng) => string | undefined
}

/** Makes things go wrong as planned, each for its time, and puts everything right at the end. */
export class FaultInjector {
  readonly #world: SimWorld
  readonly #plan: FaultPlan
  readonly #targets: FaultTargets
  readonly #random: Prng
  readonly #counts = new Map<FaultKind, number>()
  /** What takes each fault back that is in force. */
  readonly #active = new Set<() => void>()
  readonly #machinesDown = new Map<SimMachine, number>()
  #isOn = false

  constructor(world: SimWorld, plan: FaultPlan, targets: FaultTargets, random: Prng) {
    this.#world = world
    this.#plan = plan
    this.#targets = targets
    this.#random = random
  }

  /** How many of each kind there were so far. */
  get counts(): Readonly<Partial<Record<FaultKind, number>>> {
    return Object.fromEntries(this.#counts)
  }

  start(): void {
    this.#isOn = true
    for (const kind of faultKinds) {
      const rate = this.#plan.rates[kind]
      const isPossible = kind !== 'bit-rot' || this.#targets.rot !== undefined
      if (rate !== undefined && isPossible) this.#expect(kind, rate)
    }
  }

  /** Stops for good: links open, machines and services run, disks have room, clocks go nearly right. */
  heal(): void {
    this.#isOn = false
    for (const undo of [...this.#active]) undo()
    this.#world.scheduler.trace.note(this.#world.scheduler.now(), 'heal', '-')
  }

  #expect(kind: FaultKind, rate: FaultRate): void {
    this.#world.scheduler.schedule(undefined, this.#random.exponential(rate.gapMs), `fault ${kind}`, () => {
      if (!this.#isOn) return
      this.#inject(kind, rate)
      this.#expect(kind, rate)
    })
  }

  #inject(kind: FaultKind, rate: FaultRate): void {
    const undo = this.#begin(kind)
    if (undo === undefined) return
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
    const end = (): void => {
      if (this.#active.delete(end)) undo()
    }
    this.#active.add(end)
    this.#world.scheduler.schedule(undefined, this.#random.exponential(rate.lastsMs), `end of ${kind}`, end)
  }

  /** Does it, and gives what undoes it; undefined where there is nothing to hit. */
  #begin(kind: FaultKind): (() => void) | undefined {
    switch (kind) {
      case 'crash':
        return this.#crash()
      case 'power-off':
        return this.#powerOff()
      case 'drop':
        return this.#drop()
      case 'partition':
        return this.#partition('both')
      case 'one-way':
        return this.#partition('one')
      case 'slow-link':
        return this.#slowLink()
      case 'slow-disk':
        return this.#slowDisk()
      case 'disk-full':
        return this.#fillDisk()
      case 'clock-drift':
        return this.#drift()
      case 'pause':
        return this.#pause()
      case 'bit-rot':
        return this.#rot()
      default:
        return unreachable(kind)
    }
  }

  #crash(): (() => void) | undefined {
    const service = this.#service()
    const up = service && this.#takeDown(this.#machineOf(service))
    if (service === undefined || up === undefined) return undefined
    this.#say('crash', service.name)
    service.kill()
    return () => {
      up()
      service.start()
    }
  }

  #powerOff(): (() => void) | undefined {
    const machines = this.#targets.machines.filter((machine) => machine.isPowered)
    if (machines.length === 0) return undefined
    const machine = this.#random.pick(machines)
    const up = this.#takeDown(machine)
    if (up === undefined) return undefined
    this.#say('power-off', machine.name)
    machine.powerOff()
    return () => {
      up()
      machine.powerOn()
      // Also those that had crashed: whoever was to start them again could not.
      for (const service of machine.services) if (service.process !== undefined) service.start()
    }
  }

  #drop(): (() => void) | undefined {
    const { streams } = this.#world.network
    if (streams.length === 0) return undefined
    const stream = this.#random.pick(streams)
    this.#say('drop', stream.hosts.join(' - '))
    stream.break('fault')
    return () => undefined
  }

  #partition(ways: 'both' | 'one'): (() => void) | undefined {
    const hosts = this.#random.shuffle(this.#world.network.hostNames)
    if (hosts.length < 2) return undefined
    const cut = this.#random.int(1, hosts.length - 1)
    const links: SimLink[] = []
    for (const inside of hosts.slice(0, cut)) {
      for (const outside of hosts.slice(cut)) {
        links.push(this.#world.network.link(inside, outside))
        if (ways === 'both') links.push(this.#world.network.link(outside, inside))
      }
    }
    this.#say('partition', `${hosts.slice(0, cut).join(' ')} | ${hosts.slice(cut).join(' ')} (${ways})`)
    for (const link of links) link.block()
    return () => {
      for (const link of links) link.unblock()
    }
  }

  #slowLink(): (() => void) | undefined {
    const hosts = this.#world.network.hostNames
    if (hosts.length < 2) return undefined
    const [from, to] = this.#random.shuffle(hosts) as [string, string]
    const link = this.#world.network.link(from, to)
    this.#say('slow-link', `${from} > ${to}`)
    link.setSlowness(this.#random.logarithmic(1, this.#plan.slownessMax))
    return () => link.setSlowness(1)
  }

  #slowDisk(): (() => void) | undefined {
    const machine = this.#machine()
    if (machine === undefined) return undefined
    this.#say('slow-disk', machine.name)
    machine.pace.slowness = this.#random.logarithmic(1, this.#plan.slownessMax)
    return () => {
      machine.pace.slowness = 1
    }
  }

  #fillDisk(): (() => void) | undefined {
    const machine = this.#machine()
    if (machine === undefined) return undefined
    this.#say('disk-full', machine.name)
    machine.disk.limit(machine.disk.usedBytes())
    return () => machine.disk.limit(undefined)
  }

  #drift(): (() => void) | undefined {
    const machine = this.#machine()
    if (machine === undefined) return undefined
    const bound = this.#world.clockDriftMax
    this.#say('clock-drift', machine.name)
    machine.clock.setRate(1 + this.#random.between(-bound, bound))
    return () => undefined
  }

  #pause(): (() => void) | undefined {
    const service = this.#service()
    const up = service && this.#takeDown(this.#machineOf(service))
    if (service?.process === undefined || up === undefined) return undefined
    const { process } = service
    this.#say('pause', service.name)
    process.pause()
    return () => {
      up()
      process.resume()
    }
  }

  #rot(): (() => void) | undefined {
    const what = this.#targets.rot?.(this.#random)
    if (what === undefined) return undefined
    this.#say('bit-rot', what)
    return () => undefined
  }

  #service(): SimService | undefined {
    const running = this.#targets.services.filter((service) => service.process?.state === 'running')
    return running.length === 0 ? undefined : this.#random.pick(running)
  }

  #machine(): SimMachine | undefined {
    return this.#targets.machines.length === 0 ? undefined : this.#random.pick(this.#targets.machines)
  }

  #machineOf(service: SimService): SimMachine {
    const machine = this.#world.machines.find((one) => one.services.includes(service))
    return present(machine, 'a service is installed on a machine')
  }

  /** Counts the machine as down until the answer is called; undefined where too many are down. */
  #takeDown(machine: SimMachine): (() => void) | undefined {
    const down = this.#machinesDown
    if (!down.has(machine) && down.size >= this.#plan.machinesDownMax) return undefined
    down.set(machine, (down.get(machine) ?? 0) + 1)
    return () => {
      const rest = (down.get(machine) ?? 0) - 1
      if (rest > 0) down.set(machine, rest)
      else down.delete(machine)
    }
  }

  #say(kind: FaultKind, what: string): void {
    this.#world.scheduler.trace.note(this.#world.scheduler.now(), kind, '-', what)
  }
}
