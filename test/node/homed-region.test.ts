import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { defaultAttributes } from '../../src/address/attributes.js'
import type { NodeId } from '../../src/address/identity.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import { RangeSet } from '../../src/address/range-set.js'
import { eraVersions, isNameOf } from '../../src/membership/home-group/era.js'
import type { HomeGroup } from '../../src/node/home/home-group.js'
import { HomedRegion } from '../../src/node/home/homed-region.js'
import type { RegionLog } from '../../src/node/home/region-log.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { spaceId } from '../../src/store/space.js'
import type { CommitDone } from '../../src/store/store.js'

const era = 3
const page = 0 as PageIndex
const bytes = new Uint8Array(4096)
const refused = new KhazanaError('no-space', 'the disk is full')

/** A region of a group, whose log ends commits when the test says so; as many as are handed in. */
function setUp(stored: number, floor = 0) {
  const durable = new Map<PageIndex, Version>([[page, stored as Version]])
  const open: { readonly version: Version; readonly done: CommitDone }[] = []
  const log: RegionLog = {
    submit: (_place, { pages = [] }, done) => {
      for (const { version } of pages) open.push({ version, done })
    },
    submitAll: () => assert.fail('one region alone'),
    commit: () => Promise.resolve(),
  }
  const group: HomeGroup = {
    ...{
      name: 'g',
      members: [1, 2] as NodeId[],
      epoch: 1,
      log,
      lease: { validUntil: Infinity },
      restoring: [],
    },
    recordOf: () => undefined,
    read: () => Promise.resolve(undefined),
  }
  const store = {
    versionOf: (_space: unknown, index: PageIndex) => durable.get(index) ?? (0 as Version),
    read: () => Promise.resolve(undefined),
    isDamaged: () => false,
    commit: () => Promise.resolve(),
    get: () => undefined,
    pendingBytes: 0,
    pendingBytesMax: 1024 * 1024,
  }
  const transactions = {
    take: () => undefined,
    regionFailed: () => undefined,
    isInDoubt: () => false,
    isUnderWay: () => false,
  }
  const descriptor = {
    ...{
      address: addressFrom(4096n),
      size: 8 * 4096,
      pageSize: 4096,
      generation: 1,
      home: 1 as NodeId,
      era,
      revision: 1,
    },
    attributes: { ...defaultAttributes, minReplicas: 2 },
  }
  const record = { descriptor, allocated: new RangeSet(), floor, space: spaceId(1) }
  const region = new HomedRegion(store, log, record, transactions, () => undefined, 1, group)
  const persist = (version: number, done: CommitDone = () => undefined): void => {
    region.persist([{ page, version: version as Version, bytes }], done, undefined)
  }
  return { region, open, durable, persist }
}

describe('a region of a home group', () => {
  const first = era * eraVersions

  it('takes the bytes that a site was told for the newest, under any version that they were told under', () => {
    const { region } = setUp(eraVersions + 5)
    assert.equal(region.versionOf(page), first)
    for (const name of [eraVersions + 5, 2 * eraVersions, first]) assert.ok(region.isCurrent(page, name))
    for (const name of [-1, 0, eraVersions, eraVersions + 4, eraVersions + 6, first + 1])
      assert.ok(!region.isCurrent(page, name), `${name}`)
  })

  it('says of no other version that it is the newest while a commit of the page is under way', () => {
    const { region, open, durable, persist } = setUp(eraVersions + 5)
    persist(first + 1)
    assert.ok(!region.isCurrent(page, eraVersions + 5))
    durable.set(page, (first + 1) as Version)
    assert.ok(!region.isCurrent(page, first))
    open[0]?.done(undefined)
    assert.ok(region.isCurrent(page, first + 1))
    assert.ok(!region.isCurrent(page, first))
    assert.ok(!region.isCurrent(page, eraVersions + 5))
  })

  it('is told under a version after a refusal which nothing had that was handed in: another member may have any of it', () => {
    const { region, open, persist } = setUp(eraVersions + 5)
    const told: number[] = []
    const handedIn = [1, 2, 3].map((count) => first + count)
    // As managers do: what is told from then on is asked for in the turn of the first refusal.
    for (const version of handedIn) persist(version, () => told.push(region.versionOf(page)))
    for (const { done } of open.splice(0)) done(refused)
    assert.equal(told.length, 3)
    for (const name of told) {
      assert.ok(region.isCurrent(page, name) && region.isCurrent(page, eraVersions + 5))
      for (const base of handedIn) {
        // There it is stored, and served in the next reign.
        assert.ok(!isNameOf(name, { base, told: first + eraVersions }), `${name} names what ${base} has`)
      }
    }
    const next = region.versionOf(page) + 1
    assert.ok(next > Math.max(...handedIn))
    persist(next)
    assert.equal(open.length, 1)
  })

  it('is told under versions above those that are skipped', () => {
    const { region } = setUp(eraVersions + 5)
    region.skipVersions(first + 1024)
    assert.equal(region.versionOf(page), first + 1025)
    region.skipVersions(first + 7)
    assert.equal(region.versionOf(page), first + 1025)
    assert.ok(region.isCurrent(page, first))
  })

  it('tells what is stored of it while it has versions that can be left out', () => {
    const { region } = setUp(eraVersions + 5)
    assert.equal(region.numberOf(page), eraVersions + 5)
    region.skipVersions(first + eraVersions / 2)
    assert.equal(region.numberOf(page), eraVersions + 5)
    region.skipVersions(first + eraVersions - 1)
    assert.equal(region.hasOwnNumbers, false)
    assert.equal(region.numberOf(page), undefined)
  })
})
