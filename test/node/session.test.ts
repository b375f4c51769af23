import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clockDriftMax } from '../../src/stdx/clock-drift.js'
import { defaultSessionLimits } from '../../src/node/session/session-limits.js'
import { Traffic } from '../../src/node/session/traffic.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { FrameWriter } from '../../src/wire/frame-writer.js'
import type { Message } from '../../src/wire/message.js'
import { commitOf } from '../wire/frames.js'
import { settle, type FakePipe } from './fake-world.js'
import { acceptorOf, connectedPair, idsOf, leaseMs, request, sitePair, type Pair } from './site-pair.js'

const unreachable = { code: 'unreachable' }

function causes(pair: Pair): { readonly dialed: readonly string[]; readonly accepted: readonly string[] } {
  const of = (recorded: readonly { readonly losses: readonly { readonly cause: string }[] }[]): string[] =>
    recorded.flatMap(({ losses }) => losses.map((loss) => loss.cause))
  return { dialed: of(pair.dialed.sessions), accepted: of(pair.accepted.sessions) }
}

/** Says something to the accepting side in the dialing side's name. */
function forge(pipe: FakePipe, message: Message, sequence: number, acknowledged: number): void {
  pipe.accepting.arrive(new FrameWriter().encode(message, [], sequence, acknowledged).head)
}

describe('a session', () => {
  it('carries messages and pages both ways, in order', async () => {
    const pair = await connectedPair({ role: 'client' })
    const { message, pages } = commitOf([4096, 8192])
    pair.dialed.last.session.send(request(1))
    pair.dialed.last.session.send(message, pages)
    pair.dialed.last.session.send(request(3))
    pair.accepted.last.session.send(request(9))
    await pair.clock.advance(0)
    assert.deepEqual(pair.accepted.last.messages, [request(1), message, request(3)])
    assert.deepEqual(pair.accepted.last.pages, pages)
    assert.deepEqual(idsOf(pair.dialed.last), [9])
    assert.equal(pair.accepted.last.session.peer.role, 'client')
    assert.equal(pair.dialed.last.session.peer.name, 'accepting')
    assert.equal(pair.dialed.last.session.assigned, pair.accepted.last.session.peer.site)
  })

  it('may be used from when it is opened, before the connection knows of it', async () => {
    const pair = sitePair({ role: 'client' })
    const { open } = pair.accepted
    const acceptor = acceptorOf(
      {
        clock: pair.clock,
        logger: { log: () => undefined },
        limits: defaultSessionLimits,
        traffic: new Traffic(),
        allocate: (bytes) => new Uint8Array(bytes),
        leaseLimit: () => Infinity,
        open: (session) => {
          session.send(request(5))
          return open(session)
        },
      },
      1,
    )
    pair.network.accept = (connection) => acceptor.accept(connection)
    pair.dialer.start()
    await pair.clock.advance(1)
    assert.deepEqual(idsOf(pair.dialed.last), [5])
  })

  it('writes what is sent in one turn at once', async () => {
    const pair = await connectedPair({ role: 'client' })
    const writes: number[] = []
    const connection = pair.network.last.dialing
    const send = connection.send.bind(connection)
    connection.send = (chunks) => {
      writes.push(chunks.length)
      return send(chunks)
    }
    for (let id = 0; id < 100; id++) pair.dialed.last.session.send(request(id))
    await settle()
    assert.equal(writes.length, 1)
    assert.equal(pair.accepted.last.messages.length, 100)
  })

  it('goes on over a new connection as if nothing had been, wherever the old one broke', async () => {
    // The break falls on every byte of three messages with pages, in both directions.
    const { message, pages } = commitOf([4096])
    for (let muteAfter = 0; muteAfter < 4400; muteAfter += 37) {
      const pair = await connectedPair({ role: 'client' })
      const [client, node] = [pair.dialed.last, pair.accepted.last]
      pair.network.last.muteAfter(muteAfter)
      client.session.send(request(1))
      client.session.send(message, pages)
      client.session.send(request(3))
      node.session.send(request(4))
      await settle()
      pair.network.last.reset()
      client.session.send(request(5))
      node.session.send(request(6))
      await pair.clock.advance(200)
      assert.deepEqual(idsOf(node), [1, -1, 3, 5], `muted after ${muteAfter} bytes`)
      assert.deepEqual(node.pages, pages)
      assert.deepEqual(idsOf(client), [4, 6])
      assert.equal(pair.network.pipes.length, 2)
      assert.deepEqual(causes(pair), { dialed: [], accepted: [] })
      await pair.dialer.close()
    }
  })

  it('reads frames that come in pieces', async () => {
    const pair = sitePair({ role: 'client' })
    pair.network.prepare = (pipe) => pipe.cutInto(7)
    pair.dialer.start()
    await pair.clock.advance(1)
    const { message, pages } = commitOf([4096])
    pair.dialed.last.session.send(message, pages)
    for (let turn = 0; turn < 200; turn++) await settle()
    assert.deepEqual(pair.accepted.last.pages, pages)
  })

  it('moves to the new connection when the peer saw the break first', async () => {
    const pair = await connectedPair({ role: 'node' })
    const first = pair.network.last
    // Only the dialing side learns of it.
    first.dialing.closedBy({ kind: 'reset', cause: 'test' })
    pair.accepted.last.session.send(request(1))
    await pair.clock.advance(100)
    assert.equal(pair.network.pipes.length, 2)
    assert.deepEqual(idsOf(pair.dialed.last), [1])
    assert.deepEqual(causes(pair), { dialed: [], accepted: [] })
  })

  it('is acknowledged after enough bytes, so that the sender can forget', async () => {
    const pair = await connectedPair({ role: 'client' })
    const { message, pages } = commitOf([1024 * 1024, 1024 * 1024, 1024 * 1024, 1024 * 1024])
    const { session } = pair.dialed.last
    for (let turn = 0; turn < 2; turn++) session.send(message, pages)
    assert.equal(session.writable, false)
    const waiting = session.whenWritable()
    await settle()
    await waiting
    assert.equal(session.writable, true)
    await session.whenWritable()
  })

  it('is acknowledged with the next renewal at the latest', async () => {
    const pair = await connectedPair({
      role: 'client',
      dialer: { limits: { ...defaultSessionLimits, sendBytesHigh: 500 } },
    })
    const { session } = pair.dialed.last
    for (let id = 0; id < 20; id++) session.send(request(id))
    await settle()
    assert.ok(!session.writable)
    await pair.clock.advance(leaseMs / 3)
    assert.ok(session.writable)
  })

  it('is given up, after the turn, where the peer takes nothing', async () => {
    const pair = await connectedPair({
      role: 'client',
      dialer: { limits: { ...defaultSessionLimits, sendBytesMax: 10_000 } },
    })
    const { session } = pair.dialed.last
    pair.network.last.muteAfter(0)
    for (let id = 0; id < 200; id++) session.send(request(id))
    assert.equal(session.loss, undefined)
    await settle()
    assert.deepEqual(causes(pair).dialed, ['overrun'])
    assert.equal(pair.dialed.last.losses[0]?.error.code, 'busy')
  })

  it('ends at once for both with a goodbye, after all that was sent before it', async () => {
    const pair = await connectedPair({ role: 'client' })
    const { session, losses } = pair.dialed.last
    session.send(request(1))
    const closed = pair.dialer.close()
    assert.deepEqual(
      losses.map((loss) => loss.cause),
      ['closed'],
    )
    await pair.clock.advance(1)
    await closed
    assert.deepEqual(idsOf(pair.accepted.last), [1])
    assert.deepEqual(causes(pair), { dialed: ['closed'], accepted: ['goodbye'] })
    assert.equal(pair.network.pipes.length, 1, 'nobody dials again')
    session.send(request(2))
    await pair.dialer.close()
  })

  it('is closed without a peer that answers, in a bounded time', async () => {
    const pair = await connectedPair({ role: 'client' })
    pair.network.last.dialing.close = () => undefined
    pair.network.last.muteAfter(0)
    const done: string[] = []
    const closed = pair.dialer.close().then(() => done.push('closed'))
    await pair.clock.advance(1900)
    assert.deepEqual(done, [])
    await pair.clock.advance(200)
    await closed
  })

  it('rejects who waits for it when it is lost', async () => {
    const pair = await connectedPair({
      role: 'client',
      dialer: { limits: { ...defaultSessionLimits, sendBytesHigh: 1 } },
      acceptor: { leaseLimit: () => 0 },
    })
    const { session } = pair.dialed.last
    session.send(request(1))
    const rejected = [
      assert.rejects(session.whenWritable(), unreachable),
      assert.rejects(session.whenValid(), unreachable),
    ]
    pair.network.last.muteAfter(0)
    pair.network.isUp = false
    await pair.clock.advance(leaseMs + 1)
    await Promise.all(rejected)
    await assert.rejects(session.whenValid(), unreachable)
    await assert.rejects(session.whenWritable(), unreachable)
    assert.equal(session.validUntil, -Infinity)
  })
})

describe('a session that one side would let go', () => {
  it('is not used until the other has answered, and then as before, where that needs it', async () => {
    const pair = await connectedPair({ role: 'node' })
    const [mine, theirs] = [pair.dialed.last, pair.accepted.last]
    await pair.clock.advance(10)
    mine.session.part()
    mine.session.part()
    assert.deepEqual([mine.session.isParting, mine.session.validUntil], [true, -Infinity])
    const answers: string[] = []
    const waits = mine.session.whenValid().then(() => answers.push('valid'))
    // Renewals go on meanwhile, and change nothing.
    await pair.clock.advance(2 * leaseMs)
    assert.deepEqual([answers, mine.session.validUntil], [[], -Infinity])
    assert.deepEqual(
      theirs.messages.map(({ kind }) => kind),
      ['part'],
    )
    theirs.session.send({ kind: 'stay' })
    await settle()
    await waits
    assert.equal(mine.session.isParting, false)
    assert.ok(mine.session.validUntil > pair.clock.now())
    assert.deepEqual(causes(pair), { dialed: [], accepted: [] })
  })

  it('ends for both with no right left to wait for, where neither needs it, and is not dialed for again', async () => {
    for (const asking of ['dialed', 'accepted'] as const) {
      const pair = await connectedPair({ role: 'node', dialer: { goesOn: () => false } })
      const answering = asking === 'dialed' ? pair.accepted : pair.dialed
      answering.onMessage = (session) => void session.close('parted')
      pair[asking].last.session.part()
      // It is not heard any more.
      pair[asking].last.session.send(request(1))
      await pair.clock.advance(10 * leaseMs)
      assert.deepEqual(causes(pair), { dialed: ['parted'], accepted: ['parted'] })
      assert.deepEqual(idsOf(answering.last), [-1])
      for (const { losses } of [pair.dialed.last, pair.accepted.last]) {
        assert.equal(losses[0]?.rightsEndAt, -Infinity)
      }
      assert.equal(pair.network.pipes.length, 1)
    }
  })

  it('ends the same where the other leaves before it has heard of it', async () => {
    const pair = await connectedPair({ role: 'node' })
    const closing = pair.accepted.last.session.close()
    pair.dialed.last.session.part()
    await pair.clock.advance(1)
    assert.equal(await closing, 'acknowledged')
    assert.deepEqual(causes(pair), { dialed: ['parted'], accepted: ['closed'] })
    assert.deepEqual(idsOf(pair.accepted.sessions[0] ?? pair.accepted.last), [])
  })

  it('ends when both ask at once', async () => {
    const pair = await connectedPair({ role: 'node', dialer: { goesOn: () => false } })
    for (const side of [pair.dialed, pair.accepted]) {
      side.onMessage = (session) => void session.close('parted')
      side.last.session.part()
    }
    await pair.clock.advance(10 * leaseMs)
    assert.deepEqual(causes(pair), { dialed: ['parted'], accepted: ['parted'] })
  })
})

describe('the leases of a session', () => {
  it('are valid one round trip after the start, and renewed for as long as the peers speak', async () => {
    const pair = await connectedPair({ role: 'client' })
    const { clock } = pair
    for (const { session } of [pair.dialed.last, pair.accepted.last]) await session.whenValid()
    for (let elapsed = 0; elapsed < 10 * leaseMs; elapsed += 100) {
      await clock.advance(100)
      for (const { session } of [pair.dialed.last, pair.accepted.last]) {
        assert.ok(session.validUntil > clock.now())
        assert.ok(session.validUntil <= clock.now() + leaseMs * (1 - clockDriftMax))
      }
    }
  })

  it('end at the holder before the granter gives the session up, when the link goes silent', async () => {
    for (const role of ['client', 'node'] as const) {
      const pair = await connectedPair({ role })
      const { clock } = pair
      await clock.advance(777)
      pair.network.last.muteAfter(0)
      pair.network.isUp = false
      const ends = new Map<object, { valid: number; lost: number }>()
      const both = [pair.dialed.last, pair.accepted.last]
      for (const each of both) ends.set(each, { valid: each.session.validUntil, lost: Infinity })
      pair.dialed.onLost = () => ((ends.get(pair.dialed.last) ?? { lost: 0 }).lost = clock.now())
      pair.accepted.onLost = () => ((ends.get(pair.accepted.last) ?? { lost: 0 }).lost = clock.now())
      for (let elapsed = 0; elapsed < 2 * leaseMs; elapsed += 10) await clock.advance(10)
      // A node gives up when its own lease is over, a client when it has heard nothing for as long.
      const cause = role === 'node' ? 'lapsed' : 'expired'
      assert.deepEqual(causes(pair), { dialed: [cause], accepted: [cause] })
      const rightsEnd = both.map((each) => each.session.loss?.rightsEndAt ?? NaN)
      const [dialing, accepting] = both.map((each) => ends.get(each))
      assert.ok(dialing !== undefined && accepting !== undefined)
      const [byDialing, byAccepting] = rightsEnd as [number, number]
      const dialingEnds = Math.max(dialing.lost, byDialing)
      const acceptingEnds = Math.max(accepting.lost, byAccepting)
      assert.ok(dialing.valid < acceptingEnds, `${dialing.valid} before ${acceptingEnds}`)
      assert.ok(accepting.valid < dialingEnds, `${accepting.valid} before ${dialingEnds}`)
    }
  })

  it('lapse at a holder that stood still, and are valid again when the peer has answered', async () => {
    const pair = await connectedPair({ role: 'client' })
    const { clock } = pair
    const { session, losses } = pair.dialed.last
    // Both stand still, as when the machine sleeps: neither may blame the other.
    clock.freeze(2 * leaseMs)
    assert.ok(session.validUntil < clock.now())
    const waiting = session.whenValid()
    await clock.advance(1)
    await waiting
    assert.ok(session.validUntil > clock.now())
    assert.deepEqual(losses, [])
    assert.deepEqual(pair.accepted.last.losses, [])
  })

  it('go no further than what the granter holds itself', async () => {
    const limit = { ms: leaseMs }
    const pair = await connectedPair({ role: 'client', acceptor: { leaseLimit: () => limit.ms } })
    const { session } = pair.dialed.last
    limit.ms = 0
    await pair.clock.advance(leaseMs)
    assert.ok(session.validUntil <= pair.clock.now())
    limit.ms = 1200
    await pair.clock.advance(leaseMs / 3)
    assert.ok(session.validUntil > pair.clock.now())
    assert.ok(session.validUntil <= pair.clock.now() + 1200)
    assert.deepEqual(causes(pair), { dialed: [], accepted: [] })
  })
})

describe('a lost connection', () => {
  it('is the end of a client whose kernel says so, at once', async () => {
    const pair = await connectedPair({ role: 'client' })
    pair.network.isUp = false
    pair.network.last.killDialer()
    assert.deepEqual(causes(pair).accepted, ['ended'])
  })

  it('is not the end of a client whose link failed, or of a node, before the lease has run out', async () => {
    for (const role of ['client', 'node'] as const) {
      const pair = await connectedPair({ role })
      pair.network.isUp = false
      if (role === 'node') pair.network.last.killDialer()
      else pair.network.last.reset()
      const diedAt = pair.clock.now()
      // A node's own lease at the other ends a little before the lease that it gave.
      await pair.clock.advance(leaseMs * (1 - 2 * clockDriftMax))
      assert.deepEqual(causes(pair).accepted, [])
      await pair.clock.advance(leaseMs * 3 * clockDriftMax)
      assert.deepEqual(causes(pair).accepted, [role === 'node' ? 'lapsed' : 'expired'])
      const rightsEndAt = pair.accepted.last.losses[0]?.rightsEndAt ?? NaN
      // The last word of a node is at most as old as one message takes.
      if (role === 'client') assert.equal(rightsEndAt, -Infinity)
      else assert.ok(rightsEndAt <= diedAt + leaseMs && rightsEndAt > diedAt + leaseMs * 0.99)
    }
  })

  it('is noticed by a node that hears nothing, which then connects again within the lease', async () => {
    const pair = await connectedPair({ role: 'node' })
    pair.network.last.muteAfter(0)
    pair.dialed.last.session.send(request(1))
    await pair.clock.advance(leaseMs * 0.8)
    assert.equal(pair.network.pipes.length, 2)
    assert.deepEqual(idsOf(pair.accepted.last), [1])
    assert.deepEqual(causes(pair), { dialed: [], accepted: [] })
  })

  it('begins a new session where the accepting node has started again', async () => {
    const pair = await connectedPair({ role: 'client' })
    const first = pair.dialed.last
    first.session.send(request(1))
    await settle()
    const restarted = acceptorOf(
      {
        clock: pair.clock,
        logger: { log: () => undefined },
        limits: defaultSessionLimits,
        traffic: new Traffic(),
        allocate: (bytes) => new Uint8Array(bytes),
        leaseLimit: () => Infinity,
        open: pair.accepted.open,
      },
      2,
    )
    pair.network.accept = (connection) => restarted.accept(connection)
    pair.network.last.reset()
    await pair.clock.advance(100)
    assert.deepEqual(
      first.losses.map((loss) => loss.cause),
      ['restarted'],
    )
    assert.notEqual(pair.dialed.last, first)
    assert.equal(pair.dialed.last.session.peer.incarnation, 2)
    pair.dialed.last.session.send(request(2))
    await settle()
    assert.deepEqual(idsOf(pair.accepted.last), [2])
  })

  it('begins a new session where the dialing node has started again, and the old one is lost at once', async () => {
    const pair = await connectedPair({ role: 'node' })
    const first = pair.accepted.last
    pair.network.last.muteAfter(0)
    const again = sitePair({ role: 'node', incarnation: 8 })
    again.network.accept = (connection) => pair.acceptor.accept(connection)
    again.dialer.start()
    await again.clock.advance(1)
    assert.deepEqual(
      first.losses.map((loss) => loss.cause),
      ['restarted'],
    )
    assert.equal(pair.accepted.sessions.length, 2)
  })

  it('of a client that gives a resumed connection up voids its rights first', async () => {
    const pair = await connectedPair({ role: 'client' })
    const first = pair.dialed.last
    // On the next connection the node resumes the session, and the client cannot make out the answer.
    const lossesWhenLeft: number[] = []
    pair.network.prepare = (pipe) => {
      pipe.accepting.send = () => {
        setImmediate(() => pipe.dialing.arrive(new Uint8Array(40)))
        return true
      }
      const destroy = pipe.dialing.destroy.bind(pipe.dialing)
      pipe.dialing.destroy = () => {
        lossesWhenLeft.push(first.losses.length)
        destroy()
      }
    }
    pair.network.last.reset()
    await pair.clock.advance(50)
    assert.equal(lossesWhenLeft[0], 1)
    assert.equal(first.session.validUntil, -Infinity)
  })
})

describe('a peer that breaks the rules', () => {
  async function breaks(act: (pair: Pair) => void): Promise<void> {
    const pair = await connectedPair({ role: 'client' })
    pair.dialed.last.session.send(request(1))
    await settle()
    act(pair)
    assert.deepEqual(causes(pair).accepted, ['violation'])
    assert.equal(pair.accepted.last.losses[0]?.error.code, 'protocol-error')
    assert.ok(pair.logs.some((entry) => entry.fields['code'] === 'protocol-error'))
    assert.deepEqual(idsOf(pair.accepted.last), [1])
    // The client finds out, and begins anew.
    await pair.clock.advance(100)
    assert.equal(pair.accepted.sessions.length, 2)
    assert.deepEqual(causes(pair).dialed, ['restarted'])
  }

  it('by leaving a message out loses the session', async () => {
    await breaks((pair) => forge(pair.network.last, request(3), 3, 0))
  })

  it('by acknowledging what was never sent loses the session', async () => {
    await breaks((pair) => forge(pair.network.last, { kind: 'acknowledge' }, 0, 99))
  })

  it('by answering a renewal that was not asked for loses the session', async () => {
    await breaks((pair) => forge(pair.network.last, { kind: 'renewed', renewal: 99, validForMs: 1 }, 0, 0))
  })

  it('by granting more than a lease loses the session', async () => {
    await breaks((pair) =>
      forge(pair.network.last, { kind: 'renewed', renewal: 1, validForMs: leaseMs + 1 }, 0, 0),
    )
  })

  it('by greeting again loses the session', async () => {
    await breaks((pair) => forge(pair.network.last, { kind: 'refused', code: '', message: '' }, 0, 0))
  })

  it('by sending bytes that are no frame loses the session', async () => {
    await breaks((pair) => pair.network.last.accepting.arrive(Buffer.from('GET / HTTP/1.1\r\n\r\n12345678')))
  })

  it('in the eyes of the user of the session loses it, and no later message is delivered', async () => {
    const pair = await connectedPair({ role: 'client' })
    pair.accepted.onMessage = () => {
      throw new KhazanaError('protocol-error', 'nonsense')
    }
    for (let id = 1; id <= 3; id++) pair.dialed.last.session.send(request(id))
    await settle()
    assert.deepEqual(causes(pair).accepted, ['violation'])
    assert.deepEqual(idsOf(pair.accepted.sessions[0] ?? pair.accepted.last), [1])
  })

  it('only by repeating itself is not heard twice, and no harm is done', async () => {
    const pair = await connectedPair({ role: 'client' })
    pair.dialed.last.session.send(request(1))
    await settle()
    forge(pair.network.last, request(1), 1, 0)
    pair.dialed.last.session.send(request(2))
    await settle()
    assert.deepEqual(idsOf(pair.accepted.last), [1, 2])
  })
})
