import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodeId } from '../../../src/address/identity.js'
import type { NodeId } from '../../../src/address/identity.js'
import { groupCommitsOpenMax } from '../../../src/membership/home-group/group-limits.js'
import { Primary } from '../../../src/membership/home-group/primary.js'
import type { PrimaryEffect } from '../../../src/membership/home-group/primary-terms.js'

const [a, b, c] = [1, 2, 3].map(nodeId) as [NodeId, NodeId, NodeId]

/** A serves with B, which has everything; the record was put at revision 10. */
function serving(): Primary {
  const primary = alone([a, b])
  primary.step({ kind: 'session-began', node: b })
  const name = { from: a, reign: 2, link: 1 }
  primary.step({ kind: 'compared', node: b, name })
  assert.deepEqual(kinds(primary.step({ kind: 'stored', node: b, name, index: 1 })), ['serve'])
  return primary
}

function alone(members: readonly NodeId[], replicas = 2): Primary {
  const record = { epoch: 2, reign: 2, members, replicas }
  const primary = new Primary(a, { record, modified: 10, at: 10 })
  primary.step({ kind: 'durable', commit: 0 })
  primary.step({ kind: 'lease-held', key: 5 })
  return primary
}

function kinds(effects: readonly PrimaryEffect[]): string[] {
  return effects.map(({ kind }) => kind)
}

describe('the primary of a home group', () => {
  it('takes a bounded number of commits that are not over', () => {
    const primary = serving()
    for (let commit = 1; commit <= groupCommitsOpenMax; commit++) {
      assert.ok(kinds(primary.step({ kind: 'commit', commit })).includes('send'))
    }
    const commit = groupCommitsOpenMax + 1
    assert.deepEqual(primary.step({ kind: 'commit', commit }), [{ kind: 'refuse', commit, why: 'busy' }])
    primary.step({ kind: 'durable', commit: 1 })
    const name = { from: a, reign: 2, link: 1 }
    const over = primary.step({ kind: 'stored', node: b, name, index: 2 })
    assert.deepEqual(kinds(over), ['acknowledge', 'forget'])
    assert.deepEqual(kinds(primary.step({ kind: 'commit', commit })), ['send'])
  })

  it('takes none, and acknowledges none, while its lease has lapsed', () => {
    const primary = serving()
    primary.step({ kind: 'commit', commit: 1 })
    primary.step({ kind: 'durable', commit: 1 })
    assert.deepEqual(primary.step({ kind: 'lease-lapsed' }), [{ kind: 'stop-serving' }])
    const name = { from: a, reign: 2, link: 1 }
    assert.deepEqual(kinds(primary.step({ kind: 'stored', node: b, name, index: 2 })), [])
    assert.deepEqual(primary.step({ kind: 'commit', commit: 2 }), [
      { kind: 'refuse', commit: 2, why: 'not-serving' },
    ])
    // Held again, it reads the record first; one of before says nothing.
    assert.deepEqual(primary.step({ kind: 'lease-held', key: 20 }), [{ kind: 'read-record' }])
    const record = { epoch: 2, reign: 2, members: [a, b], replicas: 2 }
    assert.deepEqual(primary.step({ kind: 'record', seen: { record, modified: 10, at: 19 } }), [
      { kind: 'read-record' },
    ])
    assert.deepEqual(kinds(primary.step({ kind: 'record', seen: { record, modified: 10, at: 20 } })), [
      'serve',
      'acknowledge',
      'forget',
    ])
  })

  it('is deposed by a record of another reign', () => {
    const primary = serving()
    const seen = { record: { epoch: 3, reign: 3, members: [b], replicas: 2 }, modified: 30, at: 30 }
    assert.deepEqual(primary.step({ kind: 'record', seen }), [
      { kind: 'stop-serving' },
      { kind: 'deposed', seen },
    ])
    assert.deepEqual(primary.step({ kind: 'commit', commit: 1 }), [])
  })

  it('needs a candidate from before it asks for its addition, and after the outcome is unknown', () => {
    const primary = alone([a])
    primary.step({ kind: 'session-began', node: c })
    assert.deepEqual(kinds(primary.step({ kind: 'candidate', candidate: { node: c, key: 8 } })), [
      'synchronise',
      'set-alarm',
    ])
    primary.step({ kind: 'commit', commit: 1 })
    // It counts for nothing yet.
    assert.deepEqual(kinds(primary.step({ kind: 'durable', commit: 1 })), ['acknowledge'])
    const name = { from: a, reign: 2, link: 1 }
    primary.step({ kind: 'compared', node: c, name })
    const effects = primary.step({ kind: 'stored', node: c, name, index: 2 })
    assert.deepEqual(kinds(effects), ['propose', 'forget'])
    primary.step({ kind: 'commit', commit: 2 })
    assert.deepEqual(kinds(primary.step({ kind: 'durable', commit: 2 })), [])
    const unknown = primary.step({ kind: 'outcome', change: 1, outcome: { kind: 'unknown' } })
    assert.deepEqual(kinds(unknown), ['read-record'])
    // Its session is lost, and the record is as it was: the addition may happen yet, until another change has.
    primary.step({ kind: 'session-lost', node: c })
    const record = { epoch: 2, reign: 2, members: [a], replicas: 2 }
    const read = primary.step({ kind: 'record', seen: { record, modified: 10, at: 40 } })
    const proposed = read.find(({ kind }) => kind === 'propose')
    assert.deepEqual(proposed?.kind === 'propose' && proposed.what.record, { ...record, epoch: 3 })
    const settled = primary.step({ kind: 'outcome', change: 2, outcome: { kind: 'applied', revision: 41 } })
    assert.ok(kinds(settled).includes('acknowledge'))
  })

  it('answers a commit that its disk refused when no member has it any more', () => {
    const primary = serving()
    const name = { from: a, reign: 2, link: 1 }
    for (const commit of [1, 2]) primary.step({ kind: 'commit', commit })
    primary.step({ kind: 'stored', node: b, name, index: 3 })
    const refused = primary.step({ kind: 'not-durable', commit: 2 })
    assert.deepEqual(kinds(refused), ['synchronise'])
    assert.deepEqual(kinds(primary.step({ kind: 'durable', commit: 1 })), ['acknowledge', 'forget'])
    const second = { ...name, link: 2 }
    primary.step({ kind: 'compared', node: b, name: second })
    assert.deepEqual(primary.step({ kind: 'stored', node: b, name: second, index: 1 }), [
      { kind: 'fail', commit: 2 },
      { kind: 'forget', commit: 2 },
    ])
  })
})
