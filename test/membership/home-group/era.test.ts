import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eraVersions, isNameOf } from '../../../src/membership/home-group/era.js'

describe('the versions under which a site was told what a page has', () => {
  const era = (number: number): number => number * eraVersions

  it('are the one that it is told under, the one that it is stored under, and the first of each era since', () => {
    const page = { base: era(2) + 7, told: era(5) }
    for (const name of [era(5), era(2) + 7, era(3), era(4)]) assert.ok(isNameOf(name, page), `${name}`)
  })

  it('are no others: of commits that were overwritten, refused or never made, of earlier eras, or of no bytes at all', () => {
    const page = { base: era(2) + 7, told: era(5) }
    for (const name of [-1, 0, era(2), era(2) + 6, era(2) + 8, era(3) + 1, era(5) + 1, era(6)])
      assert.ok(!isNameOf(name, page), `${name}`)
  })

  it('of zeros are above all that any page had when its storage was taken away', () => {
    const page = { base: era(2) + 7, told: era(4) }
    assert.ok(!isNameOf(era(2), page))
    assert.ok(isNameOf(era(2) + 7, page))
    assert.ok(isNameOf(era(3), page))
    assert.ok(isNameOf(0, { base: 0, told: era(4) }))
  })
})
