import assert from 'node:assert/strict'
import { it } from 'node:test'
import { checkAttributes } from '../../src/address/attributes.js'
import type { SiteId } from '../../src/address/identity.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import { release } from '../../src/consistency/copies/copies.js'
import { noBytes } from '../../src/consistency/copies/message.js'

it('a page whose storage goes away while it is being fetched is refused, not sent as zeros', () => {
  let isAllocated = true
  const home = release.create(
    {
      parent: undefined,
      now: 0,
      wallTime: 0,
      versionOf: () => 1 as Version,
      isAllocated: () => isAllocated,
      siblingSession: () => undefined,
      parentSession: -1,
      fenceLimit: () => 0,
      canReach: () => false,
    },
    { grace: 'none', pageSize: 4096, attributes: checkAttributes({}), conflicts: undefined, merges: false },
  )
  const range = { first: 0 as PageIndex, count: 1 }
  const [asked] = home.step({
    kind: 'message',
    from: 9 as SiteId,
    message: { kind: 'fetch', serial: 1, range, known: [noBytes] },
    parcels: [],
  })
  assert.ok(asked?.kind === 'load')
  isAllocated = false
  home.step({ kind: 'freed', range, code: 'not-allocated', message: 'gone' })
  const [told] = home.step({ kind: 'loaded', load: asked.load, failure: undefined })
  assert.ok(told?.kind === 'send')
  assert.equal(told.message.kind, 'refused')
})
