import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { defaultAttributes } from '../../src/address/attributes.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { nodeId } from '../../src/address/identity.js'
import { Locator, namedMax, openMax, walkWidthMax } from '../../src/location/locator.js'
import type { LocatorEffect, LocatorEvent } from '../../src/location/locator.js'
import { Prng } from '../../src/stdx/prng.js'
import type { Whereabouts } from '../../src/wire/message.js'

const self = nodeId(9)
const manager = nodeId(1)

function descriptorAt(home: number): RegionDescriptor {
  return {
    address: addressFrom(0x1_0000_0000n),
    size: 4096,
    pageSize: 4096,
    home: nodeId(home),
    generation: 1,
    revision: 1,
    era: 1,
    attributes: defaultAttributes,
  }
}

const unknown: Whereabouts = { kind: 'unknown' }
const unreserved: Whereabouts = { kind: 'unreserved' }
const homeAt = (home: number): Whereabouts => ({ kind: 'home', descriptor: descriptorAt(home) })
const elsewhere = (...nodes: readonly number[]): Whereabouts => ({
  kind: 'elsewhere',
  nodes: nodes.map(nodeId),
  isSure: false,
})
const answer = (node: number, whereabouts: Whereabouts): LocatorEvent => ({
  kind: 'answer',
  node: nodeId(node),
  whereabouts,
})
const silence = (node: number): LocatorEvent => ({ kind: 'silence', node: nodeId(node) })
const slow = (node: number): LocatorEvent => ({ kind: 'slow', node: nodeId(node) })
const mapSays = (...homes: readonly number[]): LocatorEvent => ({ kind: 'map', homes: homes.map(nodeId) })
const members = (...nodes: readonly number[]): LocatorEvent => ({ kind: 'members', nodes: nodes.map(nodeId) })
const start = (own: Whereabouts = unknown): LocatorEvent => ({ kind: 'start', own, manager })

function wordsOf(effect: LocatorEffect): string {
  switch (effect.kind) {
    case 'ask':
      return `ask ${effect.node}`
    case 'found':
      return `found at ${effect.descriptor.home} by ${effect.found.by} asking ${effect.found.asked}`
    case 'failed':
      return effect.code
    case 'look-here':
    case 'search-map':
    case 'list-members':
      return effect.kind
  }
}

/** What each event leads to. */
function search(...events: readonly LocatorEvent[]): string[] {
  const locator = new Locator(self)
  return events.map((event) => locator.step(event).map(wordsOf).join(', '))
}

describe('The search for a home', () => {
  it('asks the manager, and whom it names', () => {
    assert.deepEqual(search(start(), answer(1, elsewhere(4)), answer(4, homeAt(4))), [
      'ask 1',
      'ask 4',
      'found at 4 by manager asking 2',
    ])
  })

  it('follows what this node knows itself first', () => {
    assert.deepEqual(search(start(homeAt(9))), ['found at 9 by home asking 0'])
    assert.deepEqual(search(start(elsewhere(5)), answer(5, homeAt(5))), [
      'ask 5',
      'found at 5 by directory asking 1',
    ])
  })

  it('pays one question for a stale hint', () => {
    assert.deepEqual(
      search(start(), answer(1, elsewhere(4)), answer(4, elsewhere(6)), answer(6, homeAt(6))),
      ['ask 1', 'ask 4', 'ask 6', 'found at 6 by manager asking 3'],
    )
  })

  it('goes to the map when the manager is silent or knows nothing, and to all nodes when that says nothing', () => {
    assert.deepEqual(search(start(), silence(1), mapSays(3), answer(3, homeAt(3))), [
      'ask 1',
      'search-map',
      'ask 3',
      'found at 3 by map asking 2',
    ])
    const walk = [start(), answer(1, unknown), mapSays(), members(1, 2, 3, 9)]
    assert.deepEqual(search(...walk, answer(2, unknown), answer(3, homeAt(3))), [
      'ask 1',
      'search-map',
      'list-members',
      'ask 2, ask 3',
      '',
      'found at 3 by walk asking 3',
    ])
  })

  it('goes on without a node that is slow to answer, and hears it when it does', () => {
    const late = [start(), slow(1), mapSays(), members(1, 2, 9)]
    assert.deepEqual(search(...late, answer(1, elsewhere(4)), answer(4, homeAt(4))), [
      'ask 1',
      'search-map',
      'list-members',
      'ask 2',
      'ask 4',
      'found at 4 by walk asking 3',
    ])
    assert.deepEqual(search(...late, answer(2, homeAt(2))).at(-1), 'found at 2 by walk asking 2')
    assert.deepEqual(search(start(), answer(1, elsewhere(4)), answer(4, unknown), slow(4)).at(-1), '')
  })

  it('waits for those that are slow before it says that there is no such region', () => {
    const walk = [start(), slow(1), mapSays(), members(1, 2, 9), answer(2, unknown)]
    assert.deepEqual(search(...walk).at(-1), '')
    assert.deepEqual(search(...walk, answer(1, unknown)).at(-1), 'no-such-region')
    assert.deepEqual(search(...walk, silence(1)).at(-1), 'unreachable')
  })

  it('says who has not answered when there is no more time, and is over', () => {
    const time: LocatorEvent = { kind: 'time' }
    assert.deepEqual(search(start(), time, answer(1, homeAt(1))), ['ask 1', 'unreachable', ''])
    const locator = new Locator(self)
    for (const event of [start(), answer(1, elsewhere(4)), slow(4), mapSays()]) locator.step(event)
    locator.step(members(1, 4, 5))
    assert.deepEqual(locator.verdict(), {
      code: 'unreachable',
      message: 'the home of the region cannot be reached: node 4 should have it, or know of it',
    })
    assert.equal(new Locator(self).verdict().message, 'the search for the region was not over in this time')
  })

  it('takes the word of a node that was silent, and then is not', () => {
    const walk = [start(), answer(1, elsewhere(4)), silence(4), mapSays(4)]
    assert.deepEqual(search(...walk, answer(4, unknown), members(1, 4, 9)).at(-1), 'no-such-region')
    assert.deepEqual(search(...walk, silence(4), members(1, 4, 9)).at(-1), 'unreachable')
  })

  it('follows a chain of hints so far, and no farther', () => {
    const locator = new Locator(self)
    let effects = locator.step(start())
    let asked = 0
    for (let next = 20; effects[0]?.kind === 'ask'; next++) {
      asked += 1
      effects = locator.step(answer(effects[0].node, elsewhere(next)))
    }
    assert.deepEqual([asked, effects.map(wordsOf)], [1 + namedMax, ['search-map']])
  })

  it('asks more nodes at a time where many are slow, but not all', () => {
    const locator = new Locator(self)
    for (const event of [start(), answer(1, unknown), mapSays()]) locator.step(event)
    const nodes = Array.from({ length: 1000 }, (_, index) => index + 10)
    const asked: number[] = []
    const note = (effects: readonly LocatorEffect[]): void => {
      for (const effect of effects) if (effect.kind === 'ask') asked.push(effect.node)
    }
    note(locator.step(members(...nodes)))
    assert.equal(asked.length, walkWidthMax)
    // Those that come to it on the way, too.
    for (const node of asked) note(locator.step(slow(node)))
    assert.equal(asked.length, openMax)
    note(locator.step(silence(10)))
    assert.equal(asked.length, openMax + 1)
  })

  it('looks again at what this node has when another one says that it is here', () => {
    const named = [start(), answer(1, elsewhere(9))]
    assert.deepEqual(search(...named, answer(9, homeAt(9))), [
      'ask 1',
      'look-here',
      'found at 9 by home asking 1',
    ])
    assert.deepEqual(search(...named, answer(9, unknown)).at(-1), 'search-map')
  })

  it('tells an address that nobody has from a home that cannot be reached', () => {
    assert.deepEqual(search(start(), answer(1, elsewhere(4)), answer(4, unreserved)).at(-1), 'no-such-region')
    const walk = [start(), answer(1, unknown), mapSays(), members(1, 2, 9)]
    assert.equal(search(...walk, answer(2, unknown)).at(-1), 'no-such-region')
    assert.equal(search(...walk, silence(2)).at(-1), 'unreachable')
    const named = [start(), answer(1, elsewhere(4)), silence(4), mapSays(4), answer(4, homeAt(4))]
    assert.equal(search(...named).at(-1), 'found at 4 by map asking 3', 'it is asked once more')
  })

  it('does not take a region that is between two homes for one that is not there', () => {
    const handed: Whereabouts = { kind: 'elsewhere', nodes: [nodeId(4)], isSure: true }
    const between = [start(), answer(1, handed), answer(4, unknown), mapSays(), members(1, 4, 9)]
    assert.equal(search(...between).at(-1), 'unreachable')
  })

  it('asks a node again that names another one and is named by it, and then no more', () => {
    const locator = new Locator(self)
    let asked = locator.step(start())
    let count = 0
    while (asked[0]?.kind === 'ask') {
      const { node } = asked[0]
      asked = locator.step(answer(node, elsewhere(node === 4 ? 5 : 4)))
      count += 1
    }
    assert.deepEqual([count, asked.map(wordsOf)], [5, ['search-map']])
  })

  it('ends in any case, asks nobody too often, and says what is so, over 2,000 seeds', () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const random = Prng.fromSeed(seed)
      const nodes = Array.from({ length: random.int(1, 60) }, (_, index) => index + 1)
      const home = random.chance(0.6) ? random.pick(nodes) : undefined
      const dead = new Set(nodes.filter(() => random.chance(0.2)))
      const locator = new Locator(self)
      const asks = new Map<number, number>()
      let open: number[] = []
      let outcome: LocatorEffect | undefined
      const queue: LocatorEvent[] = [start(home === 9 ? homeAt(9) : unknown)]
      const answerOf = (node: number): LocatorEvent => {
        if (dead.has(node)) return silence(node)
        if (node === home) return answer(node, homeAt(node))
        const hints = Array.from({ length: random.int(1, 3) }, () => random.pick(nodes))
        return answer(node, random.chance(0.4) ? elsewhere(...hints) : unknown)
      }
      for (let steps = 0; outcome === undefined; steps++) {
        assert.ok(steps < 1000, `seed ${seed}: no end`)
        if (open.length > 0 && (queue.length === 0 || random.chance(0.5))) {
          const node = random.pick(open)
          open = open.filter((each) => each !== node)
          queue.push(answerOf(node))
        }
        if (open.length > 0 && random.chance(0.2)) queue.push(slow(random.pick(open)))
        const event = queue.shift()
        assert.ok(event !== undefined, `seed ${seed}: it waits for nothing`)
        for (const effect of locator.step(event)) {
          if (effect.kind === 'ask') {
            asks.set(effect.node, (asks.get(effect.node) ?? 0) + 1)
            open.push(effect.node)
          } else if (effect.kind === 'search-map') {
            queue.push(mapSays(...(random.chance(0.5) ? [random.pick(nodes)] : [])))
          } else if (effect.kind === 'look-here') queue.unshift(answer(9, home === 9 ? homeAt(9) : unknown))
          else if (effect.kind === 'list-members') queue.push(members(...nodes))
          else outcome = effect
        }
        assert.ok(open.length <= openMax, `seed ${seed}: too many at a time`)
      }
      assert.ok(
        [...asks.values()].every((count) => count <= 3),
        `seed ${seed}: asked too often`,
      )
      const isLive = home !== undefined && (!dead.has(home) || home === 9)
      const silent = nodes.some((node) => dead.has(node) && node !== 9)
      const expected = isLive ? 'found' : silent ? 'unreachable' : 'no-such-region'
      assert.equal(outcome.kind === 'failed' ? outcome.code : outcome.kind, expected, `seed ${seed}`)
    }
  })
})
