import { Prng } from '../stdx/prng.js'
import { Scheduler } from './scheduler.js'
import { MachineClock } from './sim-clock.js'
import { diskDefaults } from './sim-disk.js'
import type { DiskProfile, SimDisk } from './sim-disk.js'
import { SimMachine } from './sim-machine.js'
import { SimNetwork, networkDefaults } from './sim-network.js'
import type { NetworkOptions } from './sim-network.js'
import { Trace } from './trace.js'
import type { TraceSink } from './trace.js'

export interface SimWorldOptions {
  /** A whole number from 0 to 2^53 - 1: all that happens follows from it. */
  readonly seed: number
  /** A new, empty disk; called once for a machine. */
  readonly makeDisk: (machine: string) => SimDisk
  readonly network?: NetworkOptions
  readonly disk?: DiskProfile
  /** Clock rates differ from true time by at most this share: 0.001 is 1 ms in a second. */
  readonly clockDriftMax?: number
  /** Events in all; 10 million unless told. */
  readonly stepsMax?: number
  /** Real milliseconds; 60,000 unless told. */
  readonly wallClockMsMax?: number
  readonly traceSink?: TraceSink
}

const stepsMaxDefault = 10_000_000
const wallClockMsMaxDefault = 60_000
const clockDriftMaxDefault = 0.0049
const originMsMax = 1e9
const wallTimeMs = Date.UTC(2030, 0, 1)
const wallTimeSkewMsMax = 60_000

/** Machines, wires, and the one queue of all that happens: a whole distributed system in one process, from one seed. */
export class SimWorld {
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  /** For those who drive the world; programs get their own. */
  readonly random: Prng
  readonly clockDriftMax: number
  readonly #options: SimWorldOptions
  readonly #machines: SimMachine[] = []

  constructor(options: SimWorldOptions) {
    const seeded = Prng.fromSeed(options.seed)
    this.#options = options
    this.clockDriftMax = options.clockDriftMax ?? clockDriftMaxDefault
    this.random = seeded.fork('world')
    this.scheduler = new Scheduler({
      random: seeded.fork('scheduler'),
      trace: new Trace(options.traceSink),
      stepsMax: options.stepsMax ?? stepsMaxDefault,
      wallClockMsMax: options.wallClockMsMax ?? wallClockMsMaxDefault,
    })
    this.network = new SimNetwork(this.scheduler, seeded.fork('network'), options.network ?? networkDefaults)
  }

  get machines(): readonly SimMachine[] {
    return this.#machines
  }

  /** A new machine under power, reached by its name. */
  addMachine(name: string): SimMachine {
    const random = this.random.fork(`machine ${name}`)
    const clock = new MachineClock(this.scheduler, {
      originMs: random.between(0, originMsMax),
      rate: 1 + random.between(-this.clockDriftMax, this.clockDriftMax),
      wallTimeMs: wallTimeMs + random.between(-wallTimeSkewMsMax, wallTimeSkewMsMax),
    })
    this.network.addHost(name)
    const machine = new SimMachine(
      name,
      { scheduler: this.scheduler, network: this.network, random },
      {
        clock,
        disk: this.#options.makeDisk(name),
        pace: { profile: this.#options.disk ?? diskDefaults, slowness: 1 },
      },
    )
    this.#machines.push(machine)
    return machine
  }
}
