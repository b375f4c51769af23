import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkAttributes } from '../../src/address/attributes.js'
import type { SiteId } from '../../src/address/identity.js'
import { plainTerms } from '../../src/address/lock-terms.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import { bounded } from '../../src/consistency/copies/copies.js'
import type { CmOptions, CmSite, KeptPage } from '../../src/consistency/contract.js'
import { crew } from '../../src/consistency/crew/crew.js'
import { eventual } from '../../src/consistency/eventual/eventual.js'

const clean = 0 as PageIndex
const dirty = 1 as PageIndex
const stamp = 12_345
const site: CmSite = {
  parent: 9 as SiteId,
  now: 5000,
  wallTime: 0,
  versionOf: () => assert.fail('only the home knows'),
  isAllocated: () => true,
  siblingSession: () => undefined,
  parentSession: -1,
  fenceLimit: () => 0,
  canReach: () => false,
}

function optionsOf(consistency: object, kept: readonly KeptPage[]): CmOptions {
  const attributes = checkAttributes({ consistency })
  return { grace: 'none', pageSize: 4096, attributes, conflicts: undefined, merges: false, kept }
}

describe('a copy that was the home', () => {
  const asIs = { page: clean, version: stamp, isUnsettled: false, freshAt: 3000 }

  it('reads what it has kept while it is cut off, knows how old that is, and tells the next home what it has', () => {
    const copy = bounded.create(site, optionsOf({ preset: 'bounded', failure: 'read-only' }, [asIs]))
    assert.equal(copy.tryAcquire(clean, 1, 'read', plainTerms), true)
    assert.equal(copy.tryAcquire(dirty, 1, 'read', plainTerms), false)
    assert.equal(copy.inspect(clean).freshAt, 3000)
    copy.release(clean, 1, 'read', plainTerms)
    copy.step({ kind: 'parent-ready' })
    assert.equal(copy.tryAcquire(clean, 1, 'read', plainTerms), false)
    const range = { first: clean, count: 1 }
    const [asked] = copy.step({ kind: 'lock', lock: 1 as never, range, mode: 'read', terms: plainTerms })
    assert.ok(asked?.kind === 'send' && asked.message.kind === 'fetch')
    assert.deepEqual(asked.message.known, [stamp])
  })

  it('does not read it beyond the bound where the region refuses', () => {
    const copy = bounded.create(site, optionsOf({ preset: 'bounded' }, [asIs]))
    assert.equal(copy.tryAcquire(clean, 1, 'read', plainTerms), false)
  })

  it('of crew has no right to it, tells the next home what it has, and forgets what may never have become durable', () => {
    const open = { page: dirty, version: stamp + 1, isUnsettled: true, freshAt: 3000 }
    const copy = crew.create(site, optionsOf({ preset: 'strict' }, [asIs, open]))
    assert.equal(copy.tryAcquire(clean, 1, 'read', plainTerms), false)
    assert.deepEqual(copy.step({ kind: 'parent-ready' }), [{ kind: 'drop', page: dirty }])
    const range = { first: clean, count: 2 }
    const [asked] = copy.step({ kind: 'lock', lock: 1 as never, range, mode: 'read', terms: plainTerms })
    assert.ok(asked?.kind === 'send' && asked.message.kind === 'acquire')
    assert.deepEqual(asked.message.known, [stamp, -1])
    const named = { page: clean, version: (stamp + 1000) as Version, hasBytes: false }
    const { serial } = asked.message
    const grant = { kind: 'grant', serial, right: 'shared', pages: [named], fences: undefined } as const
    assert.deepEqual(copy.step({ kind: 'message', from: 9 as SiteId, message: grant, parcels: [] }), [])
    assert.equal(copy.inspect(clean).version, stamp + 1000)
    assert.equal(copy.inspect(clean).right, 'shared')
  })

  it('owes the next home what it had accepted, under the stamp that it was accepted with, and tells it what else it has', () => {
    const accepted = { page: dirty, version: stamp, isUnsettled: true, freshAt: 3000 }
    const copy = eventual.create(site, optionsOf({ preset: 'eventual' }, [asIs, accepted]))
    assert.equal(copy.tryAcquire(clean, 2, 'write', plainTerms), true)
    copy.release(clean, 2, 'write', plainTerms)
    assert.equal(copy.isUnsettled(dirty), true)
    const said = copy
      .step({ kind: 'parent-ready' })
      .flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []))
    assert.deepEqual(said, [
      { kind: 'hold', pages: [{ page: clean, stamp }] },
      { kind: 'push', pages: [{ page: dirty, stamp, base: 0 }] },
    ])
  })
})
