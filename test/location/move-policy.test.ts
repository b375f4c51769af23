import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { addressFrom } from '../../src/address/address.js'
import type { Address } from '../../src/address/address.js'
import { nodeId } from '../../src/address/identity.js'
import type { NodeId } from '../../src/address/identity.js'
import {
  looksInARow,
  MovePolicy,
  movesLooks,
  movesMax,
  nodesMax,
  regionsMax,
  settlingLooks,
  usesFactor,
  usesMin,
} from '../../src/location/move-policy.js'

const region = addressFrom(0x1_0000n)
const nodes = [1, 2, 3, 4].map(nodeId)

/** Uses of the region between two looks, by each node. */
type Uses = readonly number[]

/** A region that is used at the pace of looks, and that moves as it is advised to; each home has a policy of its own. */
class Journey {
  readonly #policies = new Map(nodes.map((node) => [node, new MovePolicy()]))
  home: NodeId
  looks = 0
  /** At which look it moved, and to where. */
  readonly moves: { readonly look: number; readonly to: NodeId }[] = []

  constructor(home: NodeId = nodeId(1)) {
    this.home = home
  }

  /** `failing`: what is advised is not done. */
  look(uses: Uses, failing = false): void {
    this.looks++
    const { home } = this
    const policy = this.#policies.get(home) ?? new MovePolicy()
    nodes.forEach((node, index) => {
      const count = uses[index] ?? 0
      if (node === home) policy.usedHere(region, count)
      else for (let use = 0; use < count; use++) policy.used(region, node)
    })
    for (const [node, each] of this.#policies) {
      const advice = each.look('to-move')
      if (advice === undefined) continue
      assert.equal(node, home, 'only the home advises')
      assert.equal(advice.region, region)
      assert.notEqual(advice.to, home)
      assert.ok(advice.uses >= usesMin && advice.uses >= usesFactor * advice.ownUses)
      policy.forget(region)
      this.moves.push({ look: this.looks, to: advice.to })
      if (!failing) this.home = advice.to
    }
  }

  run(looks: number, uses: (look: number) => Uses): this {
    for (let look = 0; look < looks; look++) this.look(uses(look))
    return this
  }
}

describe('The policy that moves homes to their users', () => {
  it('moves a region that only another node uses, once it is settled, and then leaves it there', () => {
    const journey = new Journey().run(100, () => [0, 20, 0, 0])
    assert.deepEqual(journey.moves, [{ look: settlingLooks + 1, to: 2 }])
  })

  it('leaves a region that two nodes use alike, and one that is hardly used, where they are', () => {
    assert.deepEqual(new Journey().run(500, () => [40, 40, 0, 0]).moves, [])
    assert.deepEqual(new Journey().run(500, () => [20, 55, 55, 55]).moves, [])
    assert.deepEqual(new Journey().run(500, () => [0, 9, 0, 0]).moves, [])
  })

  it('does not follow use that goes to and fro faster than it settles', () => {
    for (const period of [1, 2, 3, 4, 5, 7, 10]) {
      const { moves } = new Journey().run(1000, (look) =>
        Math.floor(look / period) % 2 === 0 ? [0, 100, 0, 0] : [0, 0, 100, 0],
      )
      assert.ok(moves.length <= 1, `every ${period} looks: ${JSON.stringify(moves)}`)
    }
  })

  it('follows use that has gone elsewhere for good', () => {
    const { moves } = new Journey().run(300, (look) => (look < 150 ? [0, 30, 0, 0] : [0, 0, 0, 30]))
    assert.deepEqual(
      moves.map(({ to }) => to),
      [2, 4],
    )
    assert.ok((moves[1]?.look ?? 0) < 150 + 2 * settlingLooks)
  })

  it('does not move for one burst, however large', () => {
    const { moves } = new Journey().run(200, (look) => (look === 100 ? [1, 2000, 0, 0] : [100, 1, 0, 0]))
    assert.deepEqual(moves, [])
  })

  it('under steady use moves a region at most once: to who uses it most, and if that is by far', () => {
    const rate = fc.integer({ min: 0, max: 200 })
    let moved = 0
    fc.assert(
      fc.property(fc.tuple(rate, rate, rate, rate), fc.constantFrom(...nodes), (rates, home) => {
        const { moves } = new Journey(home).run(150, () => rates)
        const own = rates[home - 1] ?? 0
        const others = rates.filter((_rate, index) => index !== home - 1)
        const most = Math.max(...others)
        assert.ok(moves.length <= 1, JSON.stringify(moves))
        const [move] = moves
        if (move !== undefined) {
          moved++
          assert.equal(rates[move.to - 1], most)
          assert.ok(most >= usesFactor * own * 0.999)
        } else {
          // At the bounds themselves the last digits of the counts decide.
          assert.ok(most < usesFactor * own * 1.001 || most * 9.9 < usesMin * 1.001, `${most} of ${own}`)
        }
      }),
      { numRuns: 500 },
    )
    assert.ok(moved > 50, `only ${moved} moved`)
  })

  it('never moves a region again before it has settled, whatever its use, also where a move fails', () => {
    const uses = fc.array(fc.constantFrom(0, 0, 1, 30, 500), { minLength: 4, maxLength: 4 })
    const phase = fc.record({ uses, looks: fc.integer({ min: 1, max: 30 }), failing: fc.boolean() })
    let moves = 0
    fc.assert(
      fc.property(fc.array(phase, { minLength: 1, maxLength: 12 }), (phases) => {
        const journey = new Journey()
        for (const { uses: each, looks, failing } of phases) {
          for (let look = 0; look < looks; look++) journey.look(each, failing)
        }
        let last = 0
        for (const { look } of journey.moves) {
          assert.ok(look - last >= settlingLooks, JSON.stringify(journey.moves))
          last = look
        }
        moves += journey.moves.length
      }),
      { numRuns: 500 },
    )
    assert.ok(moves > 200, `only ${moves} moves`)
  })

  it('needs two looks in a row', () => {
    assert.equal(looksInARow, 2)
    const journey = new Journey().run(settlingLooks + 5, () => [10, 1, 0, 0])
    journey.look([0, 1000, 0, 0])
    journey.look([10, 1, 0, 0])
    journey.look([0, 1000, 0, 0])
    assert.equal(journey.moves.length, 0)
    journey.look([0, 1000, 0, 0])
    assert.deepEqual(
      journey.moves.map(({ to }) => to),
      [2],
    )
  })

  it('moves so many regions a while, those that win most first, and none where it only counts', () => {
    const policy = new MovePolicy()
    const regions = Array.from({ length: 20 }, (_, index) => addressFrom(BigInt(index + 1) << 32n))
    const useAll = (): void => {
      regions.forEach((each, index) => {
        for (let use = 0; use < 20 + index; use++) policy.used(each, nodeId(2))
      })
    }
    for (let look = 0; look < settlingLooks + 5; look++) {
      useAll()
      assert.equal(policy.look('to-count'), undefined)
    }
    const advised: { readonly look: number; readonly region: Address }[] = []
    for (let look = 0; look < 4 * movesLooks; look++) {
      useAll()
      const advice = policy.look('to-move')
      if (advice === undefined) continue
      advised.push({ look, region: advice.region })
      policy.forget(advice.region)
    }
    assert.deepEqual(
      advised.slice(0, movesMax).map((each) => each.region),
      regions.slice(-movesMax).reverse(),
    )
    for (const { look } of advised) {
      const near = advised.filter((each) => each.look >= look && each.look < look + movesLooks)
      assert.ok(near.length <= movesMax)
    }
  })

  it('counts no more regions, and no more nodes of one, than it may, and forgets what is not used', () => {
    const policy = new MovePolicy()
    for (let index = 0; index < regionsMax + 50; index++)
      policy.used(addressFrom(BigInt(index) << 20n), nodeId(2))
    assert.equal([...policy.regions].length, regionsMax)
    for (let look = 0; look < 10; look++) policy.look('to-move')
    assert.equal([...policy.regions].length, 0)

    // Many that use it a little do not keep the one out that uses it a lot.
    for (let look = 0; look < settlingLooks + 1; look++) {
      for (let round = 0; round < 30; round++) {
        policy.used(region, nodeId(999))
        policy.used(region, nodeId(10 + ((look * 30 + round) % (3 * nodesMax))))
      }
      const advice = policy.look('to-move')
      if (look === settlingLooks) assert.equal(advice?.to, 999)
    }
  })
})
