import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { groupBugs } from '../../../src/membership/home-group/group-bug.js'
import { checkGroup } from './check-group.js'

const seeds = 2_000
const seedsPerTest = 250
/** Each planted bug is found by then. */
const seedsToFindMax = 1_200

describe('a home group whose nodes crash, stop, lose disks and cannot reach each other', () => {
  for (let first = 1; first <= seeds; first += seedsPerTest) {
    const last = first + seedsPerTest - 1
    it(`loses nothing, has one primary, and is whole again afterwards: seeds ${first} to ${last}`, (t) => {
      let acknowledged = 0
      let reigns = 0
      for (let seed = first; seed <= last; seed++) {
        const run = checked(seed)
        acknowledged += run.acknowledged
        reigns += run.reigns
      }
      t.diagnostic(`${acknowledged} commits were acknowledged in ${reigns} reigns`)
      assert.ok(reigns > 2 * seedsPerTest, 'there were takeovers')
      assert.ok(acknowledged > 20 * seedsPerTest, 'there were commits')
    })
  }
})

describe('a home group with a bug planted in it', () => {
  for (const bug of groupBugs) {
    it(`is found out with "${bug}"`, (t) => {
      for (let seed = 1; seed <= seedsToFindMax; seed++) {
        try {
          checkGroup(seed, bug)
        } catch (error) {
          t.diagnostic(`seed ${seed}: ${String(error).slice(0, 150)}`)
          return
        }
      }
      assert.fail(`not found in ${seedsToFindMax} seeds`)
    })
  }
})

function checked(seed: number): ReturnType<typeof checkGroup> {
  try {
    return checkGroup(seed)
  } catch (cause) {
    throw new Error(`seed ${seed}: ${String(cause)}`, { cause })
  }
}
