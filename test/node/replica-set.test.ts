import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { clientSite, founder, nodeId } from '../../src/address/identity.js'
import type { NodeId, SiteId } from '../../src/address/identity.js'
import { crew } from '../../src/consistency/crew/crew.js'
import { spaceId } from '../../src/store/space.js'
import { ReplicaSet } from '../../src/node/replica-set.js'
import type { Replica } from '../../src/node/replica/replica.js'
import type { Session } from '../../src/node/session/session.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { Notice, PlainCmEnvelope, RegionNotice } from '../../src/wire/message.js'
import { settle } from './fake-world.js'
import { FakeBacking, ScriptedProtocol, WireSession, page, regionOf, scriptedSite } from './scripted-site.js'

const client = clientSite(2 ** 20 + 5)
const region = regionOf()
const gone = new KhazanaError('closed', 'enough')

/** The regions of one site, which knows of one, and sessions whose other ends are the test. */
class Bench {
  readonly site = scriptedSite()
  readonly protocol = new ScriptedProtocol('scripted')
  readonly backing = new FakeBacking()
  readonly wires = new Map<SiteId, WireSession>()
  readonly replicas: ReplicaSet
  known: RegionDescriptor | undefined = region
  /** With whom a session was wished for, in order. */
  readonly wanted: SiteId[] = []
  readonly handed: string[] = []

  constructor(self: NodeId | undefined, covers?: (session: Session) => Promise<void>) {
    const { env } = this.site
    this.replicas = new ReplicaSet({
      self,
      environment: env,
      protocol: ({ protocol }) => (protocol === 'crew' ? crew : this.protocol.definition),
      describe: () => (self === undefined ? undefined : this.known),
      learned: (descriptor) => (this.known = descriptor),
      find: () => (self === founder ? this.openHome() : undefined),
      learn: () => Promise.reject(new KhazanaError('unreachable', 'nobody is there')),
      gone: () => undefined,
      isAwaited: () => false,
      mayArrive: () => false,
      want: (peer) => this.wanted.push(peer),
      handed: (sibling, how) => this.handed.push(`${sibling} ${how}`),
      ...(covers !== undefined && { covers }),
    })
  }

  openHome(descriptor = this.known ?? region): Replica {
    return this.replicas.open(star(descriptor), {
      kind: 'home',
      backing: this.backing,
      inGrace: () => false,
      space: spaceId(1),
    })
  }

  open(descriptor = star(region), parent: SiteId = founder): Replica {
    return this.replicas.open(descriptor, { kind: 'copy', parent })
  }

  connect(peer: SiteId): Session {
    const wire = new WireSession()
    this.wires.set(peer, wire)
    const session = wire.as(peer)
    this.replicas.sessionUp(session)
    return session
  }

  lose(session: Session, rightsInMs: number): void {
    const rightsEndAt = this.site.clock.now() + rightsInMs
    const loss = { cause: 'expired', rightsEndAt, error: gone } as const
    Object.assign(session, { loss })
    this.replicas.sessionLost(session, loss)
  }

  hear(from: Session, notice: Notice, about = star(region)): void {
    const { generation, era } = about
    const message: RegionNotice = {
      kind: 'region-notice',
      region: about.address,
      generation,
      era,
      client: 0,
      notice,
    }
    this.replicas.deliver(from, message, [])
  }

  plain(from: Session, word: string, about = star(region)): void {
    const { generation, era } = about
    const message: PlainCmEnvelope = {
      kind: 'cm-plain',
      region: about.address,
      generation,
      era,
      client: 0,
      link: 0,
      body: new TextEncoder().encode(word),
      parcels: [],
    }
    this.replicas.deliver(from, message, [])
  }

  /** What was sent to the peer, briefly. */
  sent(peer: SiteId): string[] {
    return (this.wires.get(peer)?.sent ?? []).map(({ message }) => {
      if (message.kind === 'cm') return message.body.kind
      if (message.kind !== 'region-notice') return message.kind
      const { notice } = message
      return notice.kind === 'resume' ? `resume ${notice.descriptor.era}` : notice.kind
    })
  }

  words(): string[] {
    return this.protocol.events.flatMap((event) => (event.kind === 'message' ? [event.message] : []))
  }
}

/** In a protocol that is a star. */
function star(descriptor: RegionDescriptor, era = descriptor.era): RegionDescriptor {
  return { ...descriptor, era, attributes: { ...descriptor.attributes, protocol: 'scripted' } }
}

describe('the regions of a site', () => {
  it('are not harmed by a handle on an earlier reservation of the address', () => {
    const bench = new Bench(undefined)
    bench.connect(founder)
    const replica = bench.open(star({ ...region, generation: 2 }))
    assert.throws(() => bench.open(star(region)), { code: 'no-such-region' })
    assert.equal(bench.replicas.get(region.address), replica)
    assert.ok(replica.isValid())
  })

  it('ask nothing of their home by a session that does not cover what clients have, and hear clients meanwhile', async () => {
    const covered: { resolve: () => void; reject: (reason: KhazanaError) => void }[] = []
    const covers = (): Promise<void> =>
      new Promise((resolve, reject) => {
        covered.push({ resolve, reject })
      })
    const bench = new Bench(nodeId(2), covers)
    const copy = bench.open(regionOf())
    const lost = bench.connect(founder)
    bench.connect(client)
    assert.equal(covered.length, 1, 'only nodes give rights')
    const locked = copy.lock('read', { offset: 0, length: 1 }, undefined, { timeoutMs: 1000 })
    locked.catch(() => undefined)
    await settle()
    assert.deepEqual(bench.sent(founder), [])
    bench.lose(lost, 0)
    covered[0]?.reject(gone)
    bench.connect(founder)
    await settle()
    assert.deepEqual(bench.sent(founder), [])
    covered[1]?.resolve()
    await settle()
    assert.deepEqual(bench.sent(founder), ['acquire'])
  })

  it('are not opened any more once the site is closed', () => {
    const bench = new Bench(undefined)
    bench.connect(founder)
    bench.replicas.closeAll(gone)
    assert.throws(() => bench.open(), { code: 'closed' })
  })

  it('all come to their end, also where one of them cannot', async () => {
    const bench = new Bench(undefined)
    const session = bench.connect(founder)
    const [stuck, other] = [bench.open(), bench.open(star({ ...region, address: 0x9000n as never }))]
    bench.protocol.isQuiet = false
    stuck.parentLost()
    let isOver = false
    const ended = bench.replicas.finish({ timeoutMs: 1000 }).finally(() => (isOver = true))
    await settle()
    assert.equal(isOver, false)
    bench.protocol.isQuiet = true
    other.parentReady(session)
    await assert.rejects(ended, { code: 'unreachable' })
  })

  it('hear of their way to the home only if they go by it', () => {
    const bench = new Bench(undefined)
    const session = bench.connect(founder)
    const replica = bench.open()
    bench.hear(session, { kind: 'severed' }, star(region, 7))
    assert.ok(!bench.protocol.told.includes('parent-lost'))
    bench.hear(session, { kind: 'severed' })
    assert.ok(bench.protocol.told.includes('parent-lost'))
    bench.hear(session, { kind: 'joined', link: 1 })
    assert.ok(replica.isValid())
    const strict = bench.open({ ...region, address: 0x9000n as never })
    bench.hear(session, { kind: 'severed' }, strict.descriptor)
    assert.ok(strict.isValid(), 'a token of the node stands, whatever is known of the home')
  })

  it('go on when their parent is lost in the middle of a switch, and stay at rest when another has asked by then', async () => {
    const bench = new Bench(undefined)
    const first = bench.connect(founder)
    const replica = bench.open()
    bench.protocol.isHit = () => true
    bench.hear(first, { kind: 'suspend', serial: 1 })
    assert.deepEqual(bench.sent(founder), ['suspended'])
    bench.lose(first, 500)
    assert.ok(bench.protocol.told.includes('resume'))
    const second = bench.connect(founder)
    bench.hear(second, { kind: 'suspend', serial: 1 })
    assert.deepEqual(bench.sent(founder), ['suspended'])
    const before = bench.protocol.told.length
    await bench.site.clock.advance(1000)
    assert.equal(
      bench.protocol.told.length,
      before,
      'the end of the first session means nothing to the second switch',
    )
    assert.equal(replica.tryLock('read', { offset: 0, length: 1 }), undefined)
  })
})

describe('the regions of a node', () => {
  const two = nodeId(2)

  it('of an earlier reservation hold up no change of the newer', () => {
    const bench = new Bench(two)
    const home = bench.connect(founder)
    bench.open()
    bench.protocol.isQuiet = false
    bench.hear(home, { kind: 'suspend', serial: 1 }, star({ ...region, generation: 2 }))
    assert.deepEqual(bench.sent(founder), ['suspended'])
  })

  it('hear their home when the node has forgotten what it knew of them', () => {
    const bench = new Bench(two)
    const home = bench.connect(founder)
    bench.open()
    bench.known = undefined
    bench.plain(home, 'news')
    assert.deepEqual([bench.words(), bench.sent(founder)], [['news'], []])
  })

  it('believe only their home in what they are', () => {
    const bench = new Bench(two)
    const other = bench.connect(nodeId(3))
    bench.hear(other, { kind: 'resume', descriptor: star(region, 9) })
    assert.equal(bench.known?.era, 1)
  })

  it('answer a client that speaks as in an earlier era with the newer, in whatever protocol it spoke', () => {
    const bench = new Bench(two)
    const session = bench.connect(client)
    bench.known = star(region, 2)
    bench.plain(session, 'old')
    const range = { first: page(0), count: 1 }
    const body = { kind: 'acquire', serial: 1, range, right: 'shared', known: [], isInDoubt: false } as const
    bench.replicas.deliver(session, { kind: 'cm', region: region.address, generation: 1, era: 1, body }, [])
    assert.deepEqual(bench.sent(client), ['resume 2', 'resume 2'])
  })

  it('tell a client in words where they cannot be found, once for all that it asked', async () => {
    const bench = new Bench(two)
    bench.known = undefined
    const session = bench.connect(client)
    for (const word of ['one', 'two', 'three']) bench.plain(session, word)
    await settle()
    assert.deepEqual(bench.sent(client), ['refused'])
  })
})

describe('the regions of a home', () => {
  it('hear nothing between the moment of rest and the change, and then what belongs to the new era', async () => {
    const bench = new Bench(founder)
    bench.known = star(region)
    bench.openHome()
    const session = bench.connect(client)
    const resting = bench.replicas.switches.suspend(bench.known, { timeoutMs: 1000 })
    bench.hear(session, { kind: 'suspended', serial: 1, idle: false })
    await resting
    bench.plain(session, 'late')
    assert.deepEqual(bench.words(), [])
    bench.known = star(region, 2)
    bench.openHome()
    bench.replicas.switches.resume(bench.known)
    assert.deepEqual(bench.words(), [])
    assert.deepEqual(bench.sent(client), ['suspend', 'resume 2', 'resume 2'])
    bench.plain(session, 'new', star(region, 2))
    assert.deepEqual(bench.words(), ['new'])
  })

  it('hear it all the same where the change did not come about', async () => {
    const bench = new Bench(founder)
    bench.known = star(region)
    bench.openHome()
    const session = bench.connect(client)
    const resting = bench.replicas.switches.suspend(bench.known, { timeoutMs: 1000 })
    bench.hear(session, { kind: 'suspended', serial: 1, idle: false })
    await resting
    bench.plain(session, 'one')
    bench.plain(session, 'two')
    bench.replicas.switches.resume(bench.known)
    assert.deepEqual(bench.words(), ['one', 'two'])
  })

  it('wait for those whose rights have not ended, and for those that come back', async () => {
    const bench = new Bench(founder)
    bench.known = star(region)
    bench.openHome()
    bench.lose(bench.connect(client), 300)
    let isAtRest = false
    const resting = bench.replicas.switches
      .suspend(bench.known, { timeoutMs: 5000 })
      .then(() => (isAtRest = true))
    await bench.site.clock.advance(299)
    assert.equal(isAtRest, false)
    const other = clientSite(client + 1)
    const session = bench.connect(other)
    assert.deepEqual(bench.sent(other), ['suspend'])
    await bench.site.clock.advance(10)
    assert.equal(isAtRest, false)
    bench.hear(session, { kind: 'suspended', serial: 1, idle: true })
    await resting
  })
})

describe('the sessions that the regions of a node need', () => {
  const self = nodeId(2)
  const sibling = nodeId(3)
  const byte = { offset: 0, length: 1 }

  it('are wished for by who opens a copy, by who waits for a lock, and by nobody else', async () => {
    const bench = new Bench(self)
    const { replicas, wanted } = bench
    const replica = replicas.open(region, { kind: 'copy', parent: founder })
    assert.deepEqual(wanted, [founder])
    // Nothing that would have to wait for it.
    assert.ok(!replicas.needs(founder))
    const waits = replica.lock('read', byte, undefined, { timeoutMs: 1000 })
    assert.deepEqual(wanted, [founder, founder])
    assert.ok(replicas.needs(founder) && !replicas.needs(sibling))
    const session = bench.connect(founder)
    bench.lose(session, 0)
    assert.deepEqual(wanted, [founder, founder, founder])
    await Promise.all([assert.rejects(waits, { code: 'timeout' }), bench.site.clock.advance(1000)])
    assert.ok(!replicas.needs(founder))
    bench.lose(bench.connect(founder), 0)
    assert.equal(wanted.length, 3)
  })

  it('are wished for again by what is on its way, and by locks of clients that wait', () => {
    const bench = new Bench(self)
    const { replicas, protocol, wanted } = bench
    bench.connect(founder)
    bench.open()
    for (const need of ['something is on its way', 'a client waits', 'nothing'] as const) {
      protocol.isQuiet = need !== 'something is on its way'
      protocol.pages = need === 'a client waits' ? [page(0)] : []
      protocol.view = { waiting: 1 }
      wanted.length = 0
      bench.lose(bench.connect(founder), 0)
      assert.deepEqual(wanted, need === 'nothing' ? [] : [founder], need)
      assert.equal(replicas.needs(founder), need !== 'nothing', need)
    }
  })

  it('do not end for a copy that is in use, or is to be of use without its home', async () => {
    const bench = new Bench(self)
    const { replicas, protocol } = bench
    const session = bench.connect(founder)
    const replica = bench.open()
    protocol.pages = [page(0), page(1)]
    protocol.onEvict = (index) => ({ kind: index === page(1) ? 'refused' : 'allowed', effects: [] })
    assert.ok(!replicas.giveUp(session))
    assert.deepEqual(protocol.evictions, [page(0), page(1)])
    protocol.onEvict = () => ({ kind: 'allowed', effects: [] })
    protocol.view = { children: new Map([[client, 'shared']]) }
    assert.ok(!replicas.giveUp(session))
    assert.equal(protocol.evictions.length, 2, 'what clients hold is left alone')
    protocol.view = {}
    protocol.isQuiet = false
    assert.ok(!replicas.giveUp(session))
    protocol.isQuiet = true
    const waits = replica.lock('read', byte, undefined, { timeoutMs: 100 })
    assert.ok(!replicas.giveUp(session))
    await Promise.all([assert.rejects(waits, { code: 'timeout' }), bench.site.clock.advance(100)])
    assert.equal(protocol.evictions.length, 2)
    assert.ok(replicas.giveUp(session))
    assert.equal(protocol.evictions.length, 4)
    const { attributes } = region
    const consistency = { ...attributes.consistency, failure: 'available' } as const
    bench.open(star({ ...region, address: 0x9000n as never, attributes: { ...attributes, consistency } }))
    assert.ok(!replicas.giveUp(session))
    assert.equal(protocol.evictions.length, 6, 'those of the first region alone')
  })

  it('carry a token from one to the other only while that certainly counts on it', () => {
    const bench = new Bench(self)
    bench.connect(founder)
    bench.open()
    const { site } = bench.protocol
    assert.equal(site?.canReach(sibling), false)
    assert.deepEqual(bench.handed, ['3 by-the-home'])
    bench.connect(sibling)
    const wire = bench.wires.get(sibling)
    assert.ok(wire !== undefined)
    assert.equal(site.canReach(sibling), true)
    assert.deepEqual(bench.handed, ['3 by-the-home', '3 straight'])
    for (const less of [{ connected: false }, { writable: false }, { validUntil: -Infinity }]) {
      const before = { connected: wire.connected, writable: wire.writable, validUntil: wire.validUntil }
      Object.assign(wire, less)
      assert.equal(site.canReach(sibling), false)
      Object.assign(wire, before)
    }
    assert.equal(bench.handed.length, 2)
  })

  it('when lost, make copies ask anew that may have been sent a token, and again when the other must have heard of it', async () => {
    const bench = new Bench(self)
    bench.connect(founder)
    const replica = bench.replicas.open(region, { kind: 'copy', parent: founder })
    const waits = replica.lock('read', byte, undefined, { timeoutMs: 10_000 })
    await settle()
    const session = bench.connect(sibling)
    assert.deepEqual(bench.sent(founder), ['acquire'])
    bench.lose(session, 500)
    assert.deepEqual(bench.sent(founder), ['acquire', 'cancel'])
    const answer = { kind: 'refuse', serial: 1, range: { first: page(0), count: 1 } } as const
    const home = bench.replicas.session(founder)
    assert.ok(home !== undefined)
    const { generation, era, address } = region
    const body = { ...answer, code: 'aborted', message: 'cancelled' }
    bench.replicas.deliver(home, { kind: 'cm', region: address, generation, era, body }, [])
    assert.deepEqual(bench.sent(founder), ['acquire', 'cancel', 'acquire'])
    await bench.site.clock.advance(499)
    assert.equal(bench.sent(founder).length, 3)
    await bench.site.clock.advance(1)
    assert.deepEqual(bench.sent(founder), ['acquire', 'cancel', 'acquire', 'cancel'])
    bench.replicas.closeAll(gone)
    await assert.rejects(waits, { code: 'closed' })
  })
})
