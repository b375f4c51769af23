import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainTerms } from '../../src/address/lock-terms.js'
import type { SiteId } from '../../src/address/identity.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import type {
  CmEffect,
  CmEvent,
  CmSite,
  CommitId,
  CommittedPage,
  LockId,
  MessageCodec,
  ParcelId,
  ProtocolDefinition,
} from '../../src/consistency/contract.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { writeCell } from '../../src/testing/protocol/cells.js'
import { ContractViolation } from '../../src/testing/protocol/contract-violation.js'
import { ProtocolWorld } from '../../src/testing/protocol/protocol-world.js'

type Effect = CmEffect<string>
type Puppeteer = (event: CmEvent<string>, site: CmSite) => readonly Effect[]

const plainCodec: MessageCodec<string> = {
  encode: (message) => new TextEncoder().encode(message),
  decode: (bytes) => new TextDecoder().decode(bytes),
}

/** A protocol that answers each event as it is told. */
function puppet(answer: Puppeteer, codec = plainCodec): ProtocolDefinition<string> {
  return {
    name: 'puppet',
    codec,
    create: (site) => ({
      tryAcquire: () => false,
      release: () => [],
      step: (event) => answer(event, site),
      evict: () => ({ kind: 'allowed', effects: [] }),
      isUnsettled: () => false,
      needsLease: () => true,
      isQuiet: () => true,
      inspect: (page) => ({
        right: 'none',
        version: page,
        children: new Map(),
        readers: 0,
        writing: false,
        waiting: 0,
        unsettled: false,
      }),
      pages: () => [],
    }),
  }
}

type World = ProtocolWorld<string>

/** What the world says when the protocol answers so. */
function complaint(answer: Puppeteer, play: (world: World) => void, codec = plainCodec): string {
  try {
    play(new ProtocolWorld({ protocol: puppet(answer, codec), children: ['A', 'B'] }))
  } catch (error) {
    assert(error instanceof ContractViolation, String(error))
    return error.message
  }
  return 'nothing'
}

const page = 0 as PageIndex
const lock = 1 as LockId
const commit = 1 as CommitId
const parcel = 99 as ParcelId
const home = 1 as SiteId
const toA = 2 as SiteId

/** Answers locks at one kind of site with the effects; everything else with none. */
function onLock(where: 'home' | 'child', ...effects: readonly Effect[]): Puppeteer {
  return (event, site) =>
    event.kind === 'lock' && (site.parent === undefined) === (where === 'home') ? effects : []
}

function atHome(...effects: readonly Effect[]): string {
  return complaint(onLock('home', ...effects), (world) => world.lock('H', 'write', 0))
}

function atChild(...effects: readonly Effect[]): string {
  return complaint(onLock('child', ...effects), (world) => world.lock('A', 'write', 0))
}

function persist(...pages: readonly Partial<CommittedPage>[]): Effect {
  return {
    kind: 'persist',
    commit,
    pages: pages.map((one) => ({ page, version: 1 as Version, ...one })),
  }
}

/** At the home, effects of an unlock with one parcel, which the last of them may use. */
function atUnlock(
  effects: (parcel: ParcelId, ticket: number) => readonly Effect[],
  after?: (world: World) => void,
): string {
  return complaint(
    (event) => {
      if (event.kind === 'lock') return [{ kind: 'grant', lock: event.lock }]
      return event.kind === 'unlock' ? effects(event.parcels[0] ?? parcel, event.ticket) : []
    },
    (world) => {
      const section = world.lock('H', 'write', 0)
      world.endLoad()
      writeCell(section, 0, 0, 1)
      world.unlock(section)
      after?.(world)
    },
  )
}

test('a lock is answered once, to who waits for it', () => {
  const grant: Effect = { kind: 'grant', lock }
  const refuse: Effect = { kind: 'refuse', lock, code: 'busy', message: 'later' }
  assert.match(atHome(grant, grant), /grants H1 \(lock 1\), which is granted/)
  assert.match(atHome(refuse, grant), /grants H1 \(lock 1\), which is failed \(later\)/)
  assert.match(atHome(grant, refuse), /refuses H1 \(lock 1\), which is granted/)
  assert.match(atHome({ kind: 'grant', lock: 7 as LockId }), /lock 7, which nobody asked for/)
})

test('a lock is not granted after its caller has given up', () => {
  const words = complaint(
    (event) => (event.kind === 'cancel' ? [{ kind: 'grant', lock: event.lock }] : []),
    (world) => world.cancel(world.lock('H', 'write', 0)),
  )
  assert.match(words, /grants H1 .*the caller gave up/)
})

test('a lock is not granted after quiesce', () => {
  const words = complaint(
    (event) => (event.kind === 'alarm' ? [{ kind: 'grant', lock }] : [{ kind: 'alarm', at: 0 }]),
    (world) => {
      world.lock('H', 'read', 0)
      world.home.isQuiesced = true
      world.tick(1)
    },
  )
  assert.match(words, /grants H1 after quiesce/)
})

test('a child grants no lock without the bytes of its pages', () => {
  assert.match(atChild({ kind: 'grant', lock }), /without having the bytes of page 0/)
})

test('a ticket ends once, and only if it was given', () => {
  const ended = (ticket: number): Effect => ({ kind: 'ended', commit, ticket, failure: undefined })
  assert.equal(
    atUnlock((_, ticket) => [ended(ticket)]),
    'nothing',
  )
  assert.match(
    atUnlock((_, ticket) => [ended(ticket), ended(ticket)]),
    /ends the ticket of H1, which is done, again/,
  )
  assert.match(atHome(ended(5)), /ends ticket 5, which it was never given/)
})

test('frames are sent and merged only where they are in memory', () => {
  const frame: Effect = { kind: 'send', to: toA, message: 'x', attach: [{ kind: 'frame', page }] }
  assert.match(atHome(frame), /sends the frame of page 0, which is not in memory/)
  assert.match(atChild({ kind: 'merge', page, parcel }), /merges page 0, which is not in memory/)
})

test('parcels are used, kept and forgotten only while they are there', () => {
  for (const effect of [
    { kind: 'apply', page, parcel },
    { kind: 'keep', parcel },
    { kind: 'send', to: toA, message: 'x', attach: [{ kind: 'parcel', parcel }] },
    persist({ parcels: [parcel] }),
  ] as const) {
    assert.match(atHome(effect), /uses parcel 99, which is not known/)
  }
  assert.match(atHome({ kind: 'forget', parcel }), /forgets parcel 99, which it does not keep/)
  assert.match(
    atUnlock((given) => [{ kind: 'forget', parcel: given }]),
    /which it does not keep/,
  )
})

test('a parcel that is not kept is gone with the effects of its event', () => {
  let last: ParcelId | undefined
  const answer: Puppeteer = (event) => {
    if (event.kind === 'lock') return [{ kind: 'grant', lock: event.lock }]
    if (event.kind === 'unlock') [last] = event.parcels
    return event.kind === 'alarm' && last !== undefined
      ? [{ kind: 'apply', page, parcel: last }]
      : [{ kind: 'alarm', at: 5 }]
  }
  const words = complaint(answer, (world) => {
    const section = world.lock('H', 'write', 0)
    world.endLoad()
    writeCell(section, 0, 0, 1)
    world.unlock(section)
    world.tick(5)
  })
  assert.match(words, /uses parcel 1, which is not known, or was forgotten/)
})

test('who sends, sends to its parent or its children', () => {
  const send = (to: SiteId): Effect => ({ kind: 'send', to, message: 'x' })
  assert.match(atHome(send(9 as SiteId)), /sends to site 9, which there is not/)
  assert.match(atHome(send(home)), /sends to itself/)
  assert.match(atChild(send(3 as SiteId)), /A sends to B, which is neither its parent nor its child/)
})

test('storage is for the home', () => {
  assert.match(atChild(persist({})), /persists, which is for the home alone/)
  assert.match(atChild({ kind: 'load', load: 1, range: { first: page, count: 1 } }), /is for the home alone/)
  const asks = complaint(
    (_, site) => (site.parent === undefined ? [] : [{ kind: 'alarm', at: site.versionOf(page) }]),
    () => undefined,
  )
  assert.match(asks, /asks for a durable version, which is for the home alone/)
})

test('versions rise, and a commit has pages, each once and with storage', () => {
  const parcels = (given: ParcelId): Partial<CommittedPage> => ({ parcels: [given] })
  assert.equal(
    atUnlock((given) => [persist(parcels(given))]),
    'nothing',
  )
  assert.match(
    atUnlock((given) => [persist({ ...parcels(given), version: 0 as Version })]),
    /version 0 of page 0, which is not above 0/,
  )
  assert.match(atHome(persist()), /which has no pages/)
  assert.match(
    atUnlock((given) => [persist(parcels(given), parcels(given))]),
    /page 0 twice/,
  )
  assert.match(
    atUnlock((given) => [persist({ ...parcels(given), page: 70 as PageIndex })]),
    /page 70, which has no storage/,
  )
  assert.match(atHome(persist({})), /as it is, and it is not in memory/)
  assert.match(atHome(persist({ parcels: [] })), /an empty list of parcels/)
})

test('one commit with parcels is under way for a page', () => {
  const words = atUnlock((given) => [
    persist({ parcels: [given] }),
    { kind: 'persist', commit: 2 as CommitId, pages: [{ page, version: 2 as Version, parcels: [given] }] },
  ])
  assert.match(words, /page 0 with parcels in commit 2, while it is part of commit 1/)
})

test('two loads, or commits, that are under way have two numbers', () => {
  const load: Effect = { kind: 'load', load: 1, range: { first: page, count: 1 } }
  assert.match(atHome(load, load), /starts load 1 while one of that number is under way/)
  assert.match(atHome({ ...load, range: { first: page, count: 65 } }), /loads 65 pages at once/)
  assert.match(
    atUnlock((given) => [persist({ parcels: [given] }), persist({ parcels: [given], page: 1 as PageIndex })]),
    /two commits with the number 1 at once/,
  )
})

test('merging takes a merge function, and whole pages', () => {
  assert.match(
    atUnlock((given) => [persist({ parcels: [given], how: 'merge' })]),
    /the region has no merge function/,
  )
})

test('install is for crew', () => {
  assert.match(atHome({ kind: 'install', page, version: 1 as Version, payload: 0 }), /that is for crew alone/)
})

test('a message is the same after it was encoded and decoded, and is understood', () => {
  const send = onLock('child', { kind: 'send', to: home, message: 'hello' })
  const asks = (world: World): void => {
    world.lock('A', 'read', 0)
    world.deliverAll()
  }
  assert.match(
    complaint(send, asks, { ...plainCodec, decode: () => 'other' }),
    /sends hello: decoded and encoded again it is something else/,
  )
  const refuses: Puppeteer = (event, site) => {
    if (event.kind === 'message') throw new KhazanaError('protocol-error', 'no such message')
    return send(event, site)
  }
  assert.match(complaint(refuses, asks), /H refuses "hello", which the manager at A sent: no such message/)
})

test('who never comes to rest is told so', () => {
  const echo: Puppeteer = (event, site) => {
    if (event.kind === 'message') return [{ kind: 'send', to: event.from, message: 'again' }]
    return onLock('child', { kind: 'send', to: home, message: 'hello' })(event, site)
  }
  const talk = complaint(echo, (world) => {
    world.lock('A', 'read', 0)
    world.deliverAll()
  })
  assert.match(talk, /messages without end/)
  const ringing = complaint(
    () => [{ kind: 'alarm', at: 0 }],
    (world) => world.tick(1),
  )
  assert.match(ringing, /sets alarms without end/)
})

test('pages are seized only when nobody else has them open', () => {
  const words = complaint(
    (event) => (event.kind === 'lock' ? [{ kind: 'grant', lock: event.lock }] : []),
    (world) => {
      world.lock('H', 'read', 0)
      world.endLoad()
      world.seize(0)
    },
  )
  assert.match(words, /to free p0, while H1 is open/)
})

test('what keeps the contract is not complained of', () => {
  const words = complaint(
    (event) => (event.kind === 'lock' ? [{ kind: 'grant', lock: event.lock }] : []),
    (world) => {
      const section = world.lock('H', 'read', 0, 2, { terms: plainTerms })
      world.endLoad()
      world.unlock(section)
      assert.equal(section.state, 'done')
    },
  )
  assert.equal(words, 'nothing')
})
