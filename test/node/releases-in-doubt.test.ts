import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import { Prng } from '../../src/stdx/prng.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { SimCoordinator, schedulerClock } from '../../src/testing/coordinator/sim-coordinator.js'
import { NodeCluster, leaseMs, pageSize } from './node-cluster.js'

/** Nodes with a coordinator that is none of theirs. */
function groupCluster(nodes: number, seed: number): NodeCluster {
  const made: { coordinator?: SimCoordinator } = {}
  const cluster: NodeCluster = new NodeCluster({
    nodes,
    seed,
    more: () => ({
      coordinator: () => {
        const { scheduler } = cluster.world
        made.coordinator ??= new SimCoordinator({ scheduler, random: Prng.fromSeed(seed) })
        return made.coordinator.accessOf(undefined, schedulerClock(scheduler))
      },
    }),
  })
  return cluster
}

const page = (index: number, count = 1): { offset: number; length: number } => ({
  offset: index * pageSize,
  length: count * pageSize,
})

/** How often a page was counted up, as it says. */
async function readCount(region: Region, index: number): Promise<number> {
  const lock = await region.lock('read', page(index), { timeoutMs: 30_000 })
  const count = new DataView(lock.read(index * pageSize, 4).slice().buffer).getUint32(0)
  await lock.unlock()
  return count
}

/** Counts up the pages, under one lock. Resolves with what became of the unlock; 'not begun' where there was no lock. */
async function countUp(region: Region, index: number, count = 1): Promise<string> {
  let ending: Promise<void>
  try {
    const lock = await region.lock('write', page(index, count), { timeoutMs: 30_000 })
    for (let each = index; each < index + count; each++) {
      const bytes = lock.read(each * pageSize, 4).slice()
      const view = new DataView(bytes.buffer)
      view.setUint32(0, view.getUint32(0) + 1)
      lock.write(each * pageSize, bytes)
    }
    ending = lock.unlock()
  } catch {
    return 'not begun'
  }
  return ending.then(
    () => 'done',
    (reason: unknown) => KhazanaError.from(reason).code,
  )
}

const tally = (outcomes: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

describe('an unlock whose home is lost on the way', () => {
  it('resolves when the next home has it, and has happened once, at whatever moment the home dies', async () => {
    const all: string[] = []
    for (let seed = 1; seed <= 12; seed++) {
      const cluster = groupCluster(4, seed)
      await cluster.run(async () => {
        const region = await cluster.reserve(2, 4, { minReplicas: 2 })
        await cluster.pause(500)
        const there = await cluster.at(4, region)
        let done = 0
        const outcomes: string[] = []
        const run = { goesOn: true }
        const work = (async () => {
          while (run.goesOn) {
            const outcome = await countUp(there, 0, 2)
            if (outcome === 'done') done += 1
            outcomes.push(outcome)
          }
        })()
        await cluster.pause(20 + seed * 1.13)
        cluster.crash(2)
        await cluster.pause(leaseMs + 3000)
        run.goesOn = false
        await work
        all.push(...outcomes)
        assert.ok(!outcomes.includes('outcome-unknown'), `seed ${seed}: ${JSON.stringify(tally(outcomes))}`)
        for (const index of [0, 1]) assert.equal(await readCount(there, index), done, `seed ${seed}`)
      })
    }
    assert.ok((tally(all)['done'] ?? 0) > 12)
  })

  it('can be waited for with a limit, and goes on all the same', async () => {
    const cluster = groupCluster(4, 1)
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 4, { minReplicas: 2 })
      const there = await cluster.at(4, region)
      const code = async (wait: Promise<void>): Promise<string> =>
        wait.then(
          () => 'done',
          (reason: unknown) => KhazanaError.from(reason).code,
        )
      const lock = await there.lock('write', page(0))
      lock.write(0, Uint8Array.of(0, 0, 0, 1))
      // @ts-expect-error: what is no limit
      assert.throws(() => lock.unlock({ timeoutMs: 'soon' }), { code: 'invalid-argument' })
      assert.ok(lock.isOpen)
      cluster.crash(2)
      const start = cluster.now()
      await assert.rejects(lock.unlock({ timeoutMs: 200 }), {
        code: 'timeout',
        message: 'seeing the end of unlock, which goes on in the background: not possible within 200 ms',
      })
      assert.ok(cluster.now() - start < 250)
      assert.equal(await code(lock.unlock({ signal: AbortSignal.abort() })), 'aborted')
      assert.equal(await code(lock.unlock({ timeoutMs: 60_000 })), 'done')
      assert.equal(await readCount(there, 0), 1)
    })
  })

  it('has happened once or certainly not at all where others wait for its page, at every node', async () => {
    const all: string[] = []
    for (let seed = 1; seed <= 8; seed++) {
      const cluster = groupCluster(4, seed)
      await cluster.run(async () => {
        const region = await cluster.reserve(2, 4, { minReplicas: 2 })
        await cluster.pause(500)
        const outcomes: string[] = []
        const run = { goesOn: true }
        const work = [1, 3, 4].map(async (node) => {
          const there = await cluster.at(node, region)
          while (run.goesOn) outcomes.push(await countUp(there, 0))
        })
        await cluster.pause(30 + seed * 1.37)
        cluster.crash(2)
        await cluster.pause(leaseMs + 3000)
        run.goesOn = false
        await Promise.all(work)
        const { done = 0, 'outcome-unknown': unknown = 0 } = tally(outcomes)
        const count = await readCount(await cluster.at(4, region), 0)
        assert.ok(
          count >= done && count <= done + unknown,
          `seed ${seed}: ${count}, ${JSON.stringify(tally(outcomes))}`,
        )
        all.push(...outcomes)
      })
    }
    const { done = 0, 'outcome-unknown': unknown = 0 } = tally(all)
    assert.ok(done > 80 && unknown <= 1, JSON.stringify(tally(all)))
  })

  it('resolves, or has certainly not happened, where a living home was out of reach for longer than a lease', async () => {
    const all: string[] = []
    for (let seed = 1; seed <= 8; seed++) {
      const cluster = groupCluster(3, seed)
      await cluster.run(async () => {
        const region = await cluster.reserve(1, 2, { minReplicas: 2 })
        const user = cluster.nodes.find(({ groups }) => groups.all().length === 0)?.node ?? 0
        const there = await cluster.at(user, region)
        const outcomes: string[] = []
        const run = { goesOn: true }
        const work = (async () => {
          while (run.goesOn) outcomes.push(await countUp(there, 0))
        })()
        await cluster.pause(20 + seed * 1.21)
        const heal = cluster.cut(1, user)
        await cluster.pause(leaseMs * 2 + 100)
        heal()
        await cluster.pause(3000)
        run.goesOn = false
        await work
        const { done = 0, 'outcome-unknown': unknown = 0 } = tally(outcomes)
        assert.equal(unknown, 0, `seed ${seed}: ${JSON.stringify(tally(outcomes))}`)
        assert.equal(await readCount(there, 0), done, `seed ${seed}`)
        all.push(...outcomes)
      })
    }
    assert.ok((tally(all)['done'] ?? 0) > 12)
  })
})
