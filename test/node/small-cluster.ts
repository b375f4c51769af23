import { Khazana } from '../../src/client/khazana.js'
import type { ReserveOptions } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import type { PluginOptions } from '../../src/consistency/plugins.js'
import type { World } from '../../src/io/world.js'
import { ConnectedSite } from '../../src/node/connected-site.js'
import { Node } from '../../src/node/node.js'
import type { NodeOptions } from '../../src/node/node-options.js'
import type { ReplicaSet } from '../../src/node/replica-set.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { DirectoryDisk } from '../../src/testing/directory-disk.js'
import { SimDirectory } from '../../src/testing/sim-directory.js'
import type { SimService } from '../../src/testing/sim-machine.js'
import { SimWorld } from '../../src/testing/sim-world.js'

const MiB = 1024 * 1024
const port = 7400
export const pageSize = 4096
export const leaseMs = 500

export type PlaceName = 'home' | 'relay' | 'near' | 'far' | 'third'

interface Running {
  readonly khazana: Khazana
  readonly replicas: ReplicaSet
  readonly node: Node | undefined
}

/** A node or a client, on a machine of its own. */
export interface Place {
  readonly name: PlaceName
  readonly machine: string
  readonly service: SimService
  /** Of its newest life, as soon as that is up. */
  readonly up: () => Promise<Running>
}

/**
 * Node 1, which is the home of all regions, with a client, `near`; and node 2, with a client, `far`, for which it relays. Where it is
 * asked for, there is a third node, without clients.
 */
export class SmallCluster {
  readonly world: SimWorld
  readonly home: Place
  readonly relay: Place
  readonly near: Place
  readonly far: Place
  readonly third: Place | undefined
  readonly #options: Partial<Record<PlaceName, Partial<NodeOptions>>>
  readonly #plugins: Partial<Record<PlaceName, PluginOptions>>

  constructor(
    seed: number,
    plugins: Partial<Record<PlaceName, PluginOptions>> = {},
    options: Partial<Record<PlaceName, Partial<NodeOptions>>> = {},
  ) {
    this.#plugins = plugins
    this.#options = options
    this.world = new SimWorld({
      seed,
      makeDisk: () => new DirectoryDisk((path) => new SimDirectory({ path })),
      disk: { operationMsMin: 0.1, operationMsMean: 0.2, syncMsMean: 4, bandwidthBytesPerMs: 100_000 },
    })
    this.home = this.#node('home', 1)
    this.relay = this.#node('relay', 2)
    this.near = this.#client('near', 1)
    this.far = this.#client('far', 2)
    this.third = options.third === undefined ? undefined : this.#node('third', 3)
  }

  get places(): readonly Place[] {
    const third = this.third === undefined ? [] : [this.third]
    return [this.home, this.relay, this.near, this.far, ...third]
  }

  /** Runs the test in virtual time, after all has started. */
  async run<T>(test: () => Promise<T>): Promise<T> {
    const { scheduler } = this.world
    const whole = async (): Promise<T> => {
      for (const place of this.places) {
        place.service.start()
        await place.up()
      }
      return test()
    }
    return scheduler.settle(whole(), scheduler.now() + 600_000)
  }

  pause(ms: number): Promise<void> {
    return this.world.scheduler.delay(undefined, ms, 'test')
  }

  /** Waits for what must come, and fails where it does not within a minute. */
  async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    for (let count = 0; count < 6000; count++) {
      if (await isSo()) return
      await this.pause(10)
    }
    throw new Error(`not within a minute: ${what}`)
  }

  /** A region at the home, with storage. */
  async reserve(pages: number, options: ReserveOptions = {}): Promise<Region> {
    const { khazana } = await this.home.up()
    const region = await khazana.reserve(pages * pageSize, { pageSize, ...options })
    await region.allocate()
    return region
  }

  /** The region as the place knows it. */
  async at(place: Place, region: Region): Promise<Region> {
    const { khazana } = await place.up()
    return khazana.region(region.address)
  }

  /** Cuts two machines off from each other. Answers with what mends it. */
  cut(a: Place, b: Place): () => void {
    const links = [
      this.world.network.link(a.machine, b.machine),
      this.world.network.link(b.machine, a.machine),
    ]
    for (const link of links) link.block()
    return () => {
      for (const link of links) link.unblock()
    }
  }

  #node(name: PlaceName, number: number): Place {
    return this.#place(name, `node-${number}`, async (world) => {
      const node = await Node.start({
        world,
        directory: '/data',
        name: `node-${number}`,
        listen: { kind: 'tcp', host: `node-${number}`, port },
        insecure: true,
        leaseMs,
        scrubEveryMs: 0,
        memoryBytesMax: 4 * MiB,
        diskBytesMax: 8 * MiB,
        storeLimits: { segmentBytes: 256 * 1024, pageBytesMax: 64 * 1024 },
        ...(number === 1 ? {} : { join: { kind: 'tcp', host: 'node-1', port } as const }),
        ...this.#plugins[name],
        ...this.#options[name],
      })
      return { node, khazana: new Khazana(node), replicas: node.replicas }
    })
  }

  #client(name: PlaceName, node: number): Place {
    return this.#place(name, `client-${name}`, async (world) => {
      const endpoint = { kind: 'tcp', host: `node-${node}`, port } as const
      const plugins = this.#plugins[name]
      const site = await ConnectedSite.connect({ world, endpoint, memoryBytesMax: 4 * MiB, ...plugins })
      return { node: undefined, khazana: new Khazana(site), replicas: site.replicas }
    })
  }

  #place(name: PlaceName, machine: string, open: (world: World) => Promise<Running>): Place {
    let running: Running | undefined
    const service = this.world.addMachine(machine).install(name, async (world, process) => {
      running = undefined
      process.onDeath(() => (running = undefined))
      while (process.state !== 'dead') {
        try {
          running = await open(world)
          return
        } catch (reason) {
          if (!mayComeLater(reason)) throw reason
        }
        await process.delay(100, 'start later')
      }
    })
    const up = async (): Promise<Running> => {
      while (running === undefined) await this.pause(5)
      return running
    }
    return { name, machine, service, up }
  }
}

function mayComeLater(reason: unknown): boolean {
  const { code } = KhazanaError.from(reason)
  return code === 'unreachable' || code === 'timeout' || code === 'busy' || code === 'closed'
}

export function pageAt(index: number): { readonly offset: number; readonly length: number } {
  return { offset: index * pageSize, length: pageSize }
}

/** Writes one byte to the start of a page. */
export async function write(region: Region, index: number, byte: number, timeoutMs = 20_000): Promise<void> {
  const lock = await region.lock('write', pageAt(index), { timeoutMs })
  lock.write(index * pageSize, Uint8Array.of(byte))
  await lock.unlock()
}

/** The byte at the start of a page. */
export async function read(region: Region, index: number, timeoutMs = 20_000): Promise<number> {
  const lock = await region.lock('read', pageAt(index), { timeoutMs })
  const [byte = -1] = lock.read(index * pageSize, 1)
  await lock.unlock()
  return byte
}

export type Preset = 'strict' | 'release' | 'bounded' | 'eventual'
export const presetsOfAll: readonly Preset[] = ['strict', 'release', 'bounded', 'eventual']
