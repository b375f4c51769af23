import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import type { ProtocolDefinition } from '../../src/consistency/contract.js'
import type { ProtocolClaims } from '../../src/testing/protocol/protocol-claims.js'
import { runProtocolTests } from '../../src/testing/protocol/run-protocol-tests.js'
import { toyWith } from './toy-protocol.js'
import type { ToyBug } from './toy-protocol.js'

const claims: ProtocolClaims = { reads: 'linearizable', writes: 'exclusive', unlockMeans: 'durable' }

runProtocolTests({ describe, it }, toyWith(undefined), claims)

/** Names of the tests that fail. */
function failures<M>(protocol: ProtocolDefinition<M>, claimed: ProtocolClaims, seeds: number): string[] {
  const failed: string[] = []
  const runner = {
    describe: (_name: string, body: () => void) => {
      body()
    },
    it: (name: string, body: () => void) => {
      try {
        body()
      } catch (error) {
        assert(error instanceof Error)
        failed.push(`${name}: ${error.message}`)
      }
    },
  }
  runProtocolTests(runner, protocol, claimed, { seeds })
  return failed
}

const bugs: Record<ToyBug, RegExp> = {
  'grants without mutual exclusion': /keeps out/,
  'acknowledges before durable': /on stable storage/,
  'forgets an update': /random runs/,
  'never answers after a cancel': /gives up/,
  'never answers after the home was lost': /answered/,
  'keeps the lock of a dead child': /died do not block/,
  'grants pages without storage': /not allocated/,
  'believes every child': /nonsense/,
  'is never quiet': /quiesce/,
  'does not wait for the end of grace': /after the home has died/,
  'ignores a failing disk': /disk has no room/,
}

for (const [bug, expected] of Object.entries(bugs)) {
  test(`the suite finds a protocol that ${bug}`, () => {
    const failed = failures(toyWith(bug as ToyBug), claims, 25)
    assert(
      failed.some((line) => expected.test(line)),
      ['what failed is:', ...failed.map((line) => line.split('\n')[0])].join('\n'),
    )
  })
}

test('the suite finds a claim that is not kept, though the protocol keeps another', () => {
  assert.deepEqual(failures(toyWith(undefined), { ...claims, reads: 'release' }, 10), [])
  const shared = failures(toyWith(undefined), { ...claims, writes: 'shared' }, 0)
  assert.match(shared.join('\n'), /writers who share a page/)
  const hitting = failures(toyWith(undefined), { ...claims, hits: ['read'] }, 0)
  assert.match(hitting.join('\n'), /costs no message/)
  const free = failures(toyWith(undefined), { ...claims, conflicts: true }, 0)
  assert.match(free.join('\n'), /do not conflict/)
})
