import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ConsistencySettings } from '../../src/address/consistency-settings.js'
import { neverWritten } from '../../src/address/page.js'
import type { Region } from '../../src/client/region.js'
import { present } from '../../src/stdx/assert.js'
import { Prng } from '../../src/stdx/prng.js'
import { SimCoordinator, schedulerClock } from '../../src/testing/coordinator/sim-coordinator.js'
import { differentBackups } from '../../src/testing/khazana/group-agreement.js'
import { NodeCluster, pageSize } from './node-cluster.js'
import { read, write } from './split-cluster.js'

const pageCount = 8
/** Nobody writes it, nor ever did. */
const zeroPage = pageCount - 1
const patienceMs = 20_000

const presets = {
  strict: { preset: 'strict' },
  release: { preset: 'release' },
  bounded: { preset: 'bounded' },
  eventual: { preset: 'eventual' },
} as const satisfies Record<string, ConsistencySettings>

/** Nodes, of which the last one, and a client of it, read pages that others are the home of. */
class Scene {
  readonly cluster: NodeCluster
  losses = 0
  #coordinator: SimCoordinator | undefined
  #regions: { readonly home: Region; readonly readers: readonly Region[] } | undefined

  constructor() {
    this.cluster = new NodeCluster({
      nodes: 5,
      seed: 3,
      more: () => ({ coordinator: () => this.#access(), sessionIdleMs: 600_000 }),
    })
  }

  #access(): ReturnType<SimCoordinator['accessOf']> {
    const { scheduler } = this.cluster.world
    this.#coordinator ??= new SimCoordinator({ scheduler, random: Prng.fromSeed(7) })
    return this.#coordinator.accessOf(undefined, schedulerClock(scheduler))
  }

  async begin(consistency: ConsistencySettings, minReplicas: number): Promise<void> {
    const { cluster } = this
    const home = await cluster.reserve(1, pageCount, { consistency, minReplicas })
    for (let page = 0; page < zeroPage; page++) await write(home, page, page + 1, patienceMs)
    const khazana = await cluster.client(5)
    this.#regions = { home, readers: [await cluster.at(5, home), await khazana.region(home.address)] }
    await this.read()
  }

  get #address(): Region['address'] {
    return present(this.#regions, 'it has begun').home.address
  }

  get home(): number | undefined {
    return this.cluster.nodes.find(({ home }) => home.find(this.#address) !== undefined)?.node
  }

  /** Reads all pages at all readers. What they see of each page, and the bytes that all nodes have sent for it. */
  async read(): Promise<{ readonly values: readonly number[]; readonly bytes: number }> {
    const { cluster } = this
    const before = this.#bytesSent
    const values: number[] = []
    for (const reader of present(this.#regions, 'it has begun').readers) {
      for (let page = 0; page < pageCount; page++) values.push((await read(reader, page, patienceMs)).value)
    }
    await cluster.pause(200)
    return { values, bytes: this.#bytesSent - before }
  }

  /** Of all pages, as the home tells them of what is on disk. */
  async versions(): Promise<readonly number[]> {
    const { home } = present(this.#regions, 'it has begun')
    const { pages } = await (await this.cluster.at(5, home)).stat({ offset: 0, length: pageCount * pageSize })
    return pages.map(({ version }) => version)
  }

  get #bytesSent(): number {
    return this.cluster.nodes.reduce((sum, node) => sum + node.status().bytesSent, 0)
  }

  /** The home dies, and another, or the same once it is started again, has taken its place, and has all its backups. */
  async loseHome(
    how: 'is started again at once' | 'is started again later',
    minReplicas: number,
  ): Promise<void> {
    const { cluster } = this
    const lost = present(this.home, 'the region is served')
    // The readers live, wherever the home has come to by then.
    if (lost === 5) return
    this.losses += 1
    cluster.crash(lost)
    if (how === 'is started again at once') await cluster.start(lost)
    await cluster.until('the region has a home again', () => this.home !== undefined)
    if (how === 'is started again later') await cluster.start(lost)
    await cluster.until('the region has all its replicas', () => {
      const node = cluster.nodes.find(({ node: number }) => number === this.home)
      const groups = [...(node?.groups.all() ?? [])].filter(({ copies }) => copies.find(this.#address))
      return minReplicas === 1 || groups.some(({ record }) => record?.members.length === minReplicas)
    })
    await cluster.pause(3000)
    assert.deepEqual(await differentBackups(cluster.nodes), [])
  }

  /** Somebody else writes the page. */
  async write(page: number, value: number): Promise<void> {
    const { cluster } = this
    const other = [2, 3].find((node) => node !== this.home) ?? 1
    const region = await cluster.at(other, present(this.#regions, 'it has begun').home)
    await write(region, page, value, patienceMs)
    await cluster.pause(3000)
  }
}

const untouched = [...Array.from({ length: zeroPage }, (_, page) => page + 1), 0]

describe('pages that are in memory', () => {
  for (const [name, consistency] of Object.entries(presets)) {
    for (const [minReplicas, how] of [
      [2, 'is started again later'],
      [2, 'is started again at once'],
      [1, 'is started again at once'],
    ] as const) {
      it(`are not sent again when their home dies and ${how}, unless they were written: ${name}, ${minReplicas} replicas`, async () => {
        const scene = new Scene()
        const { cluster } = scene
        await cluster.run(async () => {
          await scene.begin(consistency, minReplicas)
          const versions = await scene.versions()
          assert.equal(versions.indexOf(neverWritten), zeroPage)
          for (let times = 0; times < 2; times++) {
            await scene.loseHome(how, minReplicas)
            const { values, bytes } = await scene.read()
            assert.deepEqual(values, [...untouched, ...untouched])
            assert.ok(bytes < pageSize, `${bytes} bytes for pages that nobody has written`)
            assert.deepEqual(await scene.versions(), versions)
          }
          await scene.write(2, 77)
          await scene.loseHome(how, minReplicas)
          await scene.write(5, 88)
          const { values, bytes } = await scene.read()
          const after = untouched.with(2, 77).with(5, 88)
          assert.ok(scene.losses > 1)
          assert.deepEqual(values, [...after, ...after])
          // The client's come by its node.
          assert.ok(bytes < 7 * pageSize, `${bytes} bytes where two pages were written`)
        })
      })
    }
  }
})
