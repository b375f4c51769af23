import assert from 'node:assert/strict'
import { it } from 'node:test'
import { checkAttributes } from '../../src/address/attributes.js'
import type { SiteId } from '../../src/address/identity.js'
import { plainTerms } from '../../src/address/lock-terms.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import type { CmEffect, CmSite, LockId } from '../../src/consistency/contract.js'
import { crew } from '../../src/consistency/crew/crew.js'

const [child, page] = [2 as SiteId, 0 as PageIndex]
const range = { first: page, count: 1 }

const home: CmSite = {
  ...{ parent: undefined, parentSession: 0, now: 0, wallTime: 0 },
  versionOf: () => 1 as Version,
  isCurrent: () => false,
  isAllocated: () => true,
  siblingSession: () => 1,
  canReach: () => false,
  fenceLimit: (used) => used + 1000,
}

function granted(effects: readonly CmEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.kind === 'grant') return [`lock ${effect.lock}`]
    return effect.kind === 'send' && effect.message.kind === 'grant' ? [`child ${effect.to}`] : []
  })
}

it('a home that was started again gives no right, to read neither, before all from before have ended', () => {
  const manager = crew.create(home, {
    ...{ grace: 'until-ended', pageSize: 4096, merges: false, conflicts: undefined },
    attributes: checkAttributes({}),
  })
  assert.equal(manager.tryAcquire(page, 1, 'read', plainTerms), false)
  assert.equal(manager.tryAcquire(page, 1, 'write', plainTerms), false)
  const hold = (): unknown => manager.hold?.(page)
  assert.equal(hold(), 'refused')
  const waiting = [
    manager.step({ kind: 'lock', lock: 1 as LockId, range, mode: 'read', terms: plainTerms }),
    manager.step({
      kind: 'message',
      from: child,
      message: { kind: 'acquire', serial: 1, range, right: 'shared', known: [], isInDoubt: false },
      parcels: [],
    }),
    manager.step({ kind: 'lock', lock: 2 as LockId, range, mode: 'write', terms: plainTerms }),
  ]
  assert.deepEqual(granted(waiting.flat()), [])
  assert.deepEqual(granted(manager.step({ kind: 'grace-ended' })).sort(), ['child 2', 'lock 1'])
  assert.equal(hold(), 'held')
})
