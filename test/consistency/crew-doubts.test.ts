import assert from 'node:assert/strict'
import { it } from 'node:test'
import { checkAttributes } from '../../src/address/attributes.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import type { CmSite, CommitId } from '../../src/consistency/contract.js'
import { crew } from '../../src/consistency/crew/crew.js'
import { eraVersions } from '../../src/membership/home-group/era.js'

/** As many as one section can have written. */
const pageCount = 16_384

const home: CmSite = {
  parent: undefined,
  parentSession: 0,
  now: 0,
  wallTime: 0,
  versionOf: () => eraVersions as Version,
  isCurrent: () => false,
  storedVersion: () => 5,
  skipVersions: () => undefined,
  keepsDoubts: true,
  isAllocated: () => true,
  siblingSession: () => undefined,
  canReach: () => false,
  fenceLimit: (used) => used + 1000,
}

it('a node that has become the home settles a commit of very many pages that it had in doubt', () => {
  const pages = Array.from({ length: pageCount }, (_, page) => ({ page: page as PageIndex, own: 6, last: 6 }))
  const doubt = {
    ...{ commit: 1 as CommitId, pages, isBarred: false },
    origin: { kind: 'local', ticket: 1 } as const,
  }
  const manager = crew.create(home, {
    ...{ grace: 'until-ended', pageSize: 4096, merges: false, conflicts: undefined },
    attributes: checkAttributes({}),
    doubts: [doubt],
  })
  const effects = manager.step({ kind: 'grace-ended' })
  const persisted = effects.flatMap((effect) => (effect.kind === 'persist' ? effect.pages : []))
  assert.equal(persisted.length, pageCount)
  assert.ok(persisted.every(({ version }) => version > eraVersions))
})
