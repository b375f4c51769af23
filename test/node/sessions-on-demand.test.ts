import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import type { Session } from '../../src/node/session/session.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { NodeCluster, idleMs, leaseMs } from './node-cluster.js'
import { read, write } from './small-cluster.js'

/** A session is found idle at the next look, and its end takes a few messages. */
const letGoMs = 2 * idleMs
const founderOnly = [[2, 3], [1], [1]]

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'no error'
  } catch (reason) {
    return KhazanaError.from(reason).code
  }
}

/** The session of node 2 with node 3, after it was used, and as soon as either may let it go. */
async function idleSession(cluster: NodeCluster, copy: Region): Promise<Session> {
  await copy.stat({ offset: 0, length: 1 })
  const session = cluster.session(2, 3)
  assert.ok(session !== undefined)
  // Clocks differ.
  await cluster.pause(idleMs * 1.02)
  assert.equal(session.loss, undefined)
  return session
}

describe('a node', () => {
  it('keeps a session with the founder, and has none with whom it never talks to', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      await cluster.pause(10 * idleMs)
      assert.deepEqual(cluster.sessions, founderOnly)
      const region = await cluster.reserve(1)
      for (const number of [2, 3]) await write(await cluster.at(number, region), 0, number)
      assert.equal(await read(region, 0), 3)
      assert.deepEqual(cluster.sessions, founderOnly)
    })
  })

  it('reaches any other, with a higher id or a lower one, and counts its sessions', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      for (const [from, home] of [
        [2, 4],
        [4, 3],
        [1, 3],
      ] as const) {
        const region = await cluster.reserve(home)
        await write(await cluster.at(from, region), 0, from)
        assert.equal(await read(region, 0), from)
      }
      assert.deepEqual(cluster.sessions, [
        [2, 3, 4],
        [1, 4],
        [1, 4],
        [1, 2, 3],
      ])
      assert.deepEqual(
        [1, 2, 3, 4].map((number) => cluster.node(number).status().nodeSessions),
        [3, 2, 2, 3],
      )
    })
  })

  it('asks all others how they are, and lets them go afterwards', async () => {
    const cluster = new NodeCluster({ nodes: 5 })
    await cluster.run(async () => {
      cluster.crash(4)
      const answer = await cluster.node(3).call({ op: 'nodes' }, {})
      assert.ok(answer.op === 'nodes')
      assert.deepEqual(
        answer.nodes.map(({ member, status }) => [member.node, status?.node]),
        [1, 2, 3, 4, 5].map((number) => [number, number === 4 ? undefined : number]),
      )
      assert.deepEqual(cluster.sessions[2], [1, 2, 5])
      await cluster.pause(letGoMs)
      assert.deepEqual(cluster.sessions, [[2, 3, 5], [1], [1], [], [1]])
    })
  })

  it('has one session with another when both dial at once', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const cluster = new NodeCluster({ seed, nodes: 3 })
      await cluster.run(async () => {
        const [atTwo, atThree] = [await cluster.reserve(2), await cluster.reserve(3)]
        const regions = [await cluster.at(2, atTwo), await cluster.at(3, atThree)] as const
        assert.deepEqual(cluster.sessions, founderOnly)
        const start = cluster.now()
        const across = [
          (async () => write(await cluster.at(2, atThree), 0, 22))(),
          (async () => write(await cluster.at(3, atTwo), 0, 33))(),
        ]
        await Promise.all(across)
        assert.ok(cluster.now() - start < leaseMs, `seed ${seed}: ${cluster.now() - start} ms`)
        assert.equal(await read(regions[0], 0), 33)
        assert.equal(await read(regions[1], 0), 22)
        assert.deepEqual(cluster.sessions, [
          [2, 3],
          [1, 3],
          [1, 2],
        ])
        assert.equal(cluster.session(2, 3)?.id, cluster.session(3, 2)?.id)
      })
    }
  })
})

describe('a session that nobody uses', () => {
  it('is let go with all that was held under it, and another one begins without any waiting', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3, 4)
      const copy = await cluster.at(2, region)
      for (let round = 1; round < 4; round++) {
        for (let page = 0; page < 4; page++) await write(copy, page, round)
        const held = await region.stat({ offset: 0, length: region.size })
        assert.deepEqual(
          held.pages.map(({ owner }) => owner),
          [2, 2, 2, 2],
        )
        await cluster.pause(idleMs / 2)
        assert.deepEqual(cluster.sessions[1], [1, 3])
        await cluster.pause(letGoMs)
        assert.deepEqual(cluster.sessions, founderOnly)
        assert.ok(!cluster.node(3).replicas.hasEnding && !cluster.node(2).replicas.hasEnding)
        const start = cluster.now()
        // The home asks nobody for what was given up, and the one who comes back waits for no lease.
        assert.equal(await read(region, 3), round)
        assert.equal(await read(copy, 0), round)
        assert.ok(cluster.now() - start < leaseMs / 10, `${cluster.now() - start} ms`)
      }
    })
  })

  it('is let go by both within one idle time, whoever asks first', async () => {
    const cluster = new NodeCluster({ nodes: 12 })
    await cluster.run(async () => {
      const regions: Region[] = []
      for (let home = 1; home <= 12; home++) regions.push(await cluster.reserve(home))
      for (const [index, region] of regions.entries()) {
        for (const step of [1, 4, 7])
          await write(await cluster.at(((index + step) % 12) + 1, region), 0, step)
      }
      const count = (): number => cluster.sessions.flat().length / 2
      assert.ok(count() > 30)
      // Those whose copies are idle let go at the second look after that at the latest.
      await cluster.pause(idleMs * 1.6)
      assert.equal(count(), 11)
    })
  })

  it('lasts while a lock is open, however long, and while locks are taken without a message', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 2)
      const copy = await cluster.at(3, region)
      const lock = await copy.lock('write', { offset: 0, length: 1 })
      await cluster.pause(5 * idleMs)
      assert.deepEqual(cluster.sessions[2], [1, 2])
      lock.write(0, Uint8Array.of(7))
      await lock.unlock()
      assert.equal(await read(region, 0), 7)
      await read(copy, 1)
      const sent = cluster.node(3).status().messagesSent
      for (let round = 0; round < 20; round++) {
        await cluster.pause(idleMs / 2)
        const hit = copy.tryLock('read', { offset: 4096, length: 1 })
        assert.ok(hit !== undefined)
        await hit.unlock()
      }
      assert.deepEqual(cluster.sessions[2], [1, 2])
      // Both others have asked now and then whether they may go.
      const answers = cluster.node(3).status().messagesSent - sent
      assert.ok(answers <= (2 * 20) / 2 + 2, `${answers} messages`)
    })
  })

  it('lasts while it is watched, and while clients hold copies or have a way through it', async () => {
    for (const use of ['watch', 'copy of a client', 'way of a client'] as const) {
      const cluster = new NodeCluster({ nodes: 3 })
      await cluster.run(async () => {
        const consistency = use === 'way of a client' ? 'release' : 'strict'
        const region = await cluster.reserve(2, 1, { consistency })
        if (use === 'watch') {
          const watch = await (await cluster.at(3, region)).watch({ offset: 0, length: region.size })
          const first = watch[Symbol.asyncIterator]().next()
          await cluster.pause(5 * idleMs)
          assert.deepEqual(cluster.sessions[2], [1, 2], use)
          await write(region, 0, 1)
          assert.equal((await first).done, false)
          return
        }
        const client = await cluster.client(3)
        const far = await client.region(region.address)
        await write(far, 0, 9)
        await cluster.pause(5 * idleMs)
        assert.deepEqual(cluster.sessions[2], [1, 2], use)
        assert.equal(await read(far, 0), 9)
      })
    }
  })

  it('takes no call with it that was made while it ended', async () => {
    const outcomes = new Set<string | undefined>()
    for (let seed = 1; seed <= 12; seed++) {
      const cluster = new NodeCluster({ seed, nodes: 3 })
      await cluster.run(async () => {
        const region = await cluster.reserve(3, 4)
        const copy = await cluster.at(2, region)
        const session = await idleSession(cluster, copy)
        session.part()
        await cluster.pause((seed - 1) / 10)
        const calls = [
          copy.setAttributes({ labels: { seed: String(seed) } }),
          write(copy, 0, seed),
          copy.stat({ offset: 0, length: 1 }),
        ]
        if (seed === 1) assert.ok(session.isParting, 'they are sent in the session that ends')
        await Promise.all(calls)
        outcomes.add(session.loss?.cause)
        assert.equal((await cluster.at(3, region)).attributes.labels['seed'], String(seed))
        assert.equal(await read(region, 0), seed)
      })
    }
    assert.deepEqual([...outcomes], ['parted'])
  })

  it('stays where the other side has use for it', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(2)
      const lock = await (await cluster.at(3, region)).lock('read', { offset: 0, length: 1 })
      const session = cluster.session(2, 3)
      assert.ok(session !== undefined)
      let asked = 0
      const part = session.part.bind(session)
      session.part = () => {
        part()
        asked += 1
        assert.equal(session.validUntil, -Infinity, 'what comes meanwhile is not used')
        void cluster.pause(20).then(() => {
          assert.ok(!session.isParting && session.validUntil > cluster.now())
        })
      }
      await cluster.pause(6 * idleMs)
      assert.ok(asked >= 3 && asked <= 6, `asked ${asked} times`)
      assert.equal(session.loss, undefined)
      await lock.unlock()
    })
  })

  it('holds up neither side that is closed meanwhile', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const session = await idleSession(cluster, await cluster.at(2, await cluster.reserve(3)))
      session.part()
      const start = cluster.now()
      await Promise.all([cluster.node(2).close(), cluster.node(3).close()])
      assert.ok(cluster.now() - start < leaseMs)
    })
  })
})

describe('a node that another cannot reach', () => {
  it('is reached as soon as it can be', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      const mend = cluster.cut(2, 3)
      const waits = (async () => write(await cluster.at(2, region), 0, 5, 60_000))()
      await cluster.pause(10_000)
      assert.deepEqual(cluster.sessions, founderOnly)
      mend()
      await waits
      assert.equal(await read(region, 0), 5)
    })
  })

  it('is not looked for when nobody waits any more', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      const copy = await cluster.at(2, region)
      await write(copy, 0, 1)
      const mend = cluster.cut(2, 3)
      await cluster.pause(3 * leaseMs)
      assert.equal(await codeOf(write(copy, 0, 2, 1000)), 'timeout')
      await cluster.pause(10_000)
      mend()
      await cluster.pause(10_000)
      assert.deepEqual(cluster.sessions, founderOnly)
      await write(copy, 0, 3, 1000)
    })
  })

  it('comes back by itself for copies that are to be of use without it', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3, 1, { consistency: 'eventual' })
      const copy = await cluster.at(2, region)
      await write(copy, 0, 1)
      await copy.sync()
      const mend = cluster.cut(2, 3)
      await cluster.pause(3 * leaseMs)
      await write(copy, 0, 2)
      await write(region, 0, 3)
      mend()
      await cluster.until('both agree', async () => (await read(copy, 0)) === (await read(region, 0)))
      await cluster.pause(5 * idleMs)
      assert.deepEqual(cluster.sessions[1], [1, 3])
    })
  })

  it('is not waited for where it takes no connections, and may itself call', async () => {
    const cluster = new NodeCluster({
      nodes: 3,
      more: (number) => (number === 3 ? { listen: undefined } : {}) as never,
    })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      const start = cluster.now()
      assert.equal(await codeOf(cluster.at(2, region)), 'unreachable')
      assert.ok(cluster.now() - start < 100)
      const other = await cluster.reserve(2)
      await write(await cluster.at(3, other), 0, 3)
      await write(await cluster.at(2, region), 0, 2)
      assert.equal(await read(region, 0), 2)
    })
  })
})

describe('a crash', () => {
  it('of the home is followed by another session for who needs it', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      const copy = await cluster.at(2, region)
      await write(copy, 0, 1)
      cluster.crash(3)
      await cluster.start(3)
      // What was still to be had under the lease is over.
      await cluster.pause(leaseMs)
      await write(copy, 0, 2, 30_000)
      assert.equal(await read(await cluster.at(3, region), 0), 2)
      assert.equal(cluster.session(2, 3)?.id, cluster.session(3, 2)?.id)
    })
  })

  it('of who had the right is waited out by the home, and both meet again', async () => {
    for (const [home, other] of [
      [3, 2],
      [2, 3],
    ] as const) {
      const cluster = new NodeCluster({ nodes: 3 })
      await cluster.run(async () => {
        const region = await cluster.reserve(home)
        await write(await cluster.at(other, region), 0, 1)
        cluster.crash(other)
        await cluster.start(other)
        const start = cluster.now()
        await write(region, 0, 2, 30_000)
        assert.ok(cluster.now() - start < 2 * leaseMs)
        await write(await cluster.at(other, region), 0, 3, 30_000)
        assert.equal(await read(region, 0), 3)
      })
    }
  })

  it('of the founder is no matter to others that know each other', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      const copy = await cluster.at(2, region)
      await write(copy, 0, 1)
      await cluster.pause(letGoMs)
      cluster.crash(1)
      await cluster.pause(2 * leaseMs)
      assert.deepEqual(cluster.sessions, [[], [], []])
      await write(copy, 0, 2)
      assert.equal(await read(region, 0), 2)
      await cluster.start(1)
      await cluster.until('all are back', () => cluster.sessions[0]?.length === 2)
    })
  })
})

describe('pages that go to and fro between two nodes', () => {
  it('are worth a session of their own, and few are not', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const [two, three] = [await cluster.at(2, region), await cluster.at(3, region)]
      for (let round = 0; round < 3; round++) {
        await write(two, 0, 2)
        await write(three, 0, 3)
      }
      assert.deepEqual(cluster.sessions, founderOnly)
      for (let round = 0; round < 10; round++) {
        await write(two, 0, 2)
        await write(three, 0, 3)
      }
      assert.deepEqual(cluster.sessions, [
        [2, 3],
        [1, 3],
        [1, 2],
      ])
      for (let round = 0; round < 10; round++) {
        await cluster.pause(idleMs / 2)
        await write(two, 0, 2)
        assert.equal(await read(three, 0), 2)
        await write(three, 0, 3)
        assert.equal(await read(two, 0), 3)
      }
      assert.deepEqual(cluster.sessions, [
        [2, 3],
        [1, 3],
        [1, 2],
      ])
      await cluster.pause(letGoMs)
      assert.deepEqual(cluster.sessions, founderOnly)
      await write(two, 0, 4)
      assert.equal(await read(three, 0), 4)
    })
  })
})
