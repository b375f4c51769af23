import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AttributeSettings } from '../../src/address/attributes.js'
import type { SiteId } from '../../src/address/identity.js'
import { plainTerms } from '../../src/address/lock-terms.js'
import type { LockMode } from '../../src/address/lock-mode.js'
import { crew } from '../../src/consistency/crew/crew.js'
import type { CommitId, LockId } from '../../src/consistency/contract.js'
import { spaceId } from '../../src/store/space.js'
import type { LockContext } from '../../src/node/replica/lock-context.js'
import { Replica } from '../../src/node/replica/replica.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { zeroPage } from '../../src/stdx/zero-page.js'
import { applyPatch } from '../../src/wire/patch.js'
import { settle } from './fake-world.js'
import {
  FakeBacking,
  ScriptedProtocol,
  full,
  page,
  pageBytes,
  peer,
  range,
  regionOf,
  scriptedSite,
} from './scripted-site.js'
import type { Effect } from './scripted-site.js'

const whole = { offset: 0, length: 4 * pageBytes }
const first = { offset: 0, length: pageBytes }

/** A replica of a region of four pages, at its home or at another site, with a manager that does as the test says. */
class Bench {
  readonly backing = new FakeBacking()
  readonly protocol: ScriptedProtocol
  readonly site = scriptedSite()
  readonly replica: Replica

  constructor(
    settings: AttributeSettings = {},
    { kind = 'home', writes = 'patches' }: { kind?: 'home' | 'copy'; writes?: 'patches' | 'pages' } = {},
  ) {
    this.protocol = new ScriptedProtocol('scripted', writes)
    this.protocol.isHit = () => true
    for (let index = 0; index < 4; index++) this.backing.put(index, full(index + 1))
    this.replica = new Replica(
      this.site.env,
      regionOf(settings, { pages: 4 }),
      kind === 'home'
        ? { kind, backing: this.backing, inGrace: () => false, space: spaceId(1) }
        : { kind, parent: peer },
      this.protocol.definition,
    )
    this.grantAll()
  }

  /** Every lock that is asked for is granted; at the home, with its pages in memory. */
  grantAll(): void {
    this.protocol.on = (event) => (event.kind === 'lock' ? [{ kind: 'grant', lock: event.lock }] : [])
  }

  lock(mode: LockMode, where = whole, timeoutMs = 1000): Promise<LockContext> {
    return this.replica.lock(mode, where, undefined, { timeoutMs })
  }

  /** The parent sends whole pages, which the manager applies. */
  receive(bytes: ReadonlyMap<number, number>): void {
    const before = this.protocol.on
    this.protocol.on = (event) =>
      event.kind === 'message'
        ? [...bytes.keys()].map((index, at): Effect => {
            const parcel = event.parcels[at] ?? assert.fail()
            return { kind: 'apply', page: page(index), parcel }
          })
        : []
    this.replica.onPlainMessage(
      peer,
      {
        kind: 'cm-plain',
        region: this.replica.descriptor.address,
        generation: 1,
        era: this.replica.descriptor.era,
        client: 0,
        link: 0,
        body: new TextEncoder().encode('take'),
        parcels: [...bytes].map(() => ({ kind: 'page' })),
      },
      [...bytes.values()].map((byte) => full(byte)),
    )
    this.protocol.on = before
  }

  unlocks(): readonly { readonly written: readonly number[]; readonly mode: string }[] {
    return this.protocol.events.flatMap((event) => (event.kind === 'unlock' ? [event] : []))
  }
}

/** The first byte of each page, as the lock sees it. */
function seen(lock: LockContext, pages = 4): number[] {
  return Array.from({ length: pages }, (_, index) => lock.read(index * pageBytes, 1)[0] ?? -1)
}

describe('a lock context of a protocol with parcels', () => {
  it('sees its pages as they were when it was granted, on and on', async () => {
    const bench = new Bench()
    const lock = await bench.lock('read')
    bench.receive(
      new Map([
        [0, 50],
        [2, 60],
      ]),
    )
    assert.deepEqual(seen(lock), [1, 2, 3, 4])
    const later = await bench.lock('read')
    assert.deepEqual(seen(later), [50, 2, 60, 4])
    await lock.unlock()
    assert.deepEqual(seen(later), [50, 2, 60, 4])
  })

  it('gives a view of a page that was never written which is its own, whatever is done to it', async () => {
    const bench = new Bench()
    bench.backing.stored.clear()
    const lock = await bench.lock('read')
    for (const [first, pages] of [
      [0, 1],
      [1, 2],
    ] as const) {
      const view = lock.map(first * pageBytes, pages * pageBytes)
      assert.ok(view.every((byte) => byte === 0))
      view.fill(7)
      assert.ok(zeroPage(pageBytes).every((byte) => byte === 0))
    }
    await lock.unlock()
  })

  it('sees changes as they arrive where its isolation is live, but for what it has written over', async () => {
    const bench = new Bench({ consistency: { preset: 'bounded', isolation: 'live' } })
    const lock = await bench.lock('write')
    lock.write(pageBytes + 9, Uint8Array.of(7))
    bench.receive(
      new Map([
        [0, 50],
        [1, 60],
      ]),
    )
    assert.deepEqual(seen(lock), [50, 2, 3, 4])
    assert.equal(lock.read(pageBytes + 9, 1)[0], 7)
    assert.deepEqual(lock.map(0, 1)[0], 50)
  })

  it('goes on with a page that was dropped under it, whatever its isolation', async () => {
    for (const isolation of ['live', 'snapshot'] as const) {
      const bench = new Bench({ consistency: { preset: 'bounded', isolation } })
      const lock = await bench.lock('read')
      bench.protocol.on = () => [{ kind: 'drop', page: page(1) }]
      bench.replica.graceEnded()
      assert.deepEqual(seen(lock), [1, 2, 3, 4])
      assert.equal(lock.map(0, whole.length)[pageBytes], 2)
      await lock.unlock()
    }
  })

  it('sees the moment of its grant, also where it must still wait for its lease', async () => {
    const bench = new Bench({}, { kind: 'copy' })
    bench.site.session.validUntil = 0
    bench.replica.parentReady(bench.site.session.as(peer))
    bench.receive(
      new Map([
        [0, 1],
        [1, 2],
        [2, 3],
        [3, 4],
      ]),
    )
    const asked = bench.lock('read')
    await settle()
    bench.receive(new Map([[1, 99]]))
    bench.site.session.renew()
    assert.deepEqual(seen(await asked), [1, 2, 3, 4])
  })

  it('maps several pages of its snapshot as one piece, once', async () => {
    const bench = new Bench()
    const lock = await bench.lock('read')
    const map = lock.map(pageBytes - 1, 2 * pageBytes)
    bench.receive(new Map([[1, 50]]))
    assert.deepEqual([map[0], map[1], map[pageBytes], map[pageBytes + 1]], [1, 2, 2, 3])
    const again = lock.map(pageBytes, pageBytes)
    assert.equal(again.buffer, map.buffer)
    assert.deepEqual(seen(lock), [1, 2, 3, 4])
  })

  it('gives views that nobody else writes to, even after its end', async () => {
    const bench = new Bench()
    const lock = await bench.lock('read', first)
    const view = lock.map(0, pageBytes)
    await lock.unlock()
    bench.protocol.on = () => [{ kind: 'drop', page: page(0) }]
    bench.replica.graceEnded()
    for (let count = 0; count < 8; count++) bench.site.env.buffers.take(pageBytes).fill(77)
    assert.deepEqual(view, full(1))
  })

  it('hands in what it changed, and none of the bytes beside', async () => {
    const bench = new Bench({}, { kind: 'copy' })
    bench.replica.parentReady(bench.site.session.as(peer))
    bench.receive(
      new Map([
        [0, 1],
        [1, 2],
        [2, 3],
        [3, 4],
      ]),
    )
    bench.grantAll()
    const lock = await bench.lock('write-shared')
    lock.write(10, Uint8Array.of(9, 1, 9))
    lock.map(2 * pageBytes, 5).fill(8)
    lock.write(pageBytes, full(2))
    bench.protocol.on = (event) =>
      event.kind === 'unlock'
        ? [
            {
              kind: 'send',
              to: peer,
              message: event.written.join(),
              attach: event.parcels.map((parcel) => ({ kind: 'parcel', parcel }) as const),
            },
            { kind: 'ended', commit: 1 as CommitId, ticket: event.ticket, failure: undefined },
          ]
        : []
    await lock.unlock()
    const [letter] = bench.site.session.sent
    assert.ok(letter?.message.kind === 'cm-plain')
    assert.equal(new TextDecoder().decode(letter.message.body), '0,2')
    assert.equal(bench.unlocks()[0]?.mode, 'write-shared')
    const [one, two] = letter.message.parcels
    assert.ok(one?.kind === 'patch' && two?.kind === 'patch')
    // Upon what another wrote meanwhile.
    const theirs = full(70)
    applyPatch(theirs, one.bytes)
    assert.deepEqual([...theirs.subarray(9, 14)], [70, 9, 70, 9, 70])
    const others = full(70)
    applyPatch(others, two.bytes)
    assert.deepEqual([...others.subarray(0, 6)], [8, 8, 8, 8, 8, 70])
  })

  it('that changed nothing ends like one that wrote nothing', async () => {
    const bench = new Bench()
    const lock = await bench.lock('write')
    lock.write(0, full(1))
    await lock.unlock()
    assert.deepEqual(bench.unlocks(), [])
  })

  it('hands in whole pages where its protocol wants those', async () => {
    const bench = new Bench({}, { writes: 'pages' })
    const lock = await bench.lock('write')
    lock.write(pageBytes + 1, Uint8Array.of(9))
    bench.protocol.on = (event) =>
      event.kind === 'unlock'
        ? [
            { kind: 'apply', page: page(1), parcel: event.parcels[0] ?? assert.fail() },
            { kind: 'ended', commit: 1 as CommitId, ticket: event.ticket, failure: undefined },
          ]
        : []
    await lock.unlock()
    const expected = full(2)
    expected[1] = 9
    assert.deepEqual(bench.replica.frameBytes(page(1)), expected)
  })

  it('says how old what it reads may be, also where the clock is slow', async () => {
    const bench = new Bench()
    const lock = await bench.lock('read')
    assert.equal(lock.ageMs, 0)
    bench.protocol.view = { freshAt: bench.site.clock.now() - 99 }
    assert.equal(lock.ageMs, 100)
    await bench.site.clock.advance(99)
    assert.equal(lock.ageMs, 200)
    bench.protocol.view = { freshAt: -Infinity }
    assert.equal(lock.ageMs, Infinity)
  })

  it('writes under write-shared, and not under read', async () => {
    const bench = new Bench()
    const shared = await bench.lock('write-shared', first)
    shared.write(0, Uint8Array.of(5))
    shared.discard()
    const read = await bench.lock('read', first)
    assert.throws(
      () => {
        read.write(0, Uint8Array.of(5))
      },
      { code: 'wrong-mode' },
    )
  })
})

describe('a replica', () => {
  it('in sync has all at home that was unlocked, and grants no lock before', async () => {
    const bench = new Bench()
    const lock = await bench.lock('write', first)
    let isSynced = false
    const synced = bench.replica.sync({ timeoutMs: 1000 }).then(() => (isSynced = true))
    assert.equal(bench.replica.tryLock('read', first), undefined)
    const waits = bench.lock('read', first)
    await settle()
    assert.ok(!bench.protocol.told.includes('quiesce'))
    bench.protocol.isQuiet = false
    lock.discard()
    await settle()
    assert.deepEqual([bench.protocol.told.at(-1), isSynced], ['quiesce', false])
    // An event that asks for nothing brings it to rest.
    bench.protocol.isQuiet = true
    bench.replica.childLost(9 as SiteId)
    await synced
    await waits
    assert.deepEqual(bench.protocol.told, ['lock', 'quiesce', 'child-lost', 'resume', 'lock'])
  })

  it('that cannot come to rest gives sync up in its time, and grants locks again', async () => {
    const bench = new Bench()
    bench.protocol.isQuiet = false
    const refused = assert.rejects(bench.replica.sync({ timeoutMs: 100 }), { code: 'timeout' })
    const waits = bench.lock('read', first, 5000)
    await bench.site.clock.advance(101)
    await refused
    await waits
  })

  it('fails a sync where another protocol came before all was at home, and not where it came after', async () => {
    for (const isQuiet of [false, true]) {
      const bench = new Bench()
      bench.protocol.isQuiet = false
      const synced = bench.replica.sync({ timeoutMs: 1000 })
      bench.protocol.isQuiet = isQuiet
      const next = { ...bench.replica.descriptor, era: 2 }
      bench.replica.switchTo(
        next,
        bench.replica.role,
        bench.protocol.definition,
        new KhazanaError('context-broken', 'changed'),
      )
      if (isQuiet) await synced
      else await assert.rejects(synced, { code: 'outcome-unknown' })
    }
  })

  it('tells each lock from all others, also those that were asked for under a protocol that needs no terms', async () => {
    const site = scriptedSite()
    const replica = new Replica(site.env, regionOf(), { kind: 'copy', parent: peer }, crew)
    const [a, b] = [
      replica.lock('write', { offset: 8, length: 4 }, undefined, {}),
      replica.lock('write', { offset: 16, length: 4 }, undefined, {}),
    ]
    const protocol = new ScriptedProtocol('scripted')
    replica.switchTo(
      { ...regionOf(), era: 2 },
      replica.role,
      protocol.definition,
      new KhazanaError('context-broken', 'changed'),
    )
    const terms = protocol.events.flatMap((event) => (event.kind === 'lock' ? [event.terms] : []))
    assert.deepEqual(
      terms.map(({ offset, length }) => [offset, length]),
      [
        [8, 4],
        [16, 4],
      ],
    )
    assert.notEqual(terms[0], terms[1])
    assert.ok(!terms.includes(plainTerms))
    replica.close(new KhazanaError('closed', 'enough'))
    await assert.rejects(a, { code: 'closed' })
    await assert.rejects(b, { code: 'closed' })
  })

  it('asks the manager once for each lock that a change of protocol kept waiting, and cancels none twice', async () => {
    const bench = new Bench()
    bench.protocol.isHit = () => false
    bench.protocol.on = () => []
    const served = bench.lock('write', first)
    const givenUp = assert.rejects(bench.lock('write', first, 50), { code: 'timeout' })
    // The one that is taken back first brings the next its grant.
    const late = bench.lock('write', first)
    bench.protocol.on = (event) => {
      const locks = bench.protocol.events.flatMap((each) => (each.kind === 'lock' ? [each.lock] : []))
      const next = locks.at(-1)
      return event.kind === 'cancel' && event.lock === locks[0] && next !== undefined
        ? [{ kind: 'grant', lock: next }]
        : []
    }
    const who = {}
    bench.replica.suspend(who, { stepped: () => undefined, switched: () => undefined })
    await bench.site.clock.advance(51)
    await givenUp
    ;(await late).discard()
    const before = bench.protocol.told.filter((kind) => kind === 'cancel').length
    assert.equal(before, 2)
    bench.grantAll()
    bench.replica.resume(who)
    ;(await served).discard()
    const told = bench.protocol.told
    assert.deepEqual(
      [told.filter((kind) => kind === 'lock').length, told.filter((kind) => kind === 'cancel').length],
      [4, 2],
    )
    assert.equal(bench.site.env.lockMemory.used, 0)
  })

  it('takes nothing back from a manager that was never asked', async () => {
    const bench = new Bench()
    bench.backing.isBacklogged = true
    bench.backing.whenCaughtUp = () => new Promise(() => undefined)
    const waits = assert.rejects(bench.lock('write', first, 50), { code: 'timeout' })
    await bench.site.clock.advance(51)
    await waits
    assert.deepEqual(bench.protocol.told, [])
  })

  it('that is refused fails the locks that wait, and asks again for the next', async () => {
    const bench = new Bench({}, { kind: 'copy' })
    bench.protocol.isHit = () => false
    bench.protocol.on = () => []
    const session = bench.site.session.as(peer)
    bench.replica.parentReady(session)
    const [a, b] = [bench.lock('read'), bench.lock('write')]
    bench.replica.refused(session, 3, new KhazanaError('unsupported', 'not there'))
    await assert.rejects(a, { code: 'unsupported', message: 'not there' })
    await assert.rejects(b, { code: 'unsupported' })
    assert.deepEqual(bench.protocol.told, ['parent-ready', 'lock', 'lock', 'parent-lost', 'cancel', 'cancel'])
    bench.protocol.on = (event) =>
      event.kind === 'lock' ? [{ kind: 'send', to: peer, message: 'please' }] : []
    const again = bench.lock('read')
    await settle()
    assert.deepEqual(bench.protocol.told.slice(6), ['parent-ready', 'lock'])
    const [letter] = bench.site.session.sent
    assert.ok(letter?.message.kind === 'cm-plain')
    assert.equal(letter.message.link, 3)
    bench.replica.close(new KhazanaError('closed', 'enough'))
    await assert.rejects(again, { code: 'closed' })
  })

  it('that is refused asks again by itself, ever more slowly, and not where the parent is lost', async () => {
    const bench = new Bench({}, { kind: 'copy' })
    const session = bench.site.session.as(peer)
    const begun = (): number => bench.protocol.told.filter((kind) => kind === 'parent-ready').length
    const error = new KhazanaError('unsupported', 'not there')
    bench.replica.parentReady(session)
    bench.replica.refused(session, 1, error)
    await bench.site.clock.advance(1000)
    assert.equal(begun(), 2)
    bench.replica.refused(session, 2, error)
    await bench.site.clock.advance(900)
    assert.equal(begun(), 2)
    await bench.site.clock.advance(30_000)
    assert.equal(begun(), 3)
    bench.replica.refused(session, 3, error)
    bench.replica.parentLost()
    await bench.site.clock.advance(120_000)
    assert.equal(begun(), 3)
  })

  it('tells a star`s manager of its own parent and children, and of no one else', () => {
    const bench = new Bench({}, { kind: 'copy' })
    bench.replica.childLost((2 ** 20 + 1) as SiteId)
    bench.replica.siblingLost(3 as SiteId)
    assert.deepEqual(bench.protocol.told, [])
  })

  it('lets no lock through that a manager granted which is no more, and asks the next one for it', async () => {
    const bench = new Bench()
    bench.protocol.isHit = () => false
    let release: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    bench.backing.beforeLoad = () => gate
    let isHandedOut = false
    const asked = bench.lock('read').then((lock) => {
      isHandedOut = true
      return lock
    })
    const next = new ScriptedProtocol('next')
    const wishes: LockId[] = []
    next.on = (event) => {
      if (event.kind === 'lock') wishes.push(event.lock)
      return event.kind === 'grace-ended' ? wishes.map((lock) => ({ kind: 'grant', lock })) : []
    }
    let released = 0
    next.onRelease = () => {
      released += 1
      return []
    }
    bench.replica.switchTo(
      { ...bench.replica.descriptor, era: 2 },
      bench.replica.role,
      next.definition,
      new KhazanaError('context-broken', 'changed'),
    )
    release()
    await bench.site.clock.advance(10)
    assert.deepEqual([wishes.length, isHandedOut, released], [1, false, 0])
    bench.replica.graceEnded()
    await (await asked).unlock()
    assert.deepEqual([released, bench.site.env.lockMemory.used], [1, 0])
    const after = await new Promise<number>((resolve) => {
      next.on = (event) => {
        if (event.kind === 'loaded') resolve(1)
        return event.kind === 'grace-ended' ? [{ kind: 'load', load: 1, range: range(0, 4) }] : []
      }
      bench.replica.graceEnded()
    })
    assert.equal(after, 1)
  })
})
