import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodeId } from '../../src/address/identity.js'
import { ManagerRule } from '../../src/membership/manager-rule.js'
import type { ManagerEvent } from '../../src/membership/manager-rule.js'

const ids = (...nodes: readonly number[]) => nodes.map(nodeId)

/** What is asked for in one step after the other, in short. */
function told(rule: ManagerRule, ...events: readonly ManagerEvent[]): string[] {
  return events.flatMap((event) =>
    rule.step(event).map((effect) => {
      if (effect.kind === 'keep') return `keep ${effect.nodes.join(' ')}`.trim()
      return effect.kind === 'manager' ? `manager ${effect.node}` : effect.kind
    }),
  )
}

describe('Who is the cluster manager', () => {
  it('is a node that is alone, at once and without a question', () => {
    const rule = new ManagerRule(nodeId(1))
    assert.deepEqual(told(rule, { kind: 'members', nodes: ids(1) }), [])
    assert.deepEqual(told(rule, { kind: 'members', nodes: ids(1, 2, 3) }), [], 'those after it do not count')
    assert.equal(rule.manager, 1)
  })

  it('is the lowest that answers, with a patience for each before it is passed over', () => {
    const rule = new ManagerRule(nodeId(3))
    assert.deepEqual(told(rule, { kind: 'members', nodes: ids(3, 2, 1) }), ['keep 1', 'manager 1', 'wait'])
    assert.deepEqual(told(rule, { kind: 'reached', node: nodeId(1) }), [])
    assert.deepEqual(told(rule, { kind: 'alarm' }), [], 'a wait that was for nothing')
    assert.deepEqual(told(rule, { kind: 'lost', node: nodeId(1) }), ['wait'])
    assert.equal(rule.manager, 1, 'not before the patience is over')
    assert.deepEqual(told(rule, { kind: 'alarm' }), ['keep 1 2', 'manager 2', 'wait'])
    assert.deepEqual(told(rule, { kind: 'alarm' }), ['keep 1 2', 'manager 3'].slice(1))
    assert.equal(rule.manager, 3, 'nobody before it answers')
  })

  it('is again the one that comes back', () => {
    const rule = new ManagerRule(nodeId(3))
    told(rule, { kind: 'members', nodes: ids(1, 2, 3) }, { kind: 'alarm' }, { kind: 'alarm' })
    assert.equal(rule.manager, 3)
    assert.deepEqual(told(rule, { kind: 'reached', node: nodeId(2) }), ['manager 2'])
    assert.deepEqual(told(rule, { kind: 'reached', node: nodeId(1) }), ['keep 1', 'manager 1'])
  })

  it('changes at once when it leaves', () => {
    const rule = new ManagerRule(nodeId(3))
    told(rule, { kind: 'members', nodes: ids(1, 2, 3) }, { kind: 'reached', node: nodeId(1) })
    assert.deepEqual(told(rule, { kind: 'members', nodes: ids(2, 3) }), ['keep 2', 'manager 2', 'wait'])
    assert.deepEqual(told(rule, { kind: 'members', nodes: ids(3) }), ['keep', 'manager 3'])
  })

  it('does not call on more silent nodes than eight', () => {
    const rule = new ManagerRule(nodeId(100))
    told(rule, { kind: 'members', nodes: Array.from({ length: 100 }, (_, index) => nodeId(index + 1)) })
    for (let silent = 0; silent < 30; silent++) told(rule, { kind: 'alarm' })
    assert.equal(rule.manager, 31)
    const last = rule.step({ kind: 'alarm' }).find((effect) => effect.kind === 'keep')
    assert.deepEqual(last?.nodes, ids(1, 2, 3, 4, 5, 6, 7, 8, 32))
  })
})
