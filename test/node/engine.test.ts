import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SiteId } from '../../src/address/identity.js'
import { plainTerms } from '../../src/address/lock-terms.js'
import type { Attachment, CommittedPage, LockId, MergeFunction } from '../../src/consistency/contract.js'
import { withResolvers } from '../../src/io/deadline.js'
import { spaceId } from '../../src/store/space.js'
import { Engine } from '../../src/node/replica/engine.js'
import { FrameTable } from '../../src/node/replica/frame-table.js'
import type { Parcel } from '../../src/node/replica/parcel-table.js'
import { AssertionError } from '../../src/stdx/assert.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { PlainCmEnvelope } from '../../src/wire/message.js'
import { makePatch } from '../../src/wire/patch.js'
import { settle } from './fake-world.js'
import {
  FakeBacking,
  ScriptedProtocol,
  commitId,
  full,
  page,
  pageBytes,
  parcelOf,
  peer,
  range,
  regionOf,
  scriptedSite,
  version,
} from './scripted-site.js'
import type { Effect } from './scripted-site.js'

interface Settings {
  readonly pagesMax?: number
  readonly pageSize?: number
  readonly merge?: MergeFunction
  readonly kind?: 'home' | 'copy'
}

/** An engine at the home of a region, or elsewhere, with nothing around it but what the test moves. */
class Bench {
  readonly backing = new FakeBacking()
  readonly protocol = new ScriptedProtocol('scripted')
  readonly site: ReturnType<typeof scriptedSite>
  readonly frames: FrameTable
  readonly engine: Engine
  readonly done: string[] = []
  granted: (lock: LockId) => void = () => undefined

  constructor({ pagesMax, pageSize = pageBytes, merge, kind = 'home' }: Settings = {}) {
    this.site = scriptedSite({
      ...(pagesMax === undefined ? {} : { pagesMax }),
      ...(merge === undefined ? {} : { merge }),
    })
    const { env } = this.site
    this.frames = new FrameTable(
      {
        pageSize,
        memory: env.frames,
        key: 0,
        give: (buffer) => {
          env.buffers.give(buffer)
        },
        isUnsettled: () => false,
        mayEvict: (index) => {
          if (this.engine.needs(index)) return false
          const answer = this.engine.manager.evict(index)
          this.engine.perform(answer.effects)
          return answer.kind === 'allowed'
        },
      },
      kind === 'home' ? this.backing : undefined,
    )
    this.engine = new Engine({
      env,
      descriptor: regionOf(merge === undefined ? {} : { consistency: 'eventual', merge: 'mine' }, {
        pageSize,
      }),
      role:
        kind === 'home'
          ? { kind, backing: this.backing, inGrace: () => false, space: spaceId(1) }
          : { kind, parent: peer },
      protocol: this.protocol.definition,
      frames: this.frames,
      uplink: () => undefined,
      granted: (lock) => {
        this.done.push(`grant ${lock}`)
        this.granted(lock)
      },
      refused: (lock, error) => this.done.push(`refuse ${lock} ${error.code}`),
      broken: (index) => this.done.push(`break ${index}`),
      wanted: (index, mode) => this.done.push(`wanted ${index} ${mode}`),
      stepped: () => this.done.push('rest'),
    })
  }

  /** Has the manager answer so to some event. */
  perform(...effects: Effect[]): void {
    this.protocol.on = ({ kind }) => (kind === 'grace-ended' ? effects : [])
    this.engine.step({ kind: 'grace-ended' })
  }

  /** A section ends with these; the manager answers so. */
  unlock(written: readonly Parcel[], answer: () => readonly Effect[]): void {
    this.protocol.on = ({ kind }) => (kind === 'unlock' ? answer() : [])
    const pages = written.map((_, index) => page(index))
    this.engine.unlock(
      { range: range(0, written.length), mode: 'write', terms: plainTerms, written: pages, ticket: 1 },
      written,
    )
  }

  persist(commit: number, ...pages: readonly CommittedPage[]): Effect {
    return { kind: 'persist', commit: commitId(commit), pages }
  }

  bytes(index: number): number | undefined {
    return this.frames.get(page(index))?.bytes[0]
  }

  pins(): number {
    let pins = 0
    for (let index = 0; index < 16; index++) pins += this.frames.get(page(index))?.pins ?? 0
    return pins
  }

  /** What the manager was told of commits and loads. */
  outcomes(): string[] {
    return this.protocol.events.flatMap((event) => {
      if (event.kind === 'durable') return [`${event.commit} durable`]
      if (event.kind === 'not-durable') return [`${event.commit} ${event.code}`]
      return event.kind === 'loaded' ? [`loaded ${event.load} ${event.failure?.code ?? 'well'}`] : []
    })
  }
}

const whole = (byte: number): Parcel => ({ kind: 'page', bytes: full(byte) })

function patch(at: number, byte: number): Parcel {
  const after = full(0)
  after[at] = byte
  const bytes = makePatch(full(0), after)
  assert.ok(bytes !== undefined)
  return { kind: 'patch', bytes }
}

function send(...attach: Attachment[]): Effect {
  return { kind: 'send', to: peer, message: 'word', attach }
}

function change(index: number, at: number, parcels: CommittedPage['parcels'], how?: 'merge'): CommittedPage {
  const what = parcels === undefined ? {} : { parcels }
  return { page: page(index), version: version(at), ...what, ...(how === undefined ? {} : { how }) }
}

describe('an engine', () => {
  it('performs effects in their order, and what they bring about after them', () => {
    const bench = new Bench()
    bench.granted = (lock) => {
      if (lock !== 1) return
      bench.protocol.on = () => [{ kind: 'grant', lock: 9 as LockId }]
      bench.engine.step({ kind: 'alarm' })
      bench.done.push('told')
    }
    bench.perform(
      { kind: 'grant', lock: 1 as LockId },
      { kind: 'break', page: page(3) },
      { kind: 'refuse', lock: 2 as LockId, code: 'busy', message: '' },
    )
    assert.deepEqual(bench.done, ['grant 1', 'told', 'break 3', 'refuse 2 busy', 'grant 9', 'rest'])
  })

  it('says that something may have come to rest after an event that asks for nothing, too', () => {
    const bench = new Bench()
    bench.engine.step({ kind: 'child-lost', child: peer })
    assert.deepEqual(bench.done, ['rest'])
  })

  it('forgets parcels with the step that brought them, unless they are kept, and then when it is told to', () => {
    const bench = new Bench()
    const send0 = (): Effect => send({ kind: 'parcel', parcel: parcelOf(bench.protocol, 0) })
    const send1 = (): Effect => send({ kind: 'parcel', parcel: parcelOf(bench.protocol, 1) })
    bench.unlock([whole(1), whole(2)], () => [send0(), { kind: 'keep', parcel: parcelOf(bench.protocol, 1) }])
    bench.perform(send1())
    assert.deepEqual(
      bench.site.session.sent.map(({ pages }) => pages[0]?.[0]),
      [1, 2],
    )
    assert.throws(() => {
      bench.perform(send0())
    }, AssertionError)
    bench.perform({ kind: 'forget', parcel: parcelOf(bench.protocol, 1) })
    assert.throws(() => {
      bench.perform(send1())
    }, AssertionError)
  })

  it('keeps nothing of a message that its manager cannot understand', () => {
    const bench = new Bench()
    const message = (body: string): PlainCmEnvelope => ({
      kind: 'cm-plain',
      region: regionOf().address,
      generation: 1,
      era: 1,
      client: 0,
      link: 0,
      body: new TextEncoder().encode(body),
      parcels: [{ kind: 'page' }],
    })
    bench.protocol.on = () => {
      throw new KhazanaError('protocol-error', 'not for me')
    }
    assert.throws(
      () => {
        bench.engine.onPlainMessage(peer, message('hello'), [full(1)])
      },
      { code: 'protocol-error' },
    )
    const kept = parcelOf(bench.protocol)
    assert.throws(() => {
      bench.perform({ kind: 'keep', parcel: kept })
    }, AssertionError)
    // The next is served.
    bench.perform({ kind: 'grant', lock: 1 as LockId })
    assert.deepEqual(bench.done, ['grant 1', 'rest'])
  })

  it('refuses what is no patch of a page before the manager sees it', () => {
    const bench = new Bench()
    const beyond = makePatch(full(0, 2 * pageBytes), full(1, 2 * pageBytes)) ?? new Uint8Array()
    for (const bytes of [new Uint8Array(), Uint8Array.of(1), Uint8Array.of(0, 0), beyond.subarray(0, 1000)]) {
      assert.throws(
        () => {
          bench.engine.onPlainMessage(
            peer,
            {
              kind: 'cm-plain',
              region: regionOf().address,
              generation: 1,
              era: 1,
              client: 0,
              link: 0,
              body: new TextEncoder().encode('take this'),
              parcels: [{ kind: 'patch', bytes }],
            },
            [],
          )
        },
        { code: 'protocol-error' },
      )
    }
    assert.deepEqual(bench.protocol.told, [])
  })

  it('applies whole pages and patches, leaves a patch of what is not here alone, and drops', () => {
    const bench = new Bench({ kind: 'copy' })
    const apply = (index: number, parcel: number): Effect => ({
      kind: 'apply',
      page: page(index),
      parcel: parcelOf(bench.protocol, parcel),
    })
    bench.unlock([whole(1), patch(7, 9)], () => [apply(0, 0), apply(0, 1), apply(5, 1)])
    assert.deepEqual([bench.bytes(0), bench.frames.get(page(0))?.bytes[7]], [1, 9])
    assert.equal(bench.frames.get(page(5)), undefined)
    bench.perform({ kind: 'drop', page: page(0) })
    assert.equal(bench.frames.get(page(0)), undefined)
  })

  it('never gives a buffer away that a parcel, a letter or a lock still has', () => {
    const bench = new Bench({ kind: 'copy' })
    const first = whole(1)
    bench.unlock([first, whole(2)], () => [
      { kind: 'apply', page: page(0), parcel: parcelOf(bench.protocol, 0) },
      { kind: 'apply', page: page(0), parcel: parcelOf(bench.protocol, 1) },
      { kind: 'drop', page: page(0) },
    ])
    for (let count = 0; count < 4; count++) bench.site.env.buffers.take(pageBytes).fill(77)
    assert.deepEqual(first.bytes, full(1))
  })

  it('merges with what the region names, in arrays that are nobody else`s', () => {
    let seen: Uint8Array[] = []
    const bench = new Bench({
      kind: 'copy',
      merge: (mine, theirs) => {
        seen = [mine, theirs]
        mine.fill((mine[0] ?? 0) + (theirs[0] ?? 0))
        return Buffer.from(mine.buffer)
      },
    })
    bench.unlock([whole(1), whole(2)], () => [
      { kind: 'apply', page: page(0), parcel: parcelOf(bench.protocol, 0) },
      { kind: 'merge', page: page(0), parcel: parcelOf(bench.protocol, 1) },
    ])
    assert.equal(bench.bytes(0), 3)
    for (const array of seen) array.fill(99)
    assert.equal(bench.bytes(0), 3)
  })

  it('lets the later write stand, and says so, where the merge function fails or makes no page', async () => {
    for (const merge of [
      () => {
        throw new Error('mine alone')
      },
      () => new Uint8Array(5),
      () => undefined as never,
    ]) {
      const bench = new Bench({ merge })
      bench.backing.put(0, full(1))
      bench.backing.put(1, full(1))
      await bench.frames.load(page(0))
      bench.unlock([whole(2)], () => [
        { kind: 'merge', page: page(0), parcel: parcelOf(bench.protocol) },
        bench.persist(1, change(1, 2, [parcelOf(bench.protocol)], 'merge')),
      ])
      await settle()
      bench.backing.flush()
      assert.deepEqual([bench.bytes(0), bench.backing.stored.get(page(1))?.bytes[0]], [2, 2])
      assert.deepEqual(bench.outcomes(), ['1 durable'])
      assert.equal(bench.site.log.length, 2)
    }
  })

  it('has the pages that a load asked for in memory for one event, and lets go of them', async () => {
    const bench = new Bench()
    for (let index = 0; index < 4; index++) bench.backing.put(index, full(index))
    bench.protocol.on = ({ kind }) =>
      kind === 'loaded' ? [send({ kind: 'frame', page: page(3) }, { kind: 'frame', page: page(0) })] : []
    bench.perform({ kind: 'load', load: 4, range: range(0, 4) })
    bench.protocol.on = ({ kind }) =>
      kind === 'loaded' ? [send({ kind: 'frame', page: page(3) }, { kind: 'frame', page: page(0) })] : []
    await settle()
    assert.deepEqual(bench.outcomes(), ['loaded 4 well'])
    const [letter] = bench.site.session.sent
    assert.deepEqual(
      letter?.pages.map((bytes) => bytes[0]),
      [3, 0],
    )
    assert.equal(bench.pins(), 0)
  })

  it('tells why a load failed, and holds nothing for it', async () => {
    const bench = new Bench()
    bench.backing.beforeLoad = (index) =>
      index === 2 ? Promise.reject(new KhazanaError('damaged', 'page 2')) : Promise.resolve()
    bench.perform({ kind: 'load', load: 4, range: range(0, 4) })
    await settle()
    assert.deepEqual([bench.outcomes(), bench.pins()], [['loaded 4 damaged'], 0])
  })

  it('loads a page again that went away while the others were on their way', async () => {
    const bench = new Bench()
    const gate = withResolvers<void>()
    bench.backing.put(0, full(1))
    bench.backing.beforeLoad = (index) => (index === 1 ? gate.promise : Promise.resolve())
    bench.perform({ kind: 'load', load: 4, range: range(0, 2) })
    bench.protocol.on = ({ kind }) => (kind === 'loaded' ? [send({ kind: 'frame', page: page(0) })] : [])
    await settle()
    bench.frames.drop(page(0))
    bench.backing.stored.delete(page(0))
    gate.resolve()
    await settle()
    assert.deepEqual(bench.outcomes(), ['loaded 4 well'])
    assert.deepEqual(bench.site.session.sent[0]?.pages[0], full(0))
    assert.equal(bench.pins(), 0)
  })

  it('holds no page any more where it is closed in the middle of its effects', async () => {
    const bench = new Bench()
    bench.granted = () => {
      bench.engine.close(new KhazanaError('closed', 'enough'))
    }
    bench.perform(
      { kind: 'load', load: 1, range: range(0, 2) },
      { kind: 'load', load: 2, range: range(1, 2) },
    )
    bench.protocol.on = () => [
      { kind: 'grant', lock: 1 as LockId },
      { kind: 'grant', lock: 2 as LockId },
    ]
    await settle()
    assert.deepEqual([bench.done.includes('grant 2'), bench.pins()], [false, 0])
  })

  it('shows what is persisted with parcels when it is durable, not before', async () => {
    const bench = new Bench()
    bench.backing.put(0, full(1))
    await bench.frames.load(page(0))
    bench.unlock([patch(5, 9), whole(2), patch(6, 8)], () => [
      bench.persist(
        1,
        change(0, 2, [parcelOf(bench.protocol, 0), parcelOf(bench.protocol, 2)]),
        change(1, 2, [parcelOf(bench.protocol, 1), parcelOf(bench.protocol, 0)]),
      ),
    ])
    await settle()
    assert.deepEqual([bench.frames.get(page(0))?.bytes, bench.outcomes()], [full(1), []])
    bench.backing.flush()
    assert.deepEqual(bench.outcomes(), ['1 durable'])
    const expected = full(1)
    expected.set([9, 8], 5)
    assert.deepEqual(bench.frames.get(page(0))?.bytes, expected)
    // What is not in memory is not brought there.
    assert.equal(bench.frames.get(page(1)), undefined)
    const second = full(2)
    second[5] = 9
    assert.deepEqual(bench.backing.stored.get(page(1))?.bytes, second)
  })

  it('changes what is stored, not what the frame has beyond that', async () => {
    const bench = new Bench({ merge: (mine, theirs) => full((mine[0] ?? 0) + (theirs[0] ?? 0)) })
    bench.backing.put(0, full(10))
    await bench.frames.load(page(0))
    bench.unlock([whole(50), whole(3)], () => [
      { kind: 'apply', page: page(0), parcel: parcelOf(bench.protocol, 0) },
      bench.persist(1, change(0, 2, [parcelOf(bench.protocol, 1)], 'merge')),
    ])
    await settle()
    assert.equal(bench.bytes(0), 50)
    bench.backing.flush()
    assert.deepEqual([bench.bytes(0), bench.backing.stored.get(page(0))?.bytes[0]], [13, 13])
  })

  it('tells of a commit that failed, and changes no frame', async () => {
    const bench = new Bench()
    bench.backing.put(0, full(1))
    await bench.frames.load(page(0))
    bench.unlock([whole(2)], () => [bench.persist(1, change(0, 2, [parcelOf(bench.protocol)]))])
    await settle()
    bench.backing.fail()
    assert.deepEqual([bench.outcomes(), bench.bytes(0)], [['1 storage-failed'], 1])
  })

  it('hands commits to the disk in their order, and fails those behind one that cannot be made', async () => {
    const bench = new Bench()
    const gate = withResolvers<void>()
    bench.backing.beforeLoad = () => gate.promise
    bench.unlock([patch(1, 1), whole(2)], () => [
      bench.persist(1, change(0, 1, [parcelOf(bench.protocol, 0)])),
      bench.persist(2, change(1, 1, [parcelOf(bench.protocol, 1)])),
    ])
    await settle()
    assert.equal(bench.backing.groups.length, 0)
    gate.reject(new KhazanaError('damaged', 'page 0'))
    await settle()
    assert.deepEqual([bench.outcomes(), bench.backing.groups.length], [['1 damaged', '2 damaged'], 0])
    // What is begun by then is not behind it.
    bench.unlock([whole(3)], () => [bench.persist(3, change(1, 2, [parcelOf(bench.protocol)]))])
    await settle()
    bench.backing.flush()
    assert.deepEqual(bench.outcomes().at(-1), '3 durable')
  })

  it('does not use a frame`s buffer again while the log has it', async () => {
    const bench = new Bench()
    bench.backing.put(0, full(1))
    const frame = await bench.frames.load(page(0))
    frame.pins -= 1
    bench.perform(bench.persist(1, change(0, 2, undefined)))
    bench.frames.drop(page(0))
    for (let count = 0; count < 4; count++) bench.site.env.buffers.take(pageBytes).fill(77)
    bench.backing.flush()
    assert.deepEqual(bench.backing.stored.get(page(0))?.bytes, full(1))
  })

  it('asks before it gives a page up, and keeps what an effect is about to take', () => {
    const bench = new Bench({ pagesMax: 2, kind: 'copy' })
    const keep: Effect[] = []
    const apply = (index: number): Effect => ({
      kind: 'apply',
      page: page(index),
      parcel: parcelOf(bench.protocol),
    })
    bench.protocol.onEvict = () => ({ kind: 'refused', effects: [] })
    bench.unlock([whole(1)], () => [...keep, apply(0), apply(1), apply(2)])
    assert.deepEqual(
      [0, 1, 2].map((index) => bench.bytes(index)),
      [1, 1, 1],
    )
    assert.ok(bench.protocol.evictions.length > 0)

    bench.protocol.onEvict = (index) => ({ kind: 'allowed', effects: [{ kind: 'break', page: index }] })
    bench.unlock([whole(2)], () => [apply(3), apply(4), apply(5)])
    const gone = bench.done.filter((what) => what.startsWith('break')).map((what) => Number(what.slice(6)))
    assert.ok(gone.length > 0)
    for (const index of gone) assert.equal(bench.bytes(index), undefined, `page ${index}`)
    const [here] = [0, 1, 2, 3, 4, 5].filter((index) => bench.bytes(index) !== undefined)
    assert.ok(here !== undefined)
    bench.unlock([whole(3)], () => [...[6, 7, 8, 9].map(apply), send({ kind: 'frame', page: page(here) })])
    assert.equal(bench.site.session.sent.length, 1)
  })

  it('has one alarm: the newest, or none', async () => {
    const bench = new Bench()
    const { clock } = bench.site
    const at = (ms: number): Effect => ({ kind: 'alarm', at: ms })
    const alarms = (): number => bench.protocol.told.filter((kind) => kind === 'alarm').length
    const start = clock.now()
    bench.perform(at(start + 10), at(start + 50))
    await clock.advance(40)
    assert.equal(alarms(), 0)
    await clock.advance(10)
    assert.equal(alarms(), 1)
    await clock.advance(1000)
    assert.equal(alarms(), 1)
    bench.perform(at(0))
    await clock.advance(0)
    assert.equal(alarms(), 2)
    bench.perform(at(clock.now() + 10), at(Infinity))
    await clock.advance(1000)
    bench.perform(at(clock.now() + 10))
    bench.engine.close(new KhazanaError('closed', 'enough'))
    await clock.advance(1000)
    assert.equal(alarms(), 2)
  })

  it('sends nothing to whom it has no session with', () => {
    const bench = new Bench()
    bench.perform(
      { kind: 'send', to: 9 as SiteId, message: 'word' },
      { kind: 'send', to: peer, message: 'word' },
    )
    assert.equal(bench.site.session.sent.length, 1)
    bench.site.session.loss = { cause: 'ended', rightsEndAt: 0, error: new KhazanaError('unreachable', '') }
    bench.perform({ kind: 'send', to: peer, message: 'word' })
    assert.equal(bench.site.session.sent.length, 1)
  })

  it('gets what is attached across the wire in its order, patches of all sizes too', () => {
    const pageSize = 2 ** 20
    const there = new Bench({ kind: 'copy', pageSize })
    const here = new Bench({ kind: 'copy', pageSize })
    const before = full(0, pageSize)
    // No patch can be longer than one that changes every other byte.
    const longest = full(0, pageSize).map((_, index) => index % 2)
    const middle = full(0, pageSize).map((_, index) => (index < 2000 ? 5 : 0))
    const short = full(0, pageSize).map((_, index) => (index === 9 ? 5 : 0))
    const pages = [longest, middle, short, full(7, pageSize)]
    const parcels = pages.map((after, index): Parcel => {
      const bytes = index === 3 ? undefined : makePatch(before, after)
      return bytes === undefined ? { kind: 'page', bytes: after } : { kind: 'patch', bytes }
    })
    there.frames.set(page(9), full(8, pageSize))
    there.unlock(parcels, () => {
      const attach = [3, 0, 2, 1].map(
        (index) => ({ kind: 'parcel', parcel: parcelOf(there.protocol, index) }) as const,
      )
      return [send(attach[0] ?? assert.fail(), { kind: 'frame', page: page(9) }, ...attach.slice(1))]
    })
    const [letter] = there.site.session.sent
    assert.ok(letter?.message.kind === 'cm-plain')
    for (let index = 0; index < 5; index++) here.frames.set(page(index), before)
    here.protocol.on = (event) =>
      event.kind === 'message'
        ? event.parcels.map((parcel, index) => ({ kind: 'apply', page: page(index), parcel }) as const)
        : []
    here.engine.onPlainMessage(peer, letter.message, letter.pages)
    const expected = [full(7, pageSize), full(8, pageSize), longest, short, middle]
    for (const [index, bytes] of expected.entries()) {
      assert.equal(
        Buffer.compare(here.frames.get(page(index))?.bytes ?? new Uint8Array(), bytes),
        0,
        `page ${index}`,
      )
    }
  })
})
