import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodeId } from '../../src/address/identity.js'
import { MemberTable } from '../../src/membership/member-table.js'
import { Prng } from '../../src/stdx/prng.js'
import type { Member } from '../../src/wire/message.js'

function member(node: number, revision: number, state: Member['state'] = 'in'): Member {
  return { node: nodeId(node), name: `n${node}`, listen: `h:${revision}`, revision, state }
}

describe('A table of members', () => {
  it('takes the newer word of a node, and that it has left before all', () => {
    const table = new MemberTable()
    assert.deepEqual(table.merge([member(1, 1), member(2, 3)]), [member(1, 1), member(2, 3)])
    assert.deepEqual(table.merge([member(1, 0), member(2, 3)]), [], 'nothing of it is news')
    assert.deepEqual(table.merge([member(1, 2)]), [member(1, 2)])
    assert.deepEqual(table.merge([member(2, 1, 'left')]), [member(2, 1, 'left')])
    assert.deepEqual(table.merge([member(2, 9)]), [], 'it does not come back')
    assert.deepEqual(table.present(), [member(1, 2)])
    assert.equal(table.find(nodeId(2))?.state, 'left')
  })

  it('becomes the same everywhere, in whatever order and how often entries come, over 200 seeds', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = Prng.fromSeed(seed)
      const said = Array.from({ length: 30 }, () =>
        member(random.int(1, 6), random.int(0, 4), random.chance(0.1) ? 'left' : 'in'),
      )
      const tables = [new MemberTable(), new MemberTable()]
      for (const table of tables) {
        for (const one of random.shuffle([...said, ...said.slice(0, 10)])) table.merge([one])
      }
      const [a, b] = tables.map((table) => table.all())
      assert.deepEqual(a, b, `seed ${seed}`)
    }
  })

  it('tells what another one lacks, so that after two messages both have all', () => {
    const a = new MemberTable()
    const b = new MemberTable()
    a.merge([member(1, 1), member(2, 5), member(4, 1, 'left')])
    b.merge([member(1, 2), member(2, 4), member(3, 1)])
    assert.ok(b.lacksAnyOf(a.stamps()))
    const forA = b.missingIn(a.stamps())
    assert.deepEqual(forA, [member(1, 2), member(3, 1)])
    b.merge(a.missingIn(b.stamps()))
    a.merge(forA)
    assert.deepEqual(a.all(), b.all())
    assert.ok(!b.lacksAnyOf(a.stamps()))
  })
})
