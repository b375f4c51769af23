import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../../src/address/address.js'
import type { Address } from '../../../src/address/address.js'
import { defaultAttributes } from '../../../src/address/attributes.js'
import type { NodeId } from '../../../src/address/identity.js'
import type { PageIndex, Version } from '../../../src/address/page.js'
import { RangeSet } from '../../../src/address/range-set.js'
import { silentLogger } from '../../../src/io/logger.js'
import type { HomeGroup } from '../../../src/node/home/home-group.js'
import { HomedRegion } from '../../../src/node/home/homed-region.js'
import type { PlacedChange, RegionLog } from '../../../src/node/home/region-log.js'
import { noteRecord } from '../../../src/node/transaction/note.js'
import { Participating } from '../../../src/node/transaction/participating.js'
import { lostAfterMs } from '../../../src/node/transaction/transaction-limits.js'
import { KhazanaError } from '../../../src/stdx/errors.js'
import { Prng } from '../../../src/stdx/prng.js'
import { spaceId } from '../../../src/store/space.js'
import { FakeClock } from '../fake-world.js'

const self = 1 as NodeId
const decider = { address: addressFrom(1n << 30n), generation: 1 }
const id = 7n as Address
const noteSpace = spaceId(2)
const bytes = new Uint8Array(4096).fill(9)
const stamps = [0, 1, 2].map((page) => ({ page: page as PageIndex, version: (100 + page) as Version }))

/** A home that finds a note of three pages on its disk. The one that decides says `committed`. */
function setUp(how: { readonly rotten: number; readonly isGrouped: boolean }) {
  const commits: (readonly PlacedChange[])[] = []
  let rotten: number | undefined = how.rotten
  const read = (_space: unknown, page: PageIndex) => {
    const stamp = stamps[page]
    return page === rotten
      ? Promise.reject(new KhazanaError('damaged', 'it has rotted'))
      : Promise.resolve(stamp && { version: stamp.version, bytes })
  }
  const log: RegionLog = {
    submit: () => assert.fail('what was prepared ends together with its note'),
    submitAll: (changes, done) => {
      commits.push(changes)
      done(undefined)
    },
    commit: () => Promise.resolve(),
  }
  const group: HomeGroup = {
    ...{ name: 'g', members: [self, 2 as NodeId], epoch: 1, log, lease: { validUntil: Infinity } },
    ...{ restoring: [], recordOf: () => undefined },
    read: ({ space }, page) => read(space, page),
  }
  const store = {
    ...{ versionOf: () => 0 as Version, isDamaged: () => false, commit: () => Promise.resolve() },
    ...{
      get: () => undefined,
      pendingBytes: 0,
      pendingBytesMax: 1024 * 1024,
      read,
      pagesOf: () => stamps.values(),
    },
  }
  const descriptor = {
    ...{ address: addressFrom(4096n), size: 8 * 4096, pageSize: 4096, generation: 1, home: self },
    ...{ era: 1, revision: 1, attributes: { ...defaultAttributes, minReplicas: 2 } },
  }
  const record = { descriptor, allocated: new RangeSet(), floor: 0, space: spaceId(1) }
  const none = {
    ...{ take: () => undefined, regionFailed: () => undefined },
    ...{ isInDoubt: () => false, isUnderWay: () => false },
  }
  const kept = how.isGrouped ? group : undefined
  const region = new HomedRegion(store, log, record, none, () => undefined, 1, kept)
  const clock = new FakeClock()
  const ended: PageIndex[] = []
  const environment = {
    ...{ clock, random: Prng.fromSeed(1), logger: silentLogger, node: self, store, find: () => region },
    call: () => Promise.resolve({ op: 'vote', outcome: 'committed' } as const),
    ...{ takeSpace: () => assert.fail('there is a note'), numbers: () => [] },
    doubtEnded: (_region: HomedRegion, pages: readonly PageIndex[]) => ended.push(...pages),
    storageFailed: (error: KhazanaError) => assert.fail(error),
  }
  const note = noteRecord(
    { kind: 'prepared', id, region: descriptor.address, decider },
    descriptor,
    self,
    noteSpace,
  )
  const participating = new Participating(
    environment,
    region,
    { id, decider, parts: [], note },
    () => undefined,
  )
  participating.begin()
  const heal = (): void => {
    rotten = undefined
  }
  return { commits, ended, heal, pass: (ms: number) => clock.advance(ms) }
}

/** Pages that are written to the region, and those that are lost. */
function writtenBy(commits: readonly (readonly PlacedChange[])[]): readonly [number[], number[]] {
  assert.equal(commits.length, 1)
  const [{ change } = assert.fail('nothing is written'), ending] = commits[0] ?? []
  assert.equal(ending?.change.record, 'ended')
  return [(change.pages ?? []).map(({ page }) => page), (change.lost ?? []).map(({ page }) => page)]
}

describe('pages that were prepared and have rotted', () => {
  it('are waited for in a home group; then the region goes on, and says that they are damaged', async () => {
    const { commits, ended, pass } = setUp({ rotten: 1, isGrouped: true })
    await pass(lostAfterMs - 1000)
    assert.deepEqual([commits, ended], [[], []])
    await pass(60_000)
    assert.deepEqual(writtenBy(commits), [[0, 2], [1]])
    assert.deepEqual(ended, [0, 1, 2])
  })

  it('come whole from who has them', async () => {
    const { commits, heal, pass } = setUp({ rotten: 0, isGrouped: true })
    await pass(5000)
    heal()
    await pass(60_000)
    assert.deepEqual(writtenBy(commits), [[0, 1, 2], []])
  })

  it('are nowhere else where one disk alone keeps the region', async () => {
    const { commits, pass } = setUp({ rotten: 2, isGrouped: false })
    await pass(10)
    assert.deepEqual(writtenBy(commits), [[0, 1], [2]])
  })
})
