import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prng } from '../../src/stdx/prng.js'
import { writeCell } from '../../src/testing/protocol/cells.js'
import type { CopiesWorld } from './copies-world.js'
import { boundedWorld, opened, releaseWorld, seenBy } from './copies-world.js'
import { CrewScript } from './crew-script.js'

/*
 * What protocols cost in messages, as docs/adr/0009-eager-updates-for-release.md has it. All counts are of managers'
 * messages, with everything else that the wire needs left out.
 */

const rounds = 64

/** Sites take turns to write their own cell of one page. Messages a round, once all have copies. */
function alternatingRelease(sites: readonly string[]): number {
  const world = releaseWorld({ children: sites })
  const round = (turn: number): void => {
    const at = turn % sites.length
    const section = opened(world, sites[at] ?? '', 'write-shared', 0)
    writeCell(section, 0, at, 1 + (turn % 200))
    world.unlock(section)
    world.settle()
    assert.equal(section.state, 'done')
  }
  for (let turn = 0; turn < sites.length; turn++) round(turn)
  const before = world.sent.length
  for (let turn = 0; turn < rounds; turn++) round(turn + sites.length)
  return (world.sent.length - before) / rounds
}

function alternatingCrew(): number {
  const script = new CrewScript([{ name: 'H' }, { name: 'A', parent: 'H' }, { name: 'B', parent: 'H' }])
  const round = (turn: number): void => {
    const section = script.lock(turn % 2 === 0 ? 'A' : 'B', 'write', 0)
    script.finish()
    script.unlock(section)
    script.finish()
  }
  for (let turn = 0; turn < 4; turn++) round(turn)
  const before = script.sent.length
  for (let turn = 0; turn < rounds; turn++) round(turn)
  return (script.sent.length - before) / rounds
}

/** Sites at random write once, and read `reads` times. Messages a round. */
function mixed(
  world: CopiesWorld,
  sites: readonly string[],
  reads: number,
  demand: 'region' | 'fresh',
): number {
  const random = Prng.fromSeed(9)
  const terms = demand === 'fresh' ? { staleness: { ms: 0, versions: 0 } } : {}
  for (const site of sites) seenBy(world, site, 0, 0, terms)
  const before = world.sent.length
  for (let turn = 0; turn < rounds; turn++) {
    const writer = opened(world, random.pick(sites), 'write-shared', 0)
    writeCell(writer, 0, 0, 1 + turn)
    world.unlock(writer)
    world.settle()
    for (let read = 0; read < reads; read++) seenBy(world, random.pick(sites), 0, 0, terms)
  }
  return (world.sent.length - before) / rounds
}

describe('Messages that protocols with copies cost', () => {
  it('are four a release where two sites write different bytes of one page in turn; crew needs more', () => {
    assert.equal(alternatingRelease(['A', 'B']), 4)
    assert.equal(alternatingRelease(['A', 'B', 'C', 'D']), 8)
    assert.equal(alternatingCrew(), 7)
  })

  it('are fewer with updates than with questions where four sites read a page more than twice a write', () => {
    const sites = ['A', 'B', 'C', 'D']
    const counts = [0, 1, 2, 4, 8, 16].map((reads) => [
      reads,
      mixed(releaseWorld({ children: sites }), sites, reads, 'region'),
      mixed(boundedWorld({ children: sites }), sites, reads, 'fresh'),
    ])
    assert.deepEqual(counts, [
      [0, 7.78125, 4],
      [1, 8.03125, 6],
      [2, 8, 8],
      [4, 8, 12],
      [8, 8, 20],
      [16, 8, 36],
    ])
  })

  it('come down to two a release when those who hold copies do not read them', () => {
    const world = releaseWorld({ children: ['A', 'B', 'C', 'D'] })
    for (const site of ['A', 'B', 'C', 'D']) seenBy(world, site, 0, 0)
    const counts: number[] = []
    for (let turn = 1; turn <= 10; turn++) {
      const before = world.sent.length
      const writer = opened(world, 'A', 'write-shared', 0)
      writeCell(writer, 0, 0, turn)
      world.unlock(writer)
      world.settle()
      counts.push(world.sent.length - before)
    }
    assert.deepEqual(counts, [8, 8, 8, 8, 8, 8, 8, 8, 2, 2])
  })
})
