import { crc32 } from 'node:zlib'
import { present } from '../stdx/assert.js'
import type { Prng } from '../stdx/prng.js'
import type { Logger } from '../io/logger.js'
import type { World } from '../io/world.js'
import { ProcessDirectory } from './process-directory.js'
import type { DiskPace } from './process-directory.js'
import type { Scheduler } from './scheduler.js'
import { SimClock } from './sim-clock.js'
import type { MachineClock } from './sim-clock.js'
import type { SimDisk } from './sim-disk.js'
import type { SimNetwork } from './sim-network.js'
import { SimProcess } from './sim-process.js'

/** What a process runs: it gets its world, and lives until it is killed. Starting again calls it again. */
export type Program = (world: World, process: SimProcess) => void | Promise<void>

/** One machine: a host on the network, a clock, a disk that survives, and the programs it runs. */
export class SimMachine {
  readonly name: string
  readonly clock: MachineClock
  readonly disk: SimDisk
  readonly pace: DiskPace
  readonly #scheduler: Scheduler
  readonly #network: SimNetwork
  readonly #random: Prng
  readonly #services: SimService[] = []
  #isPowered = true

  constructor(
    name: string,
    parts: { readonly scheduler: Scheduler; readonly network: SimNetwork; readonly random: Prng },
    hardware: { readonly clock: MachineClock; readonly disk: SimDisk; readonly pace: DiskPace },
  ) {
    this.name = name
    this.clock = hardware.clock
    this.disk = hardware.disk
    this.pace = hardware.pace
    this.#scheduler = parts.scheduler
    this.#network = parts.network
    this.#random = parts.random
  }

  get isPowered(): boolean {
    return this.#isPowered
  }

  get services(): readonly SimService[] {
    return this.#services
  }

  /** A program under a name of its own on this machine; not started yet. */
  install(name: string, program: Program): SimService {
    const boot = (incarnation: number): SimProcess => {
      const process = new SimProcess(`${this.name}/${name}#${incarnation}`, this.#scheduler)
      const world = this.#worldOf(process)
      process.schedule(0, 'boot', () => {
        // A program that fails is seen as an unhandled rejection, which ends the simulation.
        void program(world, process)
      })
      return process
    }
    const service = new SimService(`${this.name}/${name}`, () => this.#isPowered, boot)
    this.#services.push(service)
    return service
  }

  /** Everything stops, nobody is told, and what was not synced is lost or torn. */
  powerOff(): void {
    if (!this.#isPowered) return
    this.#isPowered = false
    this.#network.powerOff(this.name)
    for (const service of this.#services) service.process?.die('power-lost')
    this.disk.losePower(this.#random)
  }

  /** The kernel runs again; services are started by whoever wants them. */
  powerOn(): void {
    if (this.#isPowered) return
    this.#isPowered = true
    this.#network.powerOn(this.name)
  }

  #worldOf(process: SimProcess): World {
    const random = this.#random.fork(process.name)
    return {
      clock: new SimClock(process, this.clock, random.fork('clock')),
      random: random.fork('random'),
      network: this.#network.viewOf(process, this.name),
      logger: traceLogger(process, this.#scheduler),
      checksum: (bytes, seed) => crc32(bytes, seed),
      openDirectory: async (path) => {
        const directory = await this.disk.openDirectory(path)
        return new ProcessDirectory(directory, process, this.pace, random.fork(`disk ${path}`))
      },
      hasDirectory: (path) => Promise.resolve(this.disk.hasDirectory(path)),
    }
  }
}

/** A program that may be killed and started again, each time as a new process. */
export class SimService {
  readonly name: string
  readonly #isPowered: () => boolean
  readonly #boot: (incarnation: number) => SimProcess
  #process: SimProcess | undefined
  #incarnation = 0

  constructor(name: string, isPowered: () => boolean, boot: (incarnation: number) => SimProcess) {
    this.name = name
    this.#isPowered = isPowered
    this.#boot = boot
  }

  /** The newest incarnation; undefined before the first start. */
  get process(): SimProcess | undefined {
    return this.#process
  }

  get isAlive(): boolean {
    return this.#process !== undefined && this.#process.state !== 'dead'
  }

  /** Starts it unless it lives, or its machine has no power. */
  start(): void {
    if (this.isAlive || !this.#isPowered()) return
    this.#incarnation++
    this.#process = this.#boot(this.#incarnation)
  }

  /** Like kill -9: the kernel closes its connections and keeps what it wrote. */
  kill(): void {
    present(this.#process, 'a service is started before it is killed').die('killed')
  }
}

function traceLogger(process: SimProcess, scheduler: Scheduler): Logger {
  return {
    log: (level, message, fields) => {
      scheduler.trace.note(scheduler.now(), `log ${level}`, process.name, message)
      if (fields !== undefined && scheduler.trace.isRead) {
        scheduler.trace.comment(scheduler.now(), process.name, JSON.stringify(fields, plain))
      }
    },
  }
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  return value instanceof Error ? `${value.name}: ${value.message}` : value
}
