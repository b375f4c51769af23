import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkCoordinator } from '../../../src/node/coordinator/coordinator-check.js'
import type { Revision } from '../../../src/coordinator/coordinator.js'
import type { CoordinatorCheckOptions } from '../../../src/node/coordinator/coordinator-check.js'
import { KhazanaError } from '../../../src/stdx/errors.js'
import type { ErrorCode } from '../../../src/stdx/errors.js'
import { FakeClock } from '../fake-world.js'

/** What a coordinator, and the founder, say in turn: the last again and again. */
function setUp(answers: readonly (ErrorCode | 'fine')[], founder?: readonly (ErrorCode | 'fine')[]) {
  const clock = new FakeClock()
  const lines: string[] = []
  const stop = new AbortController()
  let asked = 0
  const next = (all: readonly (ErrorCode | 'fine')[]) => {
    const left = [...all]
    return () => {
      asked += 1
      const answer = left.length > 1 ? left.shift() : left[0]
      if (answer === undefined || answer === 'fine')
        return Promise.resolve({ found: undefined, revision: 1 as Revision })
      return Promise.reject(new KhazanaError(answer, `it says ${answer}`))
    }
  }
  const options: CoordinatorCheckOptions = {
    clock,
    logger: { log: (level, message) => lines.push(`${level} ${message}`) },
    coordinator: { get: next(answers) },
    desk: founder && { ask: next(founder) as never },
    signal: stop.signal,
  }
  let isOver = false
  const ending = checkCoordinator(options).then(() => (isOver = true))
  return { clock, lines, ending, stop, asked: () => asked, isOver: () => isOver }
}

const noAnswer =
  'warn the coordinator does not answer: until it does, regions with replicas are not served by this node, nor made'

describe('what is said of a coordinator', () => {
  it('is nothing where it answers at once', async () => {
    const { clock, lines, isOver, asked } = setUp(['fine'])
    await clock.advance(1)
    assert.deepEqual([lines, isOver(), asked()], [[], true, 1])
  })

  it('is once that it does not answer, and once that it does', async () => {
    const { clock, lines, isOver } = setUp(['unreachable', 'timeout', 'unreachable', 'fine'])
    await clock.advance(9000)
    assert.deepEqual([lines, isOver()], [[noAnswer], false])
    await clock.advance(9000)
    assert.deepEqual([lines, isOver()], [[noAnswer, 'info the coordinator answers'], true])
  })

  it('is that the founder has one itself, as soon as that can be asked', async () => {
    const { clock, lines, isOver } = setUp(['fine'], ['unreachable', 'fine'])
    await clock.advance(1000)
    assert.deepEqual([lines, isOver()], [[], false])
    await clock.advance(9000)
    const what =
      'error the founder of the cluster keeps its coordinator itself: start this node with --coordinator embedded'
    assert.deepEqual([lines, isOver()], [[what], true])
  })

  it('is nothing where the founder says that it has none', async () => {
    const { clock, lines, isOver } = setUp(['fine'], ['unsupported'])
    await clock.advance(1000)
    assert.deepEqual([lines, isOver()], [[], true])
  })

  it('is nothing more when the node stops', async () => {
    for (const how of ['signal', 'closed'] as const) {
      const { clock, lines, ending, stop, asked } = setUp(
        how === 'closed' ? ['timeout', 'closed'] : ['timeout'],
      )
      await clock.advance(1000)
      if (how === 'signal') stop.abort()
      await clock.advance(60_000)
      await ending
      assert.deepEqual([lines, asked()], [[noAnswer], how === 'signal' ? 1 : 2])
    }
  })
})
