import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clusterId, nodeId, noCluster } from '../../src/address/identity.js'
import { handshakeMs } from '../../src/node/session/handshake.js'
import type { LocalIdentity } from '../../src/node/session/session.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { FrameWriter } from '../../src/wire/frame-writer.js'
import { protocolVersion, type Hello } from '../../src/wire/message.js'
import { reading } from '../wire/frames.js'
import { settle, type FakePipe } from './fake-world.js'
import { cluster, connectedPair, request, sitePair, type Pair } from './site-pair.js'

const dialing: LocalIdentity = {
  cluster: noCluster,
  role: 'client',
  site: 0,
  incarnation: 1,
  name: 'raw',
  listen: '',
}

const hello: Hello = {
  kind: 'hello',
  version: protocolVersion,
  ...dialing,
  to: 0,
  latest: 0,
  resume: undefined,
}

interface Raw {
  readonly pipe: FakePipe
  readonly said: string[]
  readonly closed: string[]
}

/** A caller that may say anything. */
async function callRaw(pair: Pair): Promise<Raw> {
  const connection = await pair.network.connect({ kind: 'unix', path: '/raw' })
  const { reader, frames } = reading(1 << 20)
  const said: string[] = []
  const closed: string[] = []
  connection.start({
    data: (chunk) => {
      reader.push(chunk)
      for (const { message } of frames.splice(0)) {
        said.push(message.kind === 'refused' ? `refused ${message.code}` : message.kind)
      }
    },
    drain: () => undefined,
    closed: (reason) => closed.push(reason.kind),
  })
  return { pipe: pair.network.last, said, closed }
}

function frame(message: Parameters<FrameWriter['encode']>[0], sequence: number): Uint8Array {
  return new FrameWriter().encode(message, [], sequence, 0).head
}

describe('who accepts connections', () => {
  it('answers hello with welcome', async () => {
    const pair = sitePair({ role: 'client' })
    const { pipe, said } = await callRaw(pair)
    pipe.dialing.send([frame(hello, 0)])
    await settle()
    assert.equal(said[0], 'welcome')
    assert.equal(pair.accepted.last.session.peer.name, 'raw')
  })

  it('drops who says nothing, or not all of it, in time', async () => {
    const pair = sitePair({ role: 'client' })
    const silent = await callRaw(pair)
    const half = await callRaw(pair)
    half.pipe.dialing.send([frame(hello, 0).subarray(0, 30)])
    await pair.clock.advance(handshakeMs - 1)
    assert.deepEqual(silent.closed, [])
    await pair.clock.advance(1)
    assert.deepEqual([silent.closed, half.closed], [['reset'], ['reset']])
    assert.ok(pair.logs.some((entry) => entry.fields['code'] === 'timeout'))
  })

  it('drops who says nonsense, something else first, or too much', async () => {
    const large = frame({ kind: 'failure', id: 1, code: 'busy', message: 'x'.repeat(300) }, 1)
    const many = Array.from({ length: 40 }, (_, index) => ({
      node: nodeId(index + 1),
      name: 'n'.repeat(200),
      listen: '',
      revision: 1,
      state: 'in' as const,
    }))
    const first: readonly Uint8Array[] = [
      Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
      frame(request(1), 1),
      frame({ kind: 'renew', renewal: 1 }, 0),
      large,
      frame({ kind: 'members', members: many, known: undefined }, 1),
      Buffer.concat([frame(hello, 0), frame(request(1), 1)]).fill(0xff, 24, 30),
    ]
    for (const bytes of first) {
      const pair = sitePair({ role: 'client' })
      const { pipe, said, closed } = await callRaw(pair)
      pipe.dialing.send([bytes])
      await settle()
      assert.deepEqual([said, closed, pair.accepted.sessions], [[], ['reset'], []])
      assert.ok(pair.logs.some((entry) => entry.fields['code'] === 'protocol-error'))
    }
  })

  it('tells who speaks another version, or belongs to another cluster', async () => {
    const pair = sitePair({ role: 'client' })
    const other = await callRaw(pair)
    const bytes = frame(hello, 0).slice()
    bytes[25] = protocolVersion + 1
    other.pipe.dialing.send([bytes])
    const stranger = await callRaw(pair)
    stranger.pipe.dialing.send([frame({ ...hello, cluster: clusterId('d'.repeat(32)) }, 0)])
    await settle()
    assert.deepEqual(other.said, ['refused wrong-version'])
    assert.deepEqual(stranger.said, ['refused wrong-cluster'])
    assert.deepEqual([other.closed, stranger.closed], [['ended'], ['ended']])
    assert.equal(pair.accepted.sessions.length, 0)
  })

  it('ends a session for who comes back from it, and not for who had its numbers in an earlier life', async () => {
    const pair = sitePair({ role: 'client' })
    const first = await callRaw(pair)
    first.pipe.dialing.send([frame(hello, 0)])
    await settle()
    const { session, losses } = pair.accepted.last
    const { site } = session.peer
    for (const [peerIncarnation, causes] of [
      [2, []],
      [1, ['restarted']],
    ] as const) {
      const resume = { session: session.id, peerIncarnation, received: 0 }
      const other = await callRaw(pair)
      other.pipe.dialing.send([frame({ ...hello, site, incarnation: 2, resume }, 0)])
      await settle()
      assert.deepEqual(
        losses.map(({ cause }) => cause),
        causes,
      )
    }
  })

  it('lets nobody speak before it has admitted them', async () => {
    const answers: (() => void)[] = []
    const admission = new Promise<void>((resolve) => answers.push(resolve))
    const pair = sitePair({
      role: 'client',
      acceptor: { admit: () => admission.then(() => nodeId(2)) },
    })
    const { pipe, closed } = await callRaw(pair)
    pipe.dialing.send([frame(hello, 0), frame(request(1), 1)])
    await settle()
    assert.deepEqual(closed, ['reset'])
    for (const answer of answers) answer()
    await settle()
    assert.equal(pair.accepted.sessions.length, 0)
  })

  it('has room for a bounded number of callers that have not spoken', async () => {
    const pair = sitePair({ role: 'client' })
    const callers: Raw[] = []
    for (let index = 0; index < 70; index++) callers.push(await callRaw(pair))
    await settle()
    assert.equal(callers.filter((caller) => caller.closed.length > 0).length, 70 - 64)
    await pair.clock.advance(handshakeMs)
    const late = await callRaw(pair)
    late.pipe.dialing.send([frame(hello, 0)])
    await settle()
    assert.equal(late.said[0], 'welcome')
  })

  it('does not give one caller the session of another', async () => {
    const pair = await connectedPair({ role: 'client' })
    const { session } = pair.accepted.last
    const thief = await callRaw(pair)
    const resume = { session: session.id, peerIncarnation: 1, received: 0 }
    thief.pipe.dialing.send([frame({ ...hello, resume }, 0)])
    await settle()
    assert.equal(session.loss, undefined)
    assert.equal(pair.accepted.sessions.length, 2)
  })

  it('numbers sessions, and closes them all with a goodbye', async () => {
    const pair = await connectedPair({ role: 'client' })
    const raw = await callRaw(pair)
    raw.pipe.dialing.send([frame(hello, 0)])
    await settle()
    assert.deepEqual(
      pair.accepted.sessions.map(({ session }) => session.id),
      [1, 2],
    )
    pair.acceptor.stop()
    const closed = pair.acceptor.close('client')
    // One of them never answers.
    await pair.clock.advance(2100)
    assert.equal(await closed, 'unanswered')
    assert.equal(raw.said.at(-1), 'goodbye')
    assert.equal(pair.dialed.last.losses[0]?.cause, 'goodbye')
    const late = await callRaw(pair)
    await settle()
    assert.deepEqual(late.closed, ['reset'])
  })
})

describe('who dials', () => {
  it('is told why it is refused, and stops', async () => {
    for (const code of ['wrong-cluster', 'invalid-argument'] as const) {
      const refusal = new KhazanaError(code, 'not you')
      const pair = sitePair({ role: 'node', acceptor: { admit: () => Promise.reject(refusal) } })
      pair.dialer.start()
      await pair.clock.advance(60_000)
      assert.deepEqual(
        pair.refusals.map((error) => [error.code, error.message]),
        [[code, 'not you']],
      )
      assert.equal(pair.network.pipes.length, 1)
    }
  })

  it('tries again where it is refused for now, or nobody answers, with growing pauses', async () => {
    const busy = new KhazanaError('busy', 'full')
    const pair = sitePair({
      role: 'client',
      acceptor: {
        admit: () => {
          throw busy
        },
      },
    })
    pair.dialer.start()
    await pair.clock.advance(1000)
    const early = pair.failures.length
    assert.ok(early >= 5 && early <= 9, `${early} attempts in the first second`)
    pair.network.isUp = false
    await pair.clock.advance(60_000)
    const later = pair.failures.length - early
    assert.ok(later >= 28 && later <= 65, `${later} attempts in the next minute`)
    assert.deepEqual(pair.refusals, [])
    assert.deepEqual(new Set(pair.failures.map((error) => error.code)), new Set(['busy', 'unreachable']))
  })

  it('gives an endpoint that takes the connection but says nothing a bounded time', async () => {
    const pair = sitePair({ role: 'client' })
    pair.network.accept = () => undefined
    pair.dialer.start()
    await pair.clock.advance(handshakeMs - 1)
    assert.equal(pair.failures.length, 0)
    await pair.clock.advance(100)
    assert.equal(pair.failures.length, 1)
    assert.equal(pair.network.pipes.length, 2)
  })

  it('does not mistake one node for another, or one cluster for another', async () => {
    const wrongNode = sitePair({ role: 'client', dialer: { expected: nodeId(9) } })
    wrongNode.dialer.start()
    await wrongNode.clock.advance(1)
    assert.equal(wrongNode.failures[0]?.code, 'unreachable')
    assert.equal(wrongNode.dialed.sessions.length, 0)
    const other = sitePair({
      role: 'client',
      acceptor: {
        identity: () => ({
          cluster: clusterId('e'.repeat(32)),
          site: nodeId(1),
          incarnation: 1,
          name: '',
          listen: '',
        }),
      },
      dialer: { identity: () => ({ ...dialing, cluster }) },
    })
    other.dialer.start()
    await other.clock.advance(1)
    assert.equal(other.refusals[0]?.code, 'wrong-cluster')
  })

  it('stops when it is closed, wherever it is', async () => {
    const before = sitePair({ role: 'client' })
    before.dialer.start()
    await before.dialer.close()
    await before.clock.advance(10_000)
    assert.equal(before.dialed.sessions.length, 0)
    assert.equal(before.accepted.sessions.length, 0)

    const waiting = sitePair({ role: 'client' })
    waiting.network.isUp = false
    waiting.dialer.start()
    await waiting.clock.advance(500)
    await waiting.dialer.close()
    const attempts = waiting.failures.length
    waiting.network.isUp = true
    await waiting.clock.advance(60_000)
    assert.equal(waiting.failures.length, attempts)
    assert.equal(waiting.network.pipes.length, 0)
  })
})
