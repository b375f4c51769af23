import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodeId } from '../../src/address/identity.js'
import type { NodeId } from '../../src/address/identity.js'
import type { Connection, Network } from '../../src/io/network.js'
import type { World } from '../../src/io/world.js'
import { NodeDialers } from '../../src/node/node-dialers.js'
import { Acceptor } from '../../src/node/session/acceptor.js'
import { handshakeMs } from '../../src/node/session/handshake.js'
import { defaultSessionLimits } from '../../src/node/session/session-limits.js'
import type { Session } from '../../src/node/session/session.js'
import { Traffic } from '../../src/node/session/traffic.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { FrameWriter } from '../../src/wire/frame-writer.js'
import { protocolVersion } from '../../src/wire/message.js'
import type { Hello } from '../../src/wire/message.js'
import { reading } from '../wire/frames.js'
import { FakeClock, FakePipe, fakeRandom, recordingLogger, settle } from './fake-world.js'
import type { LogEntry } from './fake-world.js'
import { Recorder, cluster, leaseMs } from './site-pair.js'

const backoffMsMax = 2000

/** One of two nodes: what dials and what accepts, put together as a node does. */
class Side {
  readonly id: NodeId
  readonly recorder = new Recorder()
  readonly logs: LogEntry[] = []
  readonly failures: KhazanaError[] = []
  readonly dialers: NodeDialers
  readonly acceptor: Acceptor
  /** The session that lives. */
  session: Session | undefined
  isNeeded = true
  mayOpen = true
  whereIsOther: string | undefined
  /** What admitting waits for. */
  admission: Promise<void> = Promise.resolve()
  /** Connections that it has made. */
  connects = 0

  constructor(clock: FakeClock, id: number, connect: (from: Side) => Promise<Connection>) {
    this.id = nodeId(id)
    this.whereIsOther = `node-${3 - id}:1`
    const logger = recordingLogger(this.logs)
    const identity = { cluster, site: this.id, incarnation: 5, name: `node-${id}`, listen: `node-${id}:1` }
    const network = { connect: () => connect(this) } satisfies Pick<Network, 'connect'>
    const context = {
      clock,
      logger,
      limits: defaultSessionLimits,
      traffic: new Traffic(),
      allocate: (bytes: number) => new Uint8Array(bytes),
      leaseLimit: () => Infinity,
      open: (session: Session) => {
        this.dialers.sessionUp(session)
        this.session = session
        return this.recorder.open(session)
      },
    }
    this.recorder.onLost = (session) => {
      if (this.session === session) this.session = undefined
      this.dialers.sessionLost(session)
    }
    this.acceptor = new Acceptor({
      ...context,
      identity: () => identity,
      leaseMs,
      admit: async (hello) => {
        await this.admission
        if (!this.mayOpen) throw new KhazanaError('busy', 'rights of an earlier session')
        return hello.site as NodeId
      },
      crossing: (hello) => this.dialers.crossing(hello),
      latest: (node) => this.dialers.latest(node),
    })
    this.dialers = new NodeDialers({
      ...context,
      world: { clock, logger, network, random: fakeRandom() } as unknown as World,
      self: () => ({ ...identity, role: 'node' }),
      beforeDialing: () => Promise.resolve(),
      endpointOf: () => this.whereIsOther,
      hasSession: () => this.session !== undefined,
      mayOpen: () => this.mayOpen,
      isAdmitting: (node) => this.acceptor.isAdmitting(node),
      isNeeded: () => this.isNeeded,
      failed: (_node, error) => this.failures.push(error),
    })
  }

  get causes(): string[] {
    return this.recorder.sessions.flatMap(({ losses }) => losses.map(({ cause }) => cause))
  }
}

/** Nodes 1 and 2, each of which can dial the other. Nothing has happened yet. */
class TwoNodes {
  readonly clock = new FakeClock()
  readonly pipes: FakePipe[] = []
  /** How each connects to the other. */
  reach: Record<number, 'open' | 'refused' | 'silent'> = { 1: 'open', 2: 'open' }
  readonly low: Side
  readonly high: Side

  constructor() {
    this.low = new Side(this.clock, 1, (from) => this.#connect(from))
    this.high = new Side(this.clock, 2, (from) => this.#connect(from))
  }

  #connect(from: Side): Promise<Connection> {
    from.connects += 1
    const how = this.reach[from.id] ?? 'open'
    if (how === 'refused') return Promise.reject(new KhazanaError('unreachable', 'no way there'))
    const pipe = new FakePipe()
    this.pipes.push(pipe)
    if (how === 'open') this.other(from).acceptor.accept(pipe.accepting)
    return Promise.resolve(pipe.dialing)
  }

  other(side: Side): Side {
    return side === this.low ? this.high : this.low
  }

  /** Says hello to one of them in the other's name, and answers what comes back. */
  async greet(to: Side, more: Partial<Hello>): Promise<string[]> {
    const pipe = new FakePipe()
    const said: string[] = []
    const { reader, frames } = reading(1 << 20)
    pipe.dialing.start({
      data: (chunk) => {
        reader.push(chunk)
        for (const { message } of frames.splice(0)) {
          if (message.kind === 'refused') said.push(`refused ${message.code}`)
          else if (message.kind === 'welcome') said.push('welcome')
        }
      },
      drain: () => undefined,
      closed: () => undefined,
    })
    to.acceptor.accept(pipe.accepting)
    const hello: Hello = {
      kind: 'hello',
      version: protocolVersion,
      cluster,
      role: 'node',
      site: this.other(to).id,
      to: to.id,
      incarnation: 5,
      name: 'raw',
      listen: '',
      latest: 0,
      resume: undefined,
      ...more,
    }
    pipe.dialing.send([new FrameWriter().encode(hello, [], 0, 0).head])
    await settle()
    return said
  }

  /** Fails unless there is one session between them, the same at both ends. */
  assertOneSession(): void {
    const { low, high } = this
    assert.ok(low.session !== undefined && high.session !== undefined, 'both have a session')
    assert.equal(low.session.id, high.session.id)
    assert.ok(low.session.connected && high.session.connected)
  }
}

describe('two nodes, either of which may dial', () => {
  it('keep the session that they have when one of them comes to listen where it looks for a third', async () => {
    const nodes = new TwoNodes()
    const { low, high } = nodes
    low.dialers.want(high.id)
    await settle()
    const { session } = high
    assert.deepEqual(await nodes.greet(high, { to: nodeId(9), latest: session?.id ?? 0 }), [
      'refused unreachable',
    ])
    nodes.assertOneSession()
    assert.equal(high.session, session)
    assert.deepEqual(await nodes.greet(high, { to: high.id, latest: session?.id ?? 0 }), ['welcome'])
  })

  it('have one session when both dial at once, that of the one with the higher id', async () => {
    const nodes = new TwoNodes()
    const { low, high } = nodes
    low.dialers.want(high.id)
    high.dialers.want(low.id)
    await nodes.clock.advance(5 * backoffMsMax)
    nodes.assertOneSession()
    assert.deepEqual([low.connects, high.connects], [1, 1])
    assert.deepEqual([low.recorder.sessions.length, high.recorder.sessions.length], [1, 1])
    assert.ok(
      high.logs.some(({ message, fields }) => message === 'connection refused' && fields['code'] === 'busy'),
    )
    // The one that was dialed last goes on when its connection breaks: the one with the higher id has dialed.
    const session = low.session
    nodes.pipes.at(-1)?.reset()
    nodes.pipes.at(-2)?.reset()
    await nodes.clock.advance(100)
    nodes.assertOneSession()
    assert.equal(low.session, session)
    assert.deepEqual([low.connects, high.connects], [1, 2])
  })

  it('need no more than one that can reach the other', async () => {
    for (const blind of ['low', 'high'] as const) {
      const nodes = new TwoNodes()
      const side = nodes[blind]
      nodes.reach[side.id] = 'refused'
      side.dialers.want(nodes.other(side).id)
      await nodes.clock.advance(500)
      assert.equal(side.session, undefined)
      nodes.other(side).dialers.want(side.id)
      await nodes.clock.advance(1)
      nodes.assertOneSession()
      const { connects } = side
      await nodes.clock.advance(5 * backoffMsMax)
      assert.equal(side.connects, connects, 'nobody dials who has a session')
    }
  })

  it('do not wait for ever for the hello of the higher one, which nobody answers', async () => {
    const nodes = new TwoNodes()
    const { low, high } = nodes
    nodes.reach[high.id] = 'silent'
    high.dialers.want(low.id)
    await nodes.clock.advance(1)
    low.dialers.want(high.id)
    await nodes.clock.advance(handshakeMs - 100)
    assert.equal(low.session, undefined)
    await nodes.clock.advance(100 + 10 * (handshakeMs + backoffMsMax))
    nodes.assertOneSession()
  })

  it('do not greet each other while one is being admitted', async () => {
    const nodes = new TwoNodes()
    const { low, high } = nodes
    let admit: () => void = () => undefined
    high.admission = new Promise((resolve) => (admit = resolve))
    low.dialers.want(high.id)
    await settle()
    assert.ok(high.acceptor.isAdmitting(low.id))
    high.dialers.want(low.id)
    await nodes.clock.advance(200)
    assert.equal(low.recorder.sessions.length, 0)
    admit()
    await nodes.clock.advance(1)
    nodes.assertOneSession()
    assert.equal(high.connects, 0)
    assert.ok(!high.acceptor.isAdmitting(low.id))
  })

  it('begin nothing while rights of an earlier session are in use', async () => {
    const nodes = new TwoNodes()
    const { low, high } = nodes
    low.mayOpen = false
    high.dialers.want(low.id)
    low.dialers.want(high.id)
    await nodes.clock.advance(5000)
    assert.deepEqual([low.recorder.sessions.length, high.recorder.sessions.length], [0, 0])
    assert.equal(low.connects, 0)
    low.mayOpen = true
    await nodes.clock.advance(2 * backoffMsMax)
    nodes.assertOneSession()
  })

  it('number their sessions upwards, whoever accepts', async () => {
    const nodes = new TwoNodes()
    const { low, high } = nodes
    const ids: number[] = []
    for (const dialing of [low, high, high, low, high]) {
      low.isNeeded = high.isNeeded = false
      dialing.dialers.want(nodes.other(dialing).id)
      await nodes.clock.advance(1)
      nodes.assertOneSession()
      ids.push(low.session?.id ?? 0)
      void dialing.session?.close()
      await nodes.clock.advance(1)
      assert.equal(nodes.other(dialing).session, undefined)
    }
    assert.deepEqual(ids, [1, 2, 3, 4, 5])
  })
})

describe('a hello of a node with which there is a session', () => {
  async function connected(dialing: 'low' | 'high'): Promise<TwoNodes> {
    const nodes = new TwoNodes()
    const side = nodes[dialing]
    side.dialers.want(nodes.other(side).id)
    await nodes.clock.advance(1)
    nodes.assertOneSession()
    return nodes
  }

  it('is not heeded where it was sent before the session began', async () => {
    for (const dialing of ['low', 'high'] as const) {
      const nodes = await connected(dialing)
      assert.deepEqual(await nodes.greet(nodes.low, { latest: 0 }), ['refused busy'])
      assert.deepEqual(await nodes.greet(nodes.low, { latest: 9, incarnation: 4 }), ['refused busy'])
      nodes.assertOneSession()
      assert.deepEqual(nodes.low.causes, [])
    }
  })

  it('ends it where the node knew of it, or has started again', async () => {
    for (const dialing of ['low', 'high'] as const) {
      for (const more of [{ latest: 1 }, { incarnation: 6 }]) {
        const nodes = await connected(dialing)
        nodes.high.isNeeded = false
        const earlier = nodes.low.session
        assert.deepEqual(await nodes.greet(nodes.low, more), ['welcome'])
        assert.deepEqual(nodes.low.causes, ['restarted'])
        assert.notEqual(nodes.low.session, earlier)
        assert.equal(nodes.low.session?.id, 2)
      }
    }
  })

  it('is admitted once, when it comes twice', async () => {
    const nodes = new TwoNodes()
    let admit: () => void = () => undefined
    nodes.low.admission = new Promise((resolve) => (admit = resolve))
    const first = nodes.greet(nodes.low, {})
    await first
    const second = nodes.greet(nodes.low, {})
    await second
    admit()
    await settle()
    assert.equal(nodes.low.recorder.sessions.length, 1)
  })
})

describe('the dialing of a node', () => {
  it('goes on for ever where the node is kept', async () => {
    const nodes = new TwoNodes()
    const { low, high } = nodes
    nodes.reach[low.id] = 'refused'
    low.isNeeded = false
    low.dialers.keep(high.id)
    await nodes.clock.advance(600_000)
    assert.ok(low.connects > 250, `${low.connects} attempts`)
    nodes.reach[low.id] = 'open'
    await nodes.clock.advance(backoffMsMax)
    nodes.assertOneSession()
    // It is dialed again by itself, also where the other had dialed before.
    void low.session?.close()
    await nodes.clock.advance(100)
    nodes.assertOneSession()
    low.dialers.keepOnly([])
    assert.ok(!low.dialers.isKept(high.id))
  })

  it('ends when nothing needs the node any more', async () => {
    const nodes = new TwoNodes()
    const { low, high } = nodes
    nodes.reach[low.id] = 'refused'
    low.dialers.want(high.id)
    await nodes.clock.advance(10_000)
    const { connects } = low
    assert.ok(connects > 5)
    low.isNeeded = false
    await nodes.clock.advance(60_000)
    assert.ok(low.connects <= connects + 1)
    assert.equal(low.failures.length, 1)
    // The next who wants it begins at once.
    nodes.reach[low.id] = 'open'
    low.dialers.want(high.id)
    await nodes.clock.advance(1)
    nodes.assertOneSession()
  })

  it('says at once that there is no way to a node, and begins when one becomes known', async () => {
    for (const nowhere of [undefined, '']) {
      const nodes = new TwoNodes()
      const { low, high } = nodes
      low.whereIsOther = nowhere
      const error = low.dialers.want(high.id)
      assert.equal(error?.code, 'unreachable')
      assert.match(error.message, nowhere === '' ? /--listen/ : /not a member/)
      low.whereIsOther = 'node-2:1'
      low.dialers.tableChanged()
      await nodes.clock.advance(1)
      nodes.assertOneSession()
    }
  })

  it('ends when the node has left, and does not wait to dial where it has moved to', async () => {
    const nodes = new TwoNodes()
    const { low, high } = nodes
    nodes.reach[low.id] = 'refused'
    low.dialers.want(high.id)
    await nodes.clock.advance(20_000)
    low.whereIsOther = undefined
    low.dialers.tableChanged()
    const { connects } = low
    await nodes.clock.advance(20_000)
    assert.equal(low.connects, connects)
    assert.deepEqual(
      low.failures.map(({ code }) => code),
      ['unreachable'],
    )
    low.whereIsOther = 'node-2:2'
    low.dialers.tableChanged()
    await nodes.clock.advance(20_000)
    nodes.reach[low.id] = 'open'
    low.whereIsOther = 'node-2:3'
    low.dialers.tableChanged()
    await nodes.clock.advance(1)
    nodes.assertOneSession()
  })

  it('of what is closed does not begin', async () => {
    const nodes = new TwoNodes()
    await nodes.low.dialers.close()
    assert.equal(nodes.low.dialers.want(nodes.high.id)?.code, 'closed')
    assert.equal(nodes.low.connects, 0)
  })
})
