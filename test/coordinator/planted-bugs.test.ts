import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stateBugs } from '../../src/coordinator/state-bug.js'
import { coordinatorScenes } from '../../src/testing/coordinator/run-coordinator-tests.js'
import { playSimulated } from '../../src/testing/coordinator/sim-bed.js'

const seedsMax = 20

describe('a simulated coordinator with a bug planted in its store', () => {
  for (const bug of stateBugs) {
    it(`fails the suite with "${bug}"`, async (t) => {
      const caught: string[] = []
      for (let seed = 1; seed <= seedsMax && caught.length === 0; seed++) {
        for (const { name, play } of coordinatorScenes) {
          try {
            await playSimulated({ seed, bug }, play)
          } catch {
            caught.push(name)
          }
        }
      }
      assert.notEqual(caught.length, 0, `not caught in ${seedsMax} seeds`)
      t.diagnostic(`caught by: ${caught.join('; ')}`)
    })
  }
})
