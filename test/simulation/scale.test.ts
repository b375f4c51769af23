import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { bytesPerMessageTolerance, constantOperations, growthIn } from '../../sim/scale/growth.js'
import { measureScale } from '../../sim/scale/measure-scale.js'
import type { ScaleResult } from '../../sim/scale/measure-scale.js'
import type { OperationCost, OperationName } from '../../sim/scale/measured.js'

const main = fileURLToPath(new URL('../../sim/scale/main.js', import.meta.url))
const sizes = [4, 16, 64]
const regions = 128
const samples = 6
const seed = 1

function costOf({ operations, nodes }: ScaleResult, name: OperationName): OperationCost {
  const cost = operations.find((operation) => operation.name === name)
  assert.ok(cost !== undefined, `${name} was not measured with ${nodes} nodes`)
  return cost
}

describe('the cost of an operation in a cluster of 4, 16 and 64 nodes', () => {
  const results: ScaleResult[] = []
  before(async () => {
    for (const nodes of sizes) results.push(await measureScale({ seed, nodes, regions, samples }))
  })

  it(`does not grow with the nodes: no more messages, nor more than ${bytesPerMessageTolerance} bytes for each`, () => {
    for (const result of results) {
      for (const name of constantOperations) assert.ok(costOf(result, name).samples >= 3)
    }
    assert.deepEqual(growthIn(results), [])
  })

  it('is nothing for what a node has at hand, and a few messages for what it never heard of', () => {
    for (const result of results) {
      const median = (name: OperationName): number => costOf(result, name).messages.median
      assert.equal(costOf(result, 'reserve').messages.max, 0)
      assert.equal(costOf(result, 'read again').messages.max, 0)
      assert.equal(costOf(result, 'lookup again').messages.max, 0)
      // The manager is asked, and the home; then the page is.
      assert.equal(median('lookup'), 4)
      assert.equal(median('lookup and read'), 6)
      // The old home says where the region is now, or the session that it is moved in brings it: one question more at most.
      assert.ok(median('read, home moved') >= 2 && median('read, home moved') <= 4)
      assert.ok(costOf(result, 'lookup and read').bytes.median > 4096, 'a page came')
    }
  })

  it('leaves each node with one session, that with the manager, and with nothing to say', () => {
    for (const { nodes, sessions, rest } of results) {
      assert.deepEqual(sessions, { atRest: { median: 1, p99: 1, max: 1 }, ofManager: nodes - 1 })
      assert.equal(rest.messages, 0)
    }
  })

  it('is that of asking all nodes while the manager is missed, once each and not again and again', () => {
    for (const result of results) {
      const walk = costOf(result, 'lookup, manager dead')
      assert.ok(walk.messages.median >= result.nodes, `${walk.messages.median} messages`)
      // For the address, and for the root of the map; a question and its answer; and as much again to be safe.
      assert.ok(walk.messages.max <= 8 * result.nodes, `${walk.messages.max} messages`)
    }
  })
})

describe('growth', () => {
  it('is found where there is some: in clusters without a manager', async () => {
    const results: ScaleResult[] = []
    for (const nodes of [4, 16]) {
      results.push(await measureScale({ seed, nodes, regions, samples, withoutManager: true }))
    }
    const growths = growthIn(results)
    for (const name of ['lookup', 'lookup and read']) {
      for (const unit of ['messages', 'bytes']) {
        const isFound = growths.some(
          (text) => text.startsWith(`${name}: `) && text.includes(` ${unit} with 16 nodes`),
        )
        assert.ok(isFound, `no growth of ${name} in ${unit}: ${growths.join('; ')}`)
      }
    }
  })
})

describe('the program that measures', () => {
  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, ['--expose-gc', main, ...args], { encoding: 'utf8' })

  it('prints its tables to stdout alone, and nothing of them is missing', () => {
    const { status, stdout, stderr } = run(...'--nodes 5 --regions 60 --samples 1 --markdown'.split(' '))
    assert.equal(status, 0, stderr)
    for (const name of constantOperations) assert.ok(stdout.includes(`| ${name} `), name)
    assert.match(stdout, /\| memory for each region, at all nodes together +\| +\d/)
    assert.doesNotMatch(stdout, /NaN|undefined| - /)
    assert.match(stderr, /5 nodes, .*: reserving regions/)
  })

  it('refuses what it cannot do, and says what it can', () => {
    for (const [args, answer] of [
      ['--nodes 8,3', /from 4 to 4096/],
      ['--regions 10', /give --regions \d+/],
      ['4', /too many arguments/],
    ] as const) {
      const { status, stdout, stderr } = run(...args.split(' '))
      assert.deepEqual([status, stdout], [2, ''], args)
      assert.match(stderr, /^khazana: invalid-argument: /)
      assert.match(stderr, answer)
    }
  })
})
