import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import type { Watch, WatchEvent } from '../../src/node/watch/watch.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { Prng } from '../../src/stdx/prng.js'
import { WatchedCluster, pageSize } from './watched-cluster.js'
import type { Place } from './watched-cluster.js'

const pages = 4

/** Writes one page; the error of what kept it from becoming durable, if anything did. */
async function write(region: Region, page: number, value: number): Promise<void> {
  const lock = await region.lock('write', { offset: page * pageSize, length: pageSize })
  lock.write(page * pageSize, Uint8Array.of(value & 255))
  await lock.unlock()
}

/** The newest durable version of each page. */
async function versionsOf(region: Region): Promise<number[]> {
  const stat = await region.stat({ offset: 0, length: region.size })
  return stat.pages.map(({ version }) => version)
}

async function regionAt(khazana: Khazana, region: Region): Promise<Region> {
  return khazana.region(region.address)
}

/** Versions by page, and losses in brackets. */
function brief(event: WatchEvent): string {
  if (event.kind === 'dropped') return `[${event.count ?? '?'}]`
  return `${event.offset / pageSize}:${event.version}`
}

async function take(watch: Watch, count: number): Promise<WatchEvent[]> {
  const events: WatchEvent[] = []
  while (events.length < count) {
    const { value } = await watch.next()
    assert.ok(value !== undefined)
    events.push(value)
  }
  return events
}

describe('a watch in a simulated cluster', () => {
  it('tells the same at the home, at another node and at its client, in the order of durability', async () => {
    const cluster = new WatchedCluster(1)
    await cluster.settle(async () => {
      const region = await cluster.start(pages)
      const places = [cluster.home, cluster.relay, cluster.client]
      const regions = await Promise.all(places.map(async ({ khazana }) => regionAt(await khazana(), region)))
      const watches = await Promise.all(regions.map((each) => each.watch()))
      const part = await region.watch({ offset: pageSize + 1, length: 1 })
      for (let round = 0; round < 4; round++) {
        for (const each of regions) {
          const lock = await each.lock('write', { offset: 0, length: 2 * pageSize })
          lock.write(pageSize - 1, Uint8Array.of(round, round))
          await lock.unlock()
        }
      }
      const told = await Promise.all(watches.map((watch) => take(watch, 24)))
      const expected = Array.from({ length: 12 }, (_, index) => [`0:${index + 1}`, `1:${index + 1}`]).flat()
      for (const events of told) assert.deepEqual(events.map(brief), expected)
      assert.deepEqual(
        (await take(part, 12)).map(brief),
        expected.filter((text) => text.startsWith('1')),
      )
      const [first] = told[2] ?? []
      assert.ok(first?.kind === 'change')
      assert.deepEqual([first.address, first.offset, first.length], [region.address, 0, pageSize])
    })
  })

  it('says who wrote, as far as the home knows', async () => {
    const cluster = new WatchedCluster(2)
    await cluster.settle(async () => {
      const region = await cluster.start(1)
      const watch = await region.watch()
      for (const place of [cluster.home, cluster.relay, cluster.client]) {
        await write(await regionAt(await place.khazana(), region), 0, 1)
      }
      const writers = (await take(watch, 3)).map((event) => event.kind === 'change' && event.by.node)
      assert.deepEqual(writers, [1, 2, 2])
    })
  })

  it('never tells of a version that a power cut at the home takes back', async () => {
    let told = 0
    for (let seed = 1; seed <= 12; seed++) {
      const cluster = new WatchedCluster(seed)
      await cluster.settle(async () => {
        const region = await cluster.start(pages)
        const seen = Array<number>(pages).fill(0)
        const places = [cluster.home, cluster.relay, cluster.client]
        for (const { khazana } of places) {
          const watch = await (await regionAt(await khazana(), region)).watch()
          void untilItEnds(watch, (event) => {
            if (event.kind !== 'change') return
            const page = event.offset / pageSize
            seen[page] = Math.max(seen[page] ?? 0, event.version)
            told += 1
          })
        }
        for (const [index, { khazana }] of places.entries()) {
          void writeOn(await regionAt(await khazana(), region), index)
        }
        await cluster.pause(300 + seed * 7)
        const before = [...seen]
        cluster.home.machine.powerOff()
        cluster.home.machine.powerOn()
        cluster.home.service.start()
        const after = await versionsOf(await regionAt(await cluster.home.khazana(), region))
        for (const [page, version] of before.entries()) {
          const kept = after[page] ?? 0
          assert.ok(kept >= version, `seed ${seed}: page ${page} was told at ${version}, and is at ${kept}`)
        }
      })
    }
    assert.ok(told > 500, `only ${told} changes were told`)
  })

  it('tells everything, or that something is missing, whatever dies, for as long as there is a watcher', async () => {
    const losses = { of: 0, at: new Set<string>() }
    for (let seed = 1; seed <= 16; seed++) {
      const cluster = new WatchedCluster(seed)
      const random = cluster.world.random.fork('faults')
      await cluster.settle(async () => {
        const region = await cluster.start(pages)
        const here = await regionAt(await cluster.client.khazana(), region)
        const watch = await here.watch(undefined, { bufferMax: random.int(1, 8) })
        /** What the program believes: from what it is told, and from reading again. */
        const known = await versionsOf(here)
        void untilItEnds(watch, async (event) => {
          if (random.chance(0.2)) await cluster.pause(random.between(0, 200))
          if (event.kind === 'change') {
            const page = event.offset / pageSize
            known[page] = Math.max(known[page] ?? 0, event.version)
            return
          }
          losses.of += 1
          losses.at.add(event.count === undefined ? 'unknown' : 'counted')
          const versions = await patiently(cluster, () => versionsOf(here))
          versions.forEach((version, page) => (known[page] = Math.max(known[page] ?? 0, version)))
        })
        await disturb(cluster, random, region)
        await cluster.pause(15_000)
        const truth = await versionsOf(await regionAt(await cluster.home.khazana(), region))
        assert.deepEqual(known, truth, `seed ${seed}`)
      })
    }
    assert.ok(losses.of > 16, `only ${losses.of} losses`)
    assert.deepEqual([...losses.at].sort(), ['counted', 'unknown'])
  })

  it('keeps the newest where the program is slow, and says how many it missed', async () => {
    const cluster = new WatchedCluster(4)
    await cluster.settle(async () => {
      const region = await cluster.start(1)
      const here = await regionAt(await cluster.client.khazana(), region)
      const watch = await here.watch(undefined, { bufferMax: 3 })
      for (let version = 1; version <= 10; version++) await write(region, 0, version)
      await cluster.pause(100)
      assert.deepEqual((await take(watch, 4)).map(brief), ['[7]', '0:8', '0:9', '0:10'])
    })
  })

  it('ends where it is left, at the node that relays and at the home too', async () => {
    const cluster = new WatchedCluster(5)
    await cluster.settle(async () => {
      const region = await cluster.start(1)
      const here = await regionAt(await cluster.client.khazana(), region)
      const counts = (): number[] => [cluster.home, cluster.relay].map(({ node }) => node().watches.peerCount)
      const abort = new AbortController()
      const aborted = await here.watch(undefined, { signal: abort.signal })
      {
        await using _left = await here.watch()
        assert.deepEqual(counts(), [2, 2])
      }
      abort.abort()
      await assert.rejects(aborted.next(), { code: 'aborted' })
      await cluster.pause(100)
      assert.deepEqual(counts(), [0, 0])
      await here.watch()
      assert.deepEqual(counts(), [1, 1])
      // The kernel says that the client has died; its node lets go of what it watched for it.
      cluster.client.service.kill()
      await cluster.pause(2000)
      assert.deepEqual(counts(), [0, 0])
    })
  })

  it('ends with the region, and with the process', async () => {
    const cluster = new WatchedCluster(6)
    await cluster.settle(async () => {
      const region = await cluster.start(1)
      const places = [cluster.home, cluster.relay, cluster.client]
      const regions = await Promise.all(places.map(async ({ khazana }) => regionAt(await khazana(), region)))
      const watches = await Promise.all(regions.map((each) => each.watch()))
      await write(region, 0, 1)
      await region.unreserve()
      for (const watch of watches) {
        assert.deepEqual((await take(watch, 1)).map(brief), ['0:1'])
        await assert.rejects(watch.next(), { code: 'no-such-region' })
      }
      for (const each of regions) await assert.rejects(each.watch(), { code: 'no-such-region' })

      const other = await (await cluster.home.khazana()).reserve(pageSize)
      for (const { khazana } of [cluster.client, cluster.relay]) {
        const opened = await khazana()
        const watch = await (await regionAt(opened, other)).watch()
        const waiting = assert.rejects(watch.next(), { code: 'closed' })
        await opened.close()
        await waiting
        await assert.rejects(watch.next(), { code: 'closed' })
      }
    })
  })

  it('ends where the region was unreserved while nobody could say so, also where another one is there', async () => {
    const cluster = new WatchedCluster(7)
    await cluster.settle(async () => {
      const region = await cluster.start(1)
      const watch = await (await regionAt(await cluster.client.khazana(), region)).watch()
      cluster.relay.service.kill()
      await region.unreserve()
      // After a restart the home gives out addresses from the beginning.
      cluster.home.service.kill()
      cluster.home.service.start()
      const next = await (await cluster.home.khazana()).reserve(pageSize)
      assert.equal(next.address, region.address)
      cluster.relay.service.start()
      await assert.rejects(watch.next(), { code: 'no-such-region' })
    })
  })

  it('is refused in words where it makes no sense, or the home is not there', async () => {
    const cluster = new WatchedCluster(8)
    await cluster.settle(async () => {
      const region = await cluster.start(1)
      const here = await regionAt(await cluster.client.khazana(), region)
      for (const bufferMax of [0, 1.5, NaN, 2 ** 21, '5' as never]) {
        await assert.rejects(here.watch(undefined, { bufferMax }), { code: 'invalid-argument' })
      }
      await assert.rejects(here.watch({ offset: 0, length: 0 }), { code: 'invalid-argument' })
      await assert.rejects(here.watch({ offset: 1, length: pageSize }), { code: 'out-of-range' })
      await assert.rejects(here.watch(undefined, { signal: AbortSignal.abort() }), { code: 'aborted' })
      cluster.home.service.kill()
      await cluster.pause(5000)
      await assert.rejects(here.watch(undefined, { timeoutMs: 300 }), { code: 'timeout' })
      const relay = await cluster.relay.khazana()
      const watching = async (): Promise<unknown> =>
        (await regionAt(relay, region)).watch(undefined, { timeoutMs: 300 })
      await assert.rejects(watching(), (error) =>
        ['timeout', 'unreachable'].includes(KhazanaError.from(error).code),
      )
      cluster.home.service.start()
      await cluster.pause(5000)
      assert.equal(cluster.home.node().watches.peerCount, 0, 'nothing was left behind')
    })
  })
})

/** Hands every event on until the watch throws, or its process dies. */
async function untilItEnds(watch: Watch, handle: (event: WatchEvent) => void | Promise<void>): Promise<void> {
  for await (const event of watch) await handle(event)
}

/** Writes page after page for as long as that works, then tries again until the process dies. */
async function writeOn(region: Region, from: number): Promise<void> {
  for (let round = from; ; round++) {
    try {
      await write(region, round % pages, round)
    } catch (reason) {
      // Whatever the fault was: the next one may succeed. What is told is judged by what the disk has.
      if (KhazanaError.from(reason).code === 'internal') throw reason
    }
  }
}

async function patiently<T>(cluster: WatchedCluster, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (reason) {
      if (KhazanaError.from(reason).code === 'internal') throw reason
    }
    await cluster.pause(100)
  }
}

/** Writes at the home while nodes die and come back, and links are cut and mended. */
async function disturb(cluster: WatchedCluster, random: Prng, region: Region): Promise<void> {
  for (let fault = 0; fault < 4; fault++) {
    const writes = random.int(1, 40)
    for (let index = 0; index < writes; index++) {
      const here = await regionAt(await cluster.home.khazana(), region)
      await write(here, random.below(pages), index)
    }
    await random.pick([
      () => restart(cluster, cluster.home, random),
      () => restart(cluster, cluster.relay, random),
      () => cut(cluster, 'node-1', 'node-2', random),
      () => cut(cluster, 'node-2', 'client', random),
    ])()
  }
  const here = await regionAt(await cluster.home.khazana(), region)
  for (let page = 0; page < pages; page++) await write(here, page, 1)
}

async function restart(cluster: WatchedCluster, place: Place, random: Prng): Promise<void> {
  place.service.kill()
  await cluster.pause(random.between(0, 1500))
  place.service.start()
  await place.khazana()
}

async function cut(cluster: WatchedCluster, a: string, b: string, random: Prng): Promise<void> {
  const links = [cluster.world.network.link(a, b), cluster.world.network.link(b, a)]
  for (const link of links) link.block()
  void cluster.pause(random.between(0, 3000)).then(() => {
    for (const link of links) link.unblock()
  })
  await cluster.pause(random.between(0, 500))
}
