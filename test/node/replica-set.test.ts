import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { clientSite, founder, nodeId } from '../../src/address/identity.js'
import type { NodeId, SiteId } from '../../src/address/identity.js'
import { crew } from '../../src/consistency/crew/crew.js'
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

  constructor(self: NodeId | undefined) {
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
    })
  }

  openHome(descriptor = this.known ?? region): Replica {
    return this.replicas.open(star(descriptor), { kind: 'home', backing: this.backing, inGrace: () => false })
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
    const body = { kind: 'acquire', serial: 1, range, right: 'shared', known: [] } as const
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
