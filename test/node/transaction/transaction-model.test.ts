import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { transactionBugs } from '../../../src/node/transaction/transaction-bug.js'
import type { TransactionBug } from '../../../src/node/transaction/transaction-bug.js'
import { Prng } from '../../../src/stdx/prng.js'
import { TransactionWorld } from './transaction-world.js'

const seeds = 4000
const bugSeeds = 1000
const stepsMax = 60

/** What went wrong, if anything; and what became of it. */
function run(
  seed: number,
  bug?: TransactionBug,
): { readonly fault: string | undefined; readonly ended: string } {
  const random = Prng.fromSeed(seed)
  const world = new TransactionWorld(random, random.int(1, 4), bug)
  const ended = (): string => (world.decider.isWritten ? 'committed' : 'aborted')
  for (let step = random.int(0, stepsMax); step > 0 && world.step(); step--) {
    const fault = world.check()
    if (fault !== undefined) return { fault, ended: ended() }
  }
  const isOver = world.settle()
  const fault = world.check() ?? (isOver ? undefined : 'somebody is in doubt for ever')
  return { fault, ended: ended() }
}

describe('the homes of a transaction, with crashes of any of them at any moment', () => {
  it(`do all of it or nothing, and come to an end, in ${seeds} runs`, () => {
    const ends = new Map<string, number>()
    for (let seed = 1; seed <= seeds; seed++) {
      const { fault, ended } = run(seed)
      assert.equal(fault, undefined, `seed ${seed}`)
      ends.set(ended, (ends.get(ended) ?? 0) + 1)
    }
    // Runs of one kind alone would show little.
    for (const kind of ['committed', 'aborted'])
      assert.ok((ends.get(kind) ?? 0) > seeds / 20, [...ends].join(' '))
  })

  for (const bug of transactionBugs) {
    it(`are caught with "${bug}" within ${bugSeeds} runs`, (t) => {
      for (let seed = 1; seed <= bugSeeds; seed++) {
        const { fault } = run(seed, bug)
        if (fault === undefined) continue
        t.diagnostic(`seed ${seed}: ${fault}`)
        return
      }
      assert.fail('not caught')
    })
  }
})
