import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import type { HandoverBug } from '../../src/node/home/handover-bug.js'
import type { NodeOptions } from '../../src/node/node-options.js'
import type { Node } from '../../src/node/node.js'
import type { Watch } from '../../src/node/watch/watch.js'
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
    const more = (number: number): Partial<NodeOptions> => ({
      coordinator: () => this.coordinator.accessOf(this.cluster.processOf(number), clock()),
      handoverBug,
    })
    this.cluster = new NodeCluster({ nodes, seed, more })
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
      const members = this.cluster.nodes.filter(({ node }) => record?.members.includes(node) === true)
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
          const has =
            copy === undefined ? '-' : `era ${copy.descriptor.era} ${copy.handover?.side ?? 'whole'}`
          return `${name}${isServed ? '*' : ''} [${record?.members.join() ?? '?'}] ${has}`
        })
        const here =
          known === undefined ? '' : ` home of era ${known.era}, ${known.attributes.minReplicas} replicas;`
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

/** Until it ends. */
async function follow(watch: Watch, pagesSeen: number[]): Promise<void> {
  for await (const event of watch) if (event.kind === 'change') pagesSeen.push(event.offset / pageSize)
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
        // That of a backup alone takes long, and changes little.
        const stepMs = victims[0] === 'backup' ? 7.5 : 2.5
        for (let atMs = 0; atMs <= 45; atMs += stepMs) {
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

  it('is refused soon where there are not that many nodes, which may be about to join, and with more than a group may have, and nothing has changed', async () => {
    const scene = new Scene(2)
    const { cluster } = scene
    await cluster.run(async () => {
      const region = await cluster.reserve(1, pages)
      await write(region, 0, 7)
      const before = cluster.now()
      assert.equal(await codeOf(region.setAttributes({ minReplicas: 3 })), 'unreachable')
      assert.equal(await codeOf(region.setAttributes({ minReplicas: 8 })), 'unsupported')
      assert.ok(cluster.now() - before < 3000)
      assert.equal(await scene.whole(region), 1)
      assert.equal(await read(region, 0), 7)
    })
  })

  it('waits for open locks for as long as it may, or until it is told not to, and leaves nothing behind then', async () => {
    const scene = new Scene(3)
    const { cluster } = scene
    await cluster.run(async () => {
      for (const [before, after] of changes) {
        const region = await cluster.reserve(1, pages, { minReplicas: before })
        const there = await cluster.at(3, region)
        const lock = await there.lock('write', { offset: 0, length: 1 })
        assert.equal(
          await codeOf(region.setAttributes({ minReplicas: after }, { timeoutMs: 1500 })),
          'timeout',
        )
        const given = new AbortController()
        const changed = codeOf(region.setAttributes({ minReplicas: after }, { signal: given.signal }))
        await cluster.pause(1000)
        given.abort()
        assert.equal(await changed, 'aborted')
        lock.write(0, new Uint8Array([9]))
        await lock.unlock()
        assert.equal(await scene.whole(region), before)
        assert.equal(await read(region, 0), 9)
        await region.setAttributes({ minReplicas: after })
        assert.equal(await scene.whole(region), after)
        assert.equal(await read(there, 0), 9)
      }
    })
  })

  it('needs room for the pages twice, for as long as it lasts', async () => {
    const scene = new Scene(2)
    const { cluster } = scene
    await cluster.run(async () => {
      const { home } = cluster.node(1)
      const region = await cluster.reserve(1, 600)
      const roomBytes = home.roomBytes
      assert.ok(roomBytes < home.storageOf(region.address))
      assert.equal(await codeOf(region.setAttributes({ minReplicas: 2 })), 'no-space')
      assert.equal(await scene.whole(region), 1)
      await region.free({ offset: 300 * pageSize, length: 300 * pageSize })
      await region.setAttributes({ minReplicas: 2 })
      assert.equal(await scene.whole(region), 2)
      assert.ok(home.roomBytes > roomBytes)
    })
  })

  it('goes together with another consistency, and those who watch go on watching', async () => {
    const scene = new Scene(3)
    const { cluster } = scene
    await cluster.run(async () => {
      const region = await cluster.reserve(1, pages)
      const there = await cluster.at(3, region)
      const seen: number[] = []
      const watching = follow(await there.watch(), seen)
      await write(there, 0, 1)
      await there.setAttributes({ minReplicas: 2, consistency: 'release' })
      assert.equal(await scene.whole(region), 2)
      assert.deepEqual((await cluster.at(2, region)).attributes, there.attributes)
      await write(region, 0, 2)
      await there.setAttributes({ minReplicas: 3, consistency: 'strict' })
      await write(region, 1, 3)
      await cluster.pause(1000)
      assert.ok(seen.includes(0) && seen.includes(1), seen.join())
      assert.equal(await read(there, 0), 2)
      assert.equal(await scene.whole(region), 3)
      await region.unreserve()
      assert.equal(await codeOf(watching), 'no-such-region')
    })
  })

  it('keeps the addresses of the region taken where they are from, and gives them back, however it went', async () => {
    const scene = new Scene(4)
    const { cluster } = scene
    await cluster.run(async () => {
      const isTaken = (region: Region): boolean => !cluster.node(2).pools.isFree(region.address)
      const restart = async (): Promise<void> => {
        await cluster.pause(500)
        cluster.crash(2)
        await cluster.start(2)
      }
      // To a group that another node leads then.
      const gone = await cluster.reserve(2, 1)
      const user = await cluster.at(4, gone)
      await write(user, 0, 1)
      await user.setAttributes({ minReplicas: 2 })
      cluster.crash(2)
      await cluster.pause(leaseMs + 2000)
      assert.equal(await read(user, 0), 1)
      await cluster.start(2)
      await restart()
      assert.ok(isTaken(gone))
      // And back, to one that has not its addresses.
      await user.setAttributes({ minReplicas: 1 })
      assert.equal(await scene.whole(gone), 1)
      const [home] = scene.homesOf(gone)
      await restart()
      assert.equal(await read(user, 0), 1)
      assert.ok(isTaken(gone))
      await user.setAttributes({ minReplicas: 3 })
      assert.equal(await scene.whole(gone), 3)
      assert.equal(await read(user, 0), 1)
      await user.unreserve()
      await cluster.until(`given back, from ${home?.name ?? ''}`, () => !isTaken(gone))

      // To a group and back again.
      const region = await cluster.reserve(2, 1)
      await region.setAttributes({ minReplicas: 2 })
      await restart()
      assert.ok(isTaken(region))
      const there = await cluster.at(2, region)
      await there.setAttributes({ minReplicas: 1 })
      await restart()
      assert.ok(isTaken(region))
      assert.ok(!cluster.node(2).home.space.isLent(region.address))
      await (await cluster.at(2, region)).unreserve()
      assert.ok(!isTaken(region))

      // It was to come back, did not, and was taken over.
      const stayed = await cluster.reserve(2, 1, { minReplicas: 2 })
      const far = await cluster.at(4, stayed)
      const lock = await far.lock('write', { offset: 0, length: 1 })
      assert.equal(await codeOf(far.setAttributes({ minReplicas: 1 }, { timeoutMs: 1500 })), 'timeout')
      lock.discard()
      cluster.crash(2)
      await cluster.pause(leaseMs + 2000)
      await write(far, 0, 2)
      await scene.whole(stayed)
      await cluster.start(2)
      await cluster.until('its copy there is gone', () =>
        cluster
          .node(2)
          .groups.all()
          .every(({ copies }) => copies.get(stayed.address) === undefined),
      )
      await restart()
      assert.ok(isTaken(stayed))
    })
  })

  for (const consistency of ['strict', 'release'] as const) {
    it(`that was interrupted lets nobody hear that there is no region while its home is back and nobody leads its group yet (${consistency})`, async () => {
      for (let atMs = 5; atMs <= 45; atMs += 1) {
        const scene = new Scene(4, atMs)
        const { cluster } = scene
        await cluster.run(async () => {
          // Its address is from elsewhere.
          const region = await cluster.reserve(3, pages, { consistency })
          await region.migrate(2)
          await cluster.reserve(2, 1, { minReplicas: 2 })
          const there = await cluster.at(4, region)
          const counters = [
            new Counter(cluster, there, 0),
            new Counter(cluster, await cluster.at(1, region), 1),
          ] as const
          await cluster.pause(20)
          const changed = codeOf(there.setAttributes({ minReplicas: 2 }, { timeoutMs: 5000 }))
          await cluster.pause(atMs)
          // Sessions end at once, and new ones begin at once.
          await cluster.node(2).close()
          cluster.crash(2)
          await cluster.start(2)
          assert.notEqual(await changed, 'no-such-region')
          await read(await cluster.at(3, region), 2)
          await Promise.all(counters.map((one) => one.stop()))
          await scene.whole(region)
          for (const [page, counter] of counters.entries()) counter.check(await read(there, page))
        })
      }
    })
  }

  it('that was interrupted waits for the coordinator, and is settled when that is back', async () => {
    const scene = new Scene(3)
    const { cluster } = scene
    await cluster.run(async () => {
      const region = await cluster.reserve(2, pages)
      await cluster.reserve(2, 1, { minReplicas: 2 })
      await write(region, 0, 5)
      const there = await cluster.at(3, region)
      const changed = codeOf(there.setAttributes({ minReplicas: 2 }, { timeoutMs: 5000 }))
      // All happens but the decision.
      await cluster.pause(10)
      const mend = scene.coordinator.cutOff()
      await cluster.pause(500)
      cluster.crash(2)
      await cluster.start(2)
      assert.notEqual(cluster.node(2).home.settled(region.address), undefined)
      assert.notEqual(await changed, 'none')
      assert.equal(await codeOf(read(there, 0, 1000)), 'timeout')
      assert.deepEqual(scene.homesOf(region), [])
      mend()
      await cluster.until('it is homed', () => scene.homesOf(region).length === 1)
      await scene.whole(region)
      assert.equal(await read(there, 0), 5)
    })
  })

  it('of which nobody has heard how it was decided keeps its mark, whatever was asked for meanwhile, when its home closes', async () => {
    let decided = 0
    for (let atMs = 14; atMs <= 22; atMs += 0.25) {
      const scene = new Scene(3)
      const { cluster } = scene
      await cluster.run(async () => {
        const region = await cluster.reserve(2, pages)
        await cluster.reserve(2, 1, { minReplicas: 2 })
        await write(region, 0, 5)
        const there = await cluster.at(3, region)
        const changed = codeOf(there.setAttributes({ minReplicas: 2 }, { timeoutMs: 5000 }))
        await cluster.pause(atMs)
        const mend = scene.coordinator.cutOff()
        await cluster.pause(500)
        const behind = codeOf(there.setAttributes({ labels: { name: 'later' } }, { timeoutMs: 5000 }))
        await cluster.pause(100)
        await cluster.node(2).close()
        cluster.crash(2)
        await cluster.start(2)
        const written = write(there, 0, 6)
        await cluster.pause(1000)
        mend()
        await written
        await changed
        const label = await behind
        await scene.whole(region)
        const found = (await cluster.at(1, region)).attributes
        if (label === 'none') assert.equal(found.labels['name'], 'later')
        if (found.minReplicas === 2 && label !== 'none') decided += 1
        for (const node of [1, 2, 3]) assert.equal(await read(await cluster.at(node, region), 0), 6)
      })
    }
    assert.ok(decided > 0, 'some are decided and not heard of')
  })

  it('would give the region two homes if the log that it leaves did not know', async () => {
    let count = 0
    for (let atMs = 20; atMs <= 60 && count === 0; atMs += 0.5) {
      const scene = new Scene(4, 1, 'leave-without-a-mark')
      const { cluster } = scene
      await cluster.run(async () => {
        const region = await cluster.reserve(2, pages)
        await cluster.reserve(2, 1, { minReplicas: 2 })
        for (let page = 0; page < pages; page++) await write(region, page, 0)
        const there = await cluster.at(4, region)
        const changed = codeOf(there.setAttributes({ minReplicas: 2 }, { timeoutMs: 20_000 }))
        await cluster.pause(atMs)
        cluster.crash(2)
        await cluster.pause(leaseMs + 2000)
        await cluster.start(2)
        await changed
        await cluster.pause(5000)
        if (scene.homesOf(region).length > 1) count += 1
      })
    }
    assert.ok(count > 0)
  })
})

describe('a node that was cut off while a region got replicas and another home', () => {
  it('finds it, though the home that it knows knows nothing of the region any more', async () => {
    const scene = new Scene(4)
    const { cluster } = scene
    await cluster.run(async () => {
      const reserved = await cluster.reserve(1, pages)
      await reserved.migrate('node-3', { timeoutMs: 30_000 })
      const there = await cluster.at(2, reserved)
      await (await there.lock('read', { offset: 0, length: pageSize })).unlock()
      const mends = [1, 3, 4].map((other) => cluster.cut(2, other))
      await cluster.pause(leaseMs * 2)
      const region = await cluster.at(3, reserved)
      await region.setAttributes({ minReplicas: 2 }, { timeoutMs: 30_000 })
      const lock = await region.lock('write', { offset: 0, length: pageSize }, { timeoutMs: 30_000 })
      lock.write(0, Uint8Array.of(7))
      await lock.unlock()
      cluster.losePower(3)
      await cluster.until('two others keep it', () => {
        const keepers = scene.keepersOf(reserved)
        return keepers.length === 2 && !keepers.includes(3)
      })
      await cluster.start(3)
      await cluster.until('nothing of it is left at its former home', () =>
        cluster
          .node(3)
          .groups.all()
          .every(({ copies }) => copies.get(reserved.address) === undefined),
      )
      for (const mend of mends) mend()
      const read = await there.lock('read', { offset: 0, length: pageSize }, { timeoutMs: 30_000 })
      assert.deepEqual(read.read(0, 1), Uint8Array.of(7))
      await read.unlock()
    })
  })
})
