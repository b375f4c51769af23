import { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import type { World } from '../../src/io/world.js'
import { ConnectedSite } from '../../src/node/connected-site.js'
import { Node } from '../../src/node/node.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { DirectoryDisk } from '../../src/testing/directory-disk.js'
import { SimDirectory } from '../../src/testing/sim-directory.js'
import type { SimMachine, SimService } from '../../src/testing/sim-machine.js'
import { SimWorld } from '../../src/testing/sim-world.js'

const MiB = 1024 * 1024
const port = 7400
export const pageSize = 4096

/** A place where a program watches and writes. */
export interface Place {
  readonly machine: SimMachine
  readonly service: SimService
  /** The node, where the place is one; of the newest life. */
  readonly node: () => Node
  /** Resolves when it is up. */
  readonly khazana: () => Promise<Khazana>
}

/**
 * Node 1, the home; node 2; and a client of node 2, each on a machine of its own, with disks so slow that a version is
 * long there before it is durable. Places start again when they are told to.
 */
export class WatchedCluster {
  readonly world: SimWorld
  readonly home: Place
  readonly relay: Place
  readonly client: Place

  constructor(seed: number) {
    this.world = new SimWorld({
      seed,
      makeDisk: () => new DirectoryDisk((path) => new SimDirectory({ path })),
      disk: { operationMsMin: 0.5, operationMsMean: 1, syncMsMean: 15, bandwidthBytesPerMs: 100_000 },
    })
    this.home = this.#node(1)
    this.relay = this.#node(2)
    this.client = this.#client()
  }

  /** Starts everything, and gives a region of so many pages that is homed at node 1. */
  async start(pages: number): Promise<Region> {
    this.home.service.start()
    const khazana = await this.home.khazana()
    this.relay.service.start()
    await this.relay.khazana()
    this.client.service.start()
    await this.client.khazana()
    const region = await khazana.reserve(pages * pageSize, { pageSize })
    await region.allocate()
    return region
  }

  /** Lets the test's promise come to its end in virtual time. */
  settle<T>(run: () => Promise<T>): Promise<T> {
    return this.world.scheduler.settle(run(), this.world.scheduler.now() + 600_000)
  }

  pause(ms: number): Promise<void> {
    return this.world.scheduler.delay(undefined, ms, 'test')
  }

  #node(index: number): Place {
    return this.#place(`node-${index}`, async (world) => {
      const node = await Node.start({
        world,
        directory: '/data',
        name: `node-${index}`,
        listen: { kind: 'tcp', host: `node-${index}`, port },
        insecure: true,
        leaseMs: 500,
        scrubEveryMs: 0,
        memoryBytesMax: 4 * MiB,
        diskBytesMax: 8 * MiB,
        storeLimits: { segmentBytes: 256 * 1024, pageBytesMax: 64 * 1024 },
        ...(index === 1 ? {} : { join: { kind: 'tcp', host: 'node-1', port } as const }),
      })
      return { node, khazana: new Khazana(node) }
    })
  }

  #client(): Place {
    return this.#place('client', async (world) => {
      const endpoint = { kind: 'tcp', host: 'node-2', port } as const
      const site = await ConnectedSite.connect({ world, endpoint, memoryBytesMax: 4 * MiB })
      return { node: undefined, khazana: new Khazana(site) }
    })
  }

  #place(
    name: string,
    open: (world: World) => Promise<{ readonly node: Node | undefined; readonly khazana: Khazana }>,
  ): Place {
    const machine = this.world.addMachine(name)
    let up: Awaited<ReturnType<typeof open>> | undefined
    const service = machine.install(name, async (world, process) => {
      process.onDeath(() => (up = undefined))
      while (process.state !== 'dead') {
        try {
          up = await open(world)
          return
        } catch (reason) {
          if (!mayComeLater(reason)) throw reason
        }
        await process.delay(100, 'start later')
      }
    })
    const khazana = async (): Promise<Khazana> => {
      while (up === undefined) await this.pause(10)
      return up.khazana
    }
    const node = (): Node => {
      if (up?.node === undefined) throw new Error(`no node runs at ${name}`)
      return up.node
    }
    return { machine, service, node, khazana }
  }
}

function mayComeLater(reason: unknown): boolean {
  const { code } = KhazanaError.from(reason)
  return code === 'unreachable' || code === 'timeout' || code === 'busy' || code === 'closed'
}
