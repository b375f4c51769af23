import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import type { ReleaseBug } from '../../src/node/releases/release-bug.js'
import { releasesMax } from '../../src/node/releases/releases.js'
import { codeOf, errorOf, homesOf, regionAt } from './census.js'
import { NodeCluster, pageSize } from './node-cluster.js'
import { pageAt, read, write } from './small-cluster.js'

const short = { timeoutMs: 1000 }

/** All that programs asked for is done. */
function nothingPending(cluster: NodeCluster): Promise<void> {
  return cluster.until('nothing is pending', () =>
    cluster.nodes.every((node) => node.status().releasesPending === 0),
  )
}

function pendingAt(cluster: NodeCluster, number: number): number {
  return cluster.node(number).status().releasesPending
}

async function isAllocated(region: Region, page: number): Promise<boolean> {
  const { pages } = await region.stat(pageAt(page))
  return pages.length > 0
}

/** The home of a region is down, and its storage and another region are given back through node 2 and through its client. */
async function whileHomeIsDown(
  cluster: NodeCluster,
): Promise<{ readonly freed: Region; readonly ended: Region; readonly client: Khazana }> {
  const freed = await cluster.reserve(3, 4)
  const ended = await cluster.reserve(3)
  const client = await cluster.client(2)
  const [far, other] = [await client.region(freed.address), await regionAt(cluster.node(2), ended)]
  await write(far, 0, 7)
  cluster.crash(3)
  assert.equal(await far.free(pageAt(0), short), 'pending')
  assert.equal(await other.unreserve(short), 'pending')
  assert.equal(pendingAt(cluster, 2), 2)
  return { freed: far, ended: other, client }
}

async function isDone(cluster: NodeCluster, freed: Region, ended: Region): Promise<void> {
  await nothingPending(cluster)
  const here = await regionAt(cluster.node(1), freed)
  assert.equal(await codeOf(read(here, 0)), 'not-allocated')
  assert.equal(await isAllocated(here, 1), true)
  assert.deepEqual(homesOf(cluster.nodes, ended.address), [])
}

describe('free and unreserve that are not possible in time', () => {
  it('are done when the home is back, whoever asked', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const { freed, ended } = await whileHomeIsDown(cluster)
      await cluster.pause(20_000)
      assert.equal(pendingAt(cluster, 2), 2)
      await cluster.start(3)
      await isDone(cluster, freed, ended)
      assert.equal(await ended.unreserve(short), 'done')
      assert.equal(await codeOf((await regionAt(cluster.node(1), freed)).unreserve()), 'no error')
    })
  })

  it('are done when the node that was asked lost its power too, and came back first or last', async () => {
    for (const order of [
      [2, 3],
      [3, 2],
    ]) {
      const cluster = new NodeCluster({ nodes: 3 })
      await cluster.run(async () => {
        const { freed, ended } = await whileHomeIsDown(cluster)
        cluster.losePower(2)
        for (const number of order) {
          await cluster.start(number)
          await cluster.pause(5000)
        }
        await isDone(cluster, freed, ended)
      })
    }
  })

  it('are promised no sooner than they outlive the power: a planted fault is found', async () => {
    const isKept = async (releaseBug?: ReleaseBug): Promise<boolean> => {
      const cluster = new NodeCluster({ nodes: 3, more: () => ({ releaseBug }) })
      return cluster.run(async () => {
        const region = await cluster.reserve(3)
        const here = await regionAt(cluster.node(2), region)
        cluster.crash(3)
        assert.equal(await here.free(undefined, short), 'pending')
        cluster.losePower(2)
        await cluster.start(2)
        await cluster.start(3)
        await cluster.pause(60_000)
        return !(await isAllocated(await regionAt(cluster.node(1), region), 0))
      })
    }
    assert.equal(await isKept(), true)
    assert.equal(await isKept('answer-before-durable'), false)
  })

  it('are done by the backup that takes the place of the home', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 2, { minReplicas: 2 })
      const ended = await cluster.reserve(2, 1, { minReplicas: 2 })
      const { group } = await region.stat(pageAt(0))
      const asked = [1, 3, 4].find((number) => !group.some((member) => member === number)) ?? 0
      const here = await regionAt(cluster.node(asked), region)
      const other = await regionAt(cluster.node(asked), ended)
      await write(here, 0, 1)
      cluster.crash(2)
      assert.equal(await here.free(pageAt(0), { timeoutMs: 500 }), 'pending')
      assert.equal(await other.unreserve({ timeoutMs: 500 }), 'pending')
      await isDone(cluster, region, ended)
      // A longer wait is long enough.
      assert.equal(await here.free(pageAt(1), { timeoutMs: 20_000 }), 'done')
    })
  })

  it('are not taken for done where their node loses the region to a backup under the call', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 2, { minReplicas: 2 })
      const lock = await region.lock('read', pageAt(0))
      const wait = { timeoutMs: 20_000 }
      const asked = [region.free(pageAt(0), wait), region.free(pageAt(1), wait)]
      await cluster.pause(50)
      const changed = codeOf(region.setAttributes({ labels: { a: 'b' } }, wait))
      await cluster.pause(50)
      const mend = [1, 3, 4].map((other) => cluster.cut(2, other))
      await cluster.pause(10_000)
      lock.discard()
      assert.deepEqual(await Promise.all(asked), ['pending', 'pending'])
      assert.equal(await changed, 'unreachable')
      for (const each of mend) each()
      await nothingPending(cluster)
      const here = await regionAt(cluster.node(1), region)
      assert.deepEqual([await isAllocated(here, 0), await isAllocated(here, 1)], [false, false])
    })
  })

  it('follow the region to another home', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3, 2)
      const here = await regionAt(cluster.node(2), region)
      const mend = cluster.cut(2, 3)
      assert.equal(await here.free(pageAt(0), short), 'pending')
      await (await regionAt(cluster.node(4), region)).migrate(4)
      cluster.crash(3)
      mend()
      await cluster.until('it is found and done', () => pendingAt(cluster, 2) === 0)
      assert.equal(await isAllocated(await regionAt(cluster.node(1), region), 0), false)
    })
  })

  it('are over where the region is unreserved meanwhile, and never concern another one at its address', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3, 2)
      const here = await regionAt(cluster.node(2), region)
      const mend = cluster.cut(2, 3)
      assert.equal(await here.free(pageAt(0), short), 'pending')
      assert.equal(await here.unreserve(short), 'pending')
      assert.equal(await region.unreserve(), 'done')
      // What is free anew is taken last: a restart begins at the start.
      cluster.crash(3)
      await cluster.start(3)
      const next = await cluster.reserve(3, 2)
      assert.equal(next.address, region.address)
      await write(next, 0, 5)
      assert.equal(pendingAt(cluster, 2), 2)
      mend()
      await nothingPending(cluster)
      assert.equal(await read(await regionAt(cluster.node(1), next), 0), 5)
      assert.equal(await codeOf(here.free(pageAt(0))), 'no-such-region')
      assert.equal(await here.unreserve(), 'done')
      assert.equal(await read(next, 0), 5)
    })
  })

  it('wait for a lock that is held for longer than the caller waits', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3, 2)
      // Through the home itself, and through another node.
      for (const [page, number] of [3, 2].entries()) {
        const lock = await (await regionAt(cluster.node(1), region)).lock('write', pageAt(page))
        const here = await regionAt(cluster.node(number), region)
        assert.equal(await here.free(pageAt(page), short), 'pending')
        await cluster.pause(40_000)
        assert.equal(pendingAt(cluster, number), 1)
        lock.write(page * pageSize, new Uint8Array([1]))
        await lock.unlock()
        await nothingPending(cluster)
        assert.equal(await isAllocated(region, page), false)
      }
    })
  })

  it('are in order with what is asked of the same node, and what is elsewhere does not wait', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const { freed } = await whileHomeIsDown(cluster)
      assert.equal(await codeOf(freed.allocate(pageAt(0), short)), 'timeout')
      assert.equal(await freed.free(pageAt(0), short), 'pending')
      assert.equal(pendingAt(cluster, 2), 2)
      const allocated = codeOf(freed.allocate(pageAt(0), { timeoutMs: 60_000 }))
      await cluster.pause(10_000)
      await cluster.start(3)
      assert.equal(await allocated, 'no error')
      assert.equal(await read(freed, 0), 0)
      await write(freed, 0, 9)
      await nothingPending(cluster)
      await cluster.pause(60_000)
      assert.equal(await read(freed, 0), 9)
    })
  })

  it('are not kept for a caller that has given up, or asks for what cannot be', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3, 2)
      const client = await cluster.client(2)
      const users = [await regionAt(cluster.node(2), region), await client.region(region.address)]
      cluster.crash(3)
      for (const here of users) {
        const controller = new AbortController()
        const freed = codeOf(here.free(pageAt(0), { signal: controller.signal }))
        await cluster.pause(500)
        controller.abort()
        assert.equal(await freed, 'aborted')
        assert.equal(await codeOf(here.free({ offset: 1, length: pageSize })), 'invalid-argument')
        assert.equal(await codeOf(here.free({ offset: 0, length: 3 * pageSize })), 'out-of-range')
        assert.equal(await codeOf(here.free(pageAt(0), { timeoutMs: 0 })), 'invalid-argument')
      }
      await cluster.pause(60_000)
      assert.equal(pendingAt(cluster, 2), 0)
      await cluster.start(3)
      await cluster.pause(5000)
      assert.equal(await isAllocated(await regionAt(cluster.node(1), region), 0), true)
    })
  })

  it('are done also where the home was killed under the call, or answers too late', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3, 3)
      const here = await regionAt(cluster.node(2), region)
      const lock = await region.lock('read', pageAt(0))
      const freed = here.free(pageAt(0))
      await cluster.pause(300)
      cluster.crash(3)
      lock.discard()
      assert.equal(await freed, 'pending')
      await cluster.start(3)
      await nothingPending(cluster)
      const goOn = cluster.freeze(3)
      const late = here.free(pageAt(1), short)
      assert.equal(await late, 'pending')
      goOn()
      await nothingPending(cluster)
      const again = await regionAt(cluster.node(1), region)
      assert.deepEqual([await isAllocated(again, 0), await isAllocated(again, 1)], [false, false])
      assert.equal(await isAllocated(again, 2), true)
    })
  })

  it('are kept once where a client loses its node under the call and finds it again, and refused where it does not', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3, 2)
      const client = await cluster.client(2)
      const there = await client.region(region.address)
      cluster.crash(3)
      const ended = there.unreserve({ timeoutMs: 20_000 })
      await cluster.pause(500)
      cluster.crash(2)
      await cluster.pause(500)
      await cluster.start(2)
      assert.equal(await ended, 'pending')
      assert.equal(await there.unreserve(short), 'pending')
      assert.equal(pendingAt(cluster, 2), 1)
      cluster.crash(2)
      const before = cluster.now()
      const code = await codeOf(there.free(pageAt(0), { timeoutMs: 3000 }))
      assert.match(code, /^(timeout|unreachable|outcome-unknown)$/)
      assert.ok(cluster.now() - before < 3010, `${cluster.now() - before} ms`)
      await cluster.start(2)
      await cluster.start(3)
      await nothingPending(cluster)
      assert.deepEqual(homesOf(cluster.nodes, region.address), [])
      assert.equal(await there.unreserve(short), 'done')
    })
  })

  it('are refused where there are too many, in words', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const pages = releasesMax + 1
      const region = await new Khazana(cluster.node(2)).reserve(pages * pageSize)
      const here = await regionAt(cluster.node(1), region)
      cluster.crash(2)
      const asked = Array.from({ length: pages }, (_, page) => errorOf(here.free(pageAt(page), short)))
      const errors = (await Promise.all(asked)).filter((error) => error !== undefined)
      assert.deepEqual(
        errors.map(({ code }) => code),
        ['busy'],
      )
      assert.match(errors[0]?.message ?? '', new RegExp(`${releasesMax} releases are pending`))
      assert.equal(pendingAt(cluster, 1), releasesMax)
      await cluster.start(2)
      await nothingPending(cluster)
    })
  })
})

describe('a node that leaves with releases pending', () => {
  it('does what can be done, and leaves the rest to another node', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const { freed, ended } = await whileHomeIsDown(cluster)
      await cluster.leave(2, { timeoutMs: 60_000 })
      assert.equal(
        cluster.nodes.reduce((sum, node) => sum + node.status().releasesPending, 0),
        2,
      )
      await cluster.start(3)
      await isDone(cluster, freed, ended)
    })
  })

  it('says what is left where nobody takes it, and goes on with it', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const { freed, ended } = await whileHomeIsDown(cluster)
      const full = cluster.node(1)
      // Whoever could take it is gone in the very moment.
      await cluster.pause(1000)
      const left = errorOf(cluster.node(2).leave({ timeoutMs: 8000 }))
      await cluster.pause(2000)
      cluster.crash(1)
      const error = await left
      assert.match(error?.code ?? '', /^(timeout|unreachable)$/)
      assert.match(error?.message ?? '', /2 releases that are pending/)
      assert.equal(pendingAt(cluster, 2), 2)
      assert.equal(full.status().releasesPending, 0)
      await cluster.start(1)
      await cluster.start(3)
      await isDone(cluster, freed, ended)
    })
  })
})
