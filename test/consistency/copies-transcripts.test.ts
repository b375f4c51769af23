import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { presets } from '../../src/address/consistency-vector.js'
import { bounded, crewObjects, release } from '../../src/consistency/copies/copies.js'
import { ProtocolWorld } from '../../src/testing/protocol/protocol-world.js'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import { assertGolden } from '../testing/golden-transcript.js'
import { wordsOfCopies } from './copies-words.js'

const words = wordsOfCopies

describe('The conversations of protocols with copies', () => {
  it('release: two writers of one page do not wait for each other', () => {
    const world = new ProtocolWorld({
      protocol: release,
      children: ['A', 'B'],
      attributes: { consistency: presets.release },
      words,
    })
    world.say('A and B write different bytes of page 0 at the same time. Neither waits for the other.')
    const a = world.lock('A', 'write-shared', 0)
    const b = world.lock('B', 'write-shared', 0)
    world.settle()
    writeCell(a, 0, 0, 1)
    writeCell(b, 0, 1, 2)
    world.say(`A unlocks. What it wrote goes home as a patch. Once that is durable, B, which holds a copy, gets it, and
      answers. Only then does A hear that it is done: its copy becomes what the home has by the patch that it kept.`)
    world.unlock(a)
    world.settle()
    world.say('B unlocks. Its patch goes on top of what A wrote: neither undoes the other.')
    world.unlock(b)
    world.settle()
    world.say('Both have both, and need to ask nobody.')
    for (const name of ['A', 'B']) {
      const reader = world.lock(name, 'read', 0)
      assert.deepEqual([readCell(reader, 0, 0), readCell(reader, 0, 1)], [1, 2])
      world.unlock(reader)
    }
    assertGolden('release-two-writers', world)
  })

  it('release: what came while the disk was busy is one version', () => {
    const world = new ProtocolWorld({
      protocol: release,
      children: ['A', 'B'],
      attributes: { consistency: presets.release },
      words,
    })
    world.say(
      'Both have the page, and unlock at about the same time. The home itself has written it just before.',
    )
    const own = world.lock('H', 'write-shared', 0)
    const a = world.lock('A', 'write-shared', 0)
    const b = world.lock('B', 'write-shared', 0)
    world.settle()
    writeCell(own, 0, 2, 3)
    writeCell(a, 0, 0, 1)
    writeCell(b, 0, 1, 2)
    world.unlock(own)
    world.unlock(a)
    world.unlock(b)
    world.say(
      'While the disk writes for the home, both commits arrive. They wait for the page, and go together.',
    )
    world.deliverAll()
    world.endCommit()
    world.deliverAll()
    world.say(`Both writers hold copies, so that nobody else has to be told: each gets the other's patch with the answer
      to its own commit.`)
    world.settle()
    assertGolden('release-batch', world)
  })

  it('bounded: a read is answered from a copy, and a copy is found to be fresh', () => {
    const world = new ProtocolWorld({
      protocol: bounded,
      children: ['A', 'B'],
      attributes: { consistency: presets.bounded },
      words,
    })
    world.say('The region allows reads to be a second behind. A reads page 0.')
    const first = world.lock('A', 'read', 0)
    world.settle()
    world.unlock(first)
    world.say('Half a second later B writes it, and is done without a word to A.')
    world.tick(500)
    const b = world.lock('B', 'write', 0)
    world.settle()
    writeCell(b, 0, 0, 7)
    world.unlock(b)
    world.settle()
    world.say('A may still read the old bytes.')
    const old = world.lock('A', 'read', 0)
    assert.equal(readCell(old, 0, 0), 0)
    world.unlock(old)
    world.say('After a second it has to ask.')
    world.tick(501)
    const fresh = world.lock('A', 'read', 0)
    world.settle()
    assert.equal(readCell(fresh, 0, 0), 7)
    world.unlock(fresh)
    world.say('So it has to a second later, but nothing was written since: no bytes travel.')
    world.tick(1001)
    const again = world.lock('A', 'read', 0)
    world.settle()
    assert.equal(readCell(again, 0, 0), 7)
    world.unlock(again)
    world.say('A lock that demands to be fresh asks at any time.')
    const demanding = world.lock('A', 'read', 0, 1, { terms: { staleness: { ms: 0, versions: 0 } } })
    world.settle()
    world.unlock(demanding)
    assertGolden('bounded-revalidation', world)
  })

  it('bounded: a copy that would be too many versions behind is invalidated', () => {
    const world = new ProtocolWorld({
      protocol: bounded,
      children: ['A', 'B'],
      attributes: {
        consistency: { ...presets.bounded, staleness: { ms: Infinity, versions: 1 } },
      },
      words,
    })
    world.say('The region allows reads to be one version behind. A has a copy.')
    const first = world.lock('A', 'read', 0)
    world.settle()
    world.unlock(first)
    world.say('B writes the page once. A is one version behind, which is allowed: nobody is told.')
    for (const value of [1, 2]) {
      if (value === 2) {
        world.say(
          `B writes it once more. Before it may hear that it is done, A must not use its copy any more.`,
        )
      }
      const b = world.lock('B', 'write', 0)
      world.settle()
      writeCell(b, 0, 0, value)
      world.unlock(b)
      world.settle()
    }
    world.say('A has to ask, and says which bytes it has.')
    const next = world.lock('A', 'read', 0)
    world.settle()
    assert.equal(readCell(next, 0, 0), 2)
    assertGolden('bounded-invalidation', world)
  })

  it('objects: two objects in one page are locked at once', () => {
    const world = new ProtocolWorld({
      protocol: crewObjects,
      children: ['A', 'B'],
      attributes: { consistency: presets.strict },
      conflicts: (a, b) => a.tag === b.tag && (a.mode !== 'read' || b.mode !== 'read'),
      words,
    })
    world.say(
      'The region says that locks conflict where they name the same object. A and B write two objects in page 0.',
    )
    const a = world.lock('A', 'write', 0, 1, { terms: { tag: 'x' } })
    const b = world.lock('B', 'write', 0, 1, { terms: { tag: 'y' } })
    world.settle()
    assert.deepEqual([a.state, b.state], ['open', 'open'])
    writeCell(a, 0, 0, 1)
    writeCell(b, 0, 1, 2)
    world.say('The home wants to read x, and waits for A.')
    const reader = world.lock('H', 'read', 0, 1, { terms: { tag: 'x' } })
    world.settle()
    assert.equal(reader.state, 'waiting')
    world.say('A unlocks. When what it wrote is durable, its lock ends, and the home has its turn.')
    world.unlock(a)
    world.settle()
    assert.equal(readCell(reader, 0, 0), 1)
    world.unlock(reader)
    world.say('B unlocks. Its copy is older than what its patch was put on: its next lock brings the bytes.')
    world.unlock(b)
    world.settle()
    const both = world.lock('B', 'read', 0, 1, { terms: { tag: 'y' } })
    world.settle()
    assert.deepEqual([readCell(both, 0, 0), readCell(both, 0, 1)], [1, 2])
    world.unlock(both)
    world.settle()
    assertGolden('objects-in-one-page', world)
  })
})
