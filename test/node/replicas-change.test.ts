import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import type { HandoverBug } from '../../src/node/home/handover-bug.js'
import type { Node } from '../../src/node/node.js'
import { Prng } from '../../src/stdx/prng.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { SimCoordinator, schedulerClock } from '../../src/testing/coordinator/sim-coordinator.js'
import { differentBackups } from '../../src/testing/khazana/group-agreement.js'
import { overlaps } from '../../src/testing/khazana/overlaps.js'
import { NodeCluster, leaseMs, pageSize } from './node-cluster.js'

const pages = 4
/** Until all is as it should be, after all nodes are up. */
const wholeMs = 60_000

/** From so many replicas to so many. */
const changes = [
  [1, 2],
  [2, 3],
  [3, 2],
  [2, 1],
] as const

class Scene {
  readonly cluster: NodeCluster
  readonly #coordinator: { it?: SimCoordinator } = {}

  constructor(nodes: number, seed = 1, handoverBug?: HandoverBug) {
    const clock = (): ReturnType<typeof schedulerClock> => schedulerClock(this.cluster.world.scheduler)
    const coordinator = (): ReturnType<SimCoordinator['accessOf']> =>
      this.coordinator.accessOf(undefined, clock())
    this.cluster = new NodeCluster({ nodes, seed, more: () => ({ coordinator, handoverBug }) })
  }

  get coordinator(): SimCoordinator {
    const { scheduler } = this.cluster.world
    this.#coordinator.it ??= new SimCoordinator({ scheduler, random: Prng.fromSeed(7) })
    return this.#coordinator.it
  }

  homesOf(region: Region): Node[] {
    return this.cluster.nodes.filter(({ home }) => home.find(region.address) !== undefined)
  }

  /** The members of the group that keeps it, or its home alone. */
  keepersOf(region: Region): readonly number[] {
    const [home] = this.homesOf(region)
    return home?.home.stat(region.address, { first: 0 as never, count: 1 }).group ?? []
  }

  /** Copies of it on disks: of members of groups, which may be several, or of its home alone. */
  copiesOf(region: Region): number {
    const led = this.cluster.nodes.flatMap(({ groups }) => groups.all().filter(({ isLed }) => isLed))
    const inGroups = led.reduce((count, { name, record }) => {
      const members = this.cluster.nodes.filter(({ node }) => record?.members.includes(node))
      const parts = members.flatMap(({ groups }) => groups.all().filter((one) => one.name === name))
      return count + parts.filter(({ copies }) => copies.get(region.address) !== undefined).length
    }, 0)
    return inGroups + (this.keepersOf(region).length === 1 ? 1 : 0)
  }

  replicasOf(region: Region): number | undefined {
    return this.homesOf(region)[0]?.home.find(region.address)?.attributes.minReplicas
  }

  /** For who looks why it is not so. */
  describe(region: Region): string {
    return this.cluster.nodes
      .map(({ node, home, groups, replicas }) => {
        const known = home.find(region.address)
        const parts = groups.all().map(({ name, isServed, record, copies }) => {
          const copy = copies.get(region.address)
          const has = copy === undefined ? '-' : `era ${copy.descriptor.era} ${copy.handover?.side ?? 'whole'}`
          return `${name}${isServed ? '*' : ''} [${record?.members.join() ?? '?'}] ${has}`
        })
        const here = known === undefined ? '' : ` home of era ${known.era}, ${known.attributes.minReplicas} replicas;`
        const replica = replicas.get(region.address)
        const at = replica?.role.kind === 'copy' ? `${replica.role.parent}` : (replica?.role.kind ?? 'none')
        return `node ${node} (replica of era ${replica?.descriptor.era ?? '-'} at ${at}):${here}${home.settled(region.address) === undefined ? '' : ' in doubt;'} ${parts.join('; ')}`
      })
      .join('\n')
  }

  /** One home, as many copies as are wanted and no more, all alike, and nothing that is under way. Answers with how many. */
  async whole(region: Region): Promise<number> {
    const { cluster } = this
    const isWhole = (): boolean => {
      const wanted = this.replicasOf(region)
      return (
        this.homesOf(region).length === 1 &&
        this.keepersOf(region).length === wanted &&
        this.copiesOf(region) === wanted
      )
    }
    const until = cluster.now() + wholeMs
    while (!isWhole() && cluster.now() < until) await cluster.pause(20)
    assert.ok(isWhole(), this.describe(region))
    await cluster.pause(1000)
    assert.deepEqual(await differentBackups(cluster.nodes), [])
    assert.deepEqual(overlaps(cluster.nodes), [])
    assert.equal(this.homesOf(region).length, 1)
    for (const { home } of cluster.nodes) assert.equal(home.settled(region.address), undefined)
    return this.replicasOf(region) ?? 0
  }
}

async function write(region: Region, page: number, value: number, timeoutMs = 20_000): Promise<void> {
  const lock = await region.lock('write', { offset: page * pageSize, length: pageSize }, { timeoutMs })
  lock.write(page * pageSize, new Uint8Array([value]))
  await lock.unlock()
}

async function read(region: Region, page: number, timeoutMs = 20_000): Promise<number | undefined> {
  const lock = await region.lock('read', { offset: page * pageSize, length: pageSize }, { timeoutMs })
  const value = lock.read(page * pageSize, 1)[0]
  await lock.unlock()
  return value
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (reason: unknown) => KhazanaError.from(reason).code,
  )

/** Counts in one page of the region, one write after the other, until it is told to stop. What is on its way then is not waited for for long. */
class Counter {
  readonly #region: Region
  readonly #page: number
  readonly #cluster: NodeCluster
  #isStopped = false
  /** Acknowledged, and begun. */
  done = 0
  begun = 0
  readonly over: Promise<void>

  constructor(cluster: NodeCluster, region: Region, page: number) {
    this.#cluster = cluster
    this.#region = region
    this.#page = page
    this.over = this.#run()
  }

  stop(): Promise<void> {
    this.#isStopped = true
    return this.over
  }

  async #run(): Promise<void> {
    while (!this.#isStopped && this.begun < 250) {
      this.begun += 1
      try {
        await write(this.#region, this.#page, this.begun)
        this.done = this.begun
      } catch (reason) {
        const { code } = KhazanaError.from(reason)
        if (!['outcome-unknown', 'context-broken', 'timeout', 'unreachable', 'closed'].includes(code))
          throw reason
      }
      await this.#cluster.pause(3)
    }
  }

  /** What is there is what was acknowledged last, or came after it. */
  check(value: number | undefined): void {
    assert.ok(
      value !== undefined && value >= this.done && value <= this.begun,
      `${value}: ${this.done} to ${this.begun}`,
    )
  }
}

/** Changes the number while two nodes write, and one or more nodes die in the middle. */
async function underFire(
  scene: Scene,
  [before, after]: readonly [number, number],
  victims: readonly ('home' | 'backup')[],
  atMs: number,
): Promise<number> {
  const { cluster } = scene
  const region = await cluster.reserve(2, pages, { minReplicas: before })
  for (let page = 0; page < pages; page++) await write(region, page, 0)
  // To make a group takes longer than all else.
  if (after > 1) await cluster.reserve(2, 1, { minReplicas: after })
  const there = await cluster.at(4, region)
  const counters = [new Counter(cluster, there, 0), new Counter(cluster, await cluster.at(1, region), 1)]
  await cluster.pause(20)
  const changed = codeOf(there.setAttributes({ minReplicas: after }, { timeoutMs: 20_000 }))
  await cluster.pause(atMs)
  const members = scene.keepersOf(region)
  const dead = victims.map((victim) => (victim === 'home' ? 2 : (members.find((one) => one !== 2) ?? 3)))
  // The writers' nodes live.
  const victimsLeft = [...new Set(dead)].filter((node) => node !== 4 && node !== 1)
  for (const node of victimsLeft) cluster.crash(node)
  await cluster.pause(victims.length > 1 ? 300 : leaseMs + 1500)
  for (const node of victimsLeft) await cluster.start(node)
  await changed
  await cluster.pause(500)
  await Promise.all(counters.map((one) => one.stop()))
  const count = await scene.whole(region)
  for (const node of [1, 2, 3, 4]) {
    const here = await cluster.at(node, region)
    const failed = (reason: unknown): never => {
      throw new Error(`${atMs} ms, at node ${node}:\n${scene.describe(region)}`, { cause: reason })
    }
    for (const [page, counter] of counters.entries()) counter.check(await read(here, page).catch(failed))
    for (let page = 2; page < pages; page++) assert.equal(await read(here, page), 0)
    await write(here, 3, 0)
  }
  return count
}

describe('a change of minReplicas', () => {
  for (const [before, after] of changes) {
    it(`from ${before} to ${after} moves the region from one log to another while it is in use`, async () => {
      const scene = new Scene(4)
      const { cluster } = scene
      await cluster.run(async () => {
        const region = await cluster.reserve(2, pages, { minReplicas: before })
        for (let page = 0; page < pages - 1; page++) await write(region, page, page + 1)
        const there = await cluster.at(4, region)
        const counter = new Counter(cluster, there, 0)
        await cluster.pause(20)
        await there.setAttributes({ minReplicas: after })
        assert.equal(there.attributes.minReplicas, after)
        await cluster.pause(200)
        await counter.stop()
        assert.equal(counter.done, counter.begun)
        assert.equal(await scene.whole(region), after)
        assert.equal(await read(region, 0), counter.done)
        for (let page = 1; page < pages; page++)
          assert.equal(await read(there, page), page === 3 ? 0 : page + 1)
        if (after === 1) return
        cluster.crash(2)
        assert.equal(await read(there, 1), 2)
        assert.equal(await read(there, 0), counter.done)
        await cluster.start(2)
        await scene.whole(region)
      })
    })

    for (const victims of [['home'], ['backup'], ['home', 'backup']] as const) {
      it(`from ${before} to ${after} ends in one place with everything, whenever the ${victims.join(' and the ')} is killed`, async (t) => {
        const ends = new Map<number, number>()
        for (let atMs = 0; atMs <= 45; atMs += 2.5) {
          const scene = new Scene(4, 1 + 2 * atMs)
          await scene.cluster.run(async () => {
            const count = await underFire(scene, [before, after], victims, atMs)
            ends.set(count, (ends.get(count) ?? 0) + 1)
          })
        }
        t.diagnostic([...ends].map(([count, times]) => `${count} replicas: ${times}`).join(', '))
      })
    }
  }
})
