import { KhazanaError } from '../stdx/errors.js'
import type { Connection, Endpoint, Listener, Network } from '../io/network.js'
import type { Prng } from '../stdx/prng.js'
import type { Scheduler } from './scheduler.js'
import { SimLink, lanProfile, loopbackProfile } from './sim-link.js'
import type { LinkProfile } from './sim-link.js'
import type { SimProcess } from './sim-process.js'
import { SimStream } from './sim-stream.js'
import type { StreamOptions } from './sim-stream.js'

export interface NetworkOptions extends StreamOptions {
  readonly loopback: LinkProfile
  readonly remote: LinkProfile
  /** How long a kernel waits for an answer before it asks to connect again, in ms. */
  readonly connectRetryMs: number
}

export const networkDefaults: NetworkOptions = {
  loopback: loopbackProfile,
  remote: lanProfile,
  windowBytes: 256 * 1024,
  queueHighWaterBytes: 1024 * 1024,
  queueLowWaterBytes: 256 * 1024,
  stallMsMin: 5_000,
  stallMsMax: 60_000,
  breakNoticeMsMax: 10_000,
  keepaliveMsMin: 10_000,
  keepaliveMsMax: 120_000,
  connectRetryMs: 250,
}

interface Port {
  readonly process: SimProcess
  readonly endpoint: Endpoint
  readonly accept: (connection: Connection) => void
  /** Reached from its own host alone. */
  readonly isLocal: boolean
}

interface Host {
  readonly name: string
  readonly ports: Map<string, Port>
  isPowered: boolean
  nextPort: number
}

const ephemeralPortMin = 49_152
const listenMs = 0.05
const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1'])
const anyNames: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/**
 * All wires of a simulated world: hosts by name, a link for each ordered pair of them, and the streams that are open.
 * A process gets its own view of it, which is an io `Network`.
 */
export class SimNetwork {
  readonly #scheduler: Scheduler
  readonly #random: Prng
  readonly #options: NetworkOptions
  readonly #hosts = new Map<string, Host>()
  readonly #links = new Map<string, SimLink>()
  readonly #streams = new Set<SimStream>()

  constructor(scheduler: Scheduler, random: Prng, options: NetworkOptions = networkDefaults) {
    this.#scheduler = scheduler
    this.#random = random
    this.#options = options
  }

  /** Streams with at least one live end, in order of their making. */
  get streams(): readonly SimStream[] {
    return [...this.#streams]
  }

  get hostNames(): readonly string[] {
    return [...this.#hosts.keys()]
  }

  addHost(name: string): void {
    this.#hosts.set(name, { name, ports: new Map(), isPowered: true, nextPort: ephemeralPortMin })
  }

  /** The way from one host to another. */
  link(from: string, to: string): SimLink {
    const key = `${from} > ${to}`
    const known = this.#links.get(key)
    if (known !== undefined) return known
    const profile = from === to ? this.#options.loopback : this.#options.remote
    const link = new SimLink(profile, this.#random.fork(key))
    this.#links.set(key, link)
    return link
  }

  /** Its processes die by themselves, with `power-lost`. */
  powerOff(name: string): void {
    this.#host(name).isPowered = false
  }

  powerOn(name: string): void {
    this.#host(name).isPowered = true
    for (const stream of this.streams) stream.poweredOn(name)
  }

  /** The network of a process on a host. Called once for a process. */
  viewOf(process: SimProcess, hostName: string): Network {
    const host = this.#host(hostName)
    process.onDeath((death) => {
      for (const [key, port] of host.ports) if (port.process === process) host.ports.delete(key)
      for (const stream of this.streams) stream.died(process, death)
    })
    return {
      listen: (endpoint, accept) => this.#listen(process, host, endpoint, accept),
      connect: (endpoint, options) => this.#connect(process, host, endpoint, options.timeoutMs),
    }
  }

  async #listen(
    process: SimProcess,
    host: Host,
    wanted: Endpoint,
    accept: (connection: Connection) => void,
  ): Promise<Listener> {
    await process.delay(listenMs, 'listen')
    const endpoint =
      wanted.kind === 'tcp' && wanted.port === 0 ? { ...wanted, port: host.nextPort++ } : wanted
    if (endpoint.kind === 'tcp' && !isNameOf(host, endpoint.host)) {
      throw new KhazanaError('invalid-argument', `${host.name} has no address ${endpoint.host}`)
    }
    const key = portKey(endpoint)
    if (host.ports.has(key)) throw new KhazanaError('address-in-use', `${describe(endpoint)} is taken`)
    const isLocal = endpoint.kind === 'unix' || loopbackNames.has(endpoint.host)
    const port = { process, endpoint, accept, isLocal }
    host.ports.set(key, port)
    return {
      endpoint,
      close: async () => {
        await process.delay(listenMs, 'unlisten')
        if (host.ports.get(key) === port) host.ports.delete(key)
      },
    }
  }

  #connect(process: SimProcess, from: Host, endpoint: Endpoint, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const target = this.#resolve(from, endpoint)
      let isSettled = false
      const timeout = process.schedule(timeoutMs, 'connect timeout', () => {
        fail(`no answer within ${timeoutMs} ms`)
      })
      const settle = (): boolean => {
        const isFirst = !isSettled
        isSettled = true
        timeout.cancel()
        return isFirst
      }
      const fail = (why: string): void => {
        if (settle()) reject(new KhazanaError('unreachable', `${describe(endpoint)}: ${why}`))
      }
      if (target === undefined) {
        process.schedule(listenMs, 'connect', () => fail('no such host'))
        return
      }
      const forth = this.link(from.name, target.name)
      const back = this.link(target.name, from.name)
      const answer = (run: () => void): void => {
        process.schedule(back.latencyMs(), 'connected', () => {
          if (back.isBlocked) back.onceOpen(() => answer(run))
          else run()
        })
      }
      const ask = (): void => {
        if (isSettled || process.state === 'dead') return
        this.#scheduler.schedule(undefined, forth.latencyMs(), 'connect', () => {
          if (isSettled || process.state === 'dead') return
          if (forth.isBlocked || !target.isPowered) {
            const retryMs = this.#options.connectRetryMs * this.#random.between(0.5, 1.5)
            this.#scheduler.schedule(undefined, retryMs, 'connect again', ask)
            return
          }
          const port = target.ports.get(portKey(endpoint))
          if (port === undefined || (port.isLocal && target !== from)) {
            answer(() => fail('refused'))
            return
          }
          const links = { forth, back }
          const connection = this.#open(
            { process, host: from },
            { port, host: target, asked: endpoint },
            links,
          )
          answer(() => {
            if (settle()) resolve(connection)
            else connection.destroy()
          })
        })
      }
      ask()
    })
  }

  /** The kernels' part of connecting: the accepting program hears of it when it runs. */
  #open(
    from: { readonly process: SimProcess; readonly host: Host },
    to: { readonly port: Port; readonly host: Host; readonly asked: Endpoint },
    links: { readonly forth: SimLink; readonly back: SimLink },
  ): Connection {
    const { port } = to
    const stream = new SimStream(
      this.#scheduler,
      this.#random,
      this.#options,
      {
        near: { process: from.process, host: from.host.name, label: from.process.name },
        far: { process: port.process, host: to.host.name, label: describe(to.asked) },
      },
      links,
      (gone) => this.#streams.delete(gone),
    )
    this.#streams.add(stream)
    port.process.schedule(0, 'accept', () => {
      if (to.host.ports.get(portKey(port.endpoint)) === port) port.accept(stream.far)
      else stream.far.destroy()
    })
    return stream.near
  }

  #resolve(from: Host, endpoint: Endpoint): Host | undefined {
    if (endpoint.kind === 'unix' || loopbackNames.has(endpoint.host)) return from
    return this.#hosts.get(endpoint.host)
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new KhazanaError('invalid-argument', `no host ${name}`)
    return host
  }
}

function isNameOf(host: Host, name: string): boolean {
  return name === host.name || loopbackNames.has(name) || anyNames.has(name)
}

function portKey(endpoint: Endpoint): string {
  return endpoint.kind === 'tcp' ? `tcp:${endpoint.port}` : `unix:${endpoint.path}`
}

function describe(endpoint: Endpoint): string {
  return endpoint.kind === 'tcp' ? `${endpoint.host}:${endpoint.port}` : `unix:${endpoint.path}`
}
