import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodeId } from '../../../src/address/identity.js'
import type { NodeId } from '../../../src/address/identity.js'
import { Backup } from '../../../src/membership/home-group/backup.js'
import type { BackupEffect } from '../../../src/membership/home-group/backup-terms.js'
import type { GroupRecord } from '../../../src/membership/home-group/group-record.js'

const [a, b, c, d] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId]
const record: GroupRecord = { epoch: 5, reign: 3, members: [a, b, c], replicas: 3 }

function backup(self: NodeId): Backup {
  const machine = new Backup(self, { record, modified: 50, at: 50 })
  machine.step({ kind: 'lease-held', key: 40 })
  return machine
}

function kinds(effects: readonly BackupEffect[]): string[] {
  return effects.map(({ kind }) => kind)
}

describe('a backup of a home group', () => {
  it('takes over at once as the first that lives, and after a pause as the second', () => {
    assert.deepEqual(kinds(backup(b).step({ kind: 'gone', nodes: [a] })), ['propose'])
    assert.deepEqual(kinds(backup(c).step({ kind: 'gone', nodes: [a, b] })), ['propose'])
    const second = backup(c)
    assert.deepEqual(second.step({ kind: 'gone', nodes: [a] }), [{ kind: 'set-alarm', pauses: 1 }])
    assert.deepEqual(kinds(second.step({ kind: 'alarm' })), ['propose'])
  })

  it('waits no more when the primary is back', () => {
    const second = backup(c)
    second.step({ kind: 'gone', nodes: [a] })
    assert.deepEqual(second.step({ kind: 'gone', nodes: [] }), [{ kind: 'clear-alarm' }])
  })

  it('does not take over as no member, nor without a lease', () => {
    assert.deepEqual(backup(d).step({ kind: 'gone', nodes: [a] }), [])
    const first = backup(b)
    first.step({ kind: 'lease-lapsed' })
    assert.deepEqual(first.step({ kind: 'gone', nodes: [a] }), [])
    assert.deepEqual(kinds(first.step({ kind: 'lease-held', key: 60 })), ['propose'])
  })

  it('pauses after a refusal, and reads the record', () => {
    const first = backup(b)
    first.step({ kind: 'gone', nodes: [a] })
    const outcome = { kind: 'refused', revision: 55 } as const
    assert.deepEqual(kinds(first.step({ kind: 'outcome', change: 1, outcome })), ['read-record', 'set-alarm'])
    assert.deepEqual(first.step({ kind: 'record', seen: { record, modified: 50, at: 56 } }), [])
    assert.deepEqual(kinds(first.step({ kind: 'alarm' })), ['propose'])
  })

  it('is the primary by a record that it asked for in this run, and asks anew for one of before', () => {
    const first = backup(b)
    first.step({ kind: 'gone', nodes: [a] })
    const own = { record: { ...record, epoch: 6, reign: 6, members: [b, c] }, modified: 57, at: 57 }
    assert.deepEqual(first.step({ kind: 'record', seen: own }), [{ kind: 'become-primary', seen: own }])
    const again = new Backup(b, own)
    assert.deepEqual(kinds(again.step({ kind: 'lease-held', key: 70 })), ['propose'])
  })

  it('as a member puts what it gets on its disk as one; else bit by bit', () => {
    const name = { from: a, reign: 3, link: 1 }
    const member = backup(b)
    assert.deepEqual(kinds(member.step({ kind: 'begin', name, how: 'at-once' })), ['open'])
    assert.deepEqual(kinds(member.step({ kind: 'difference', name })), ['hold'])
    assert.deepEqual(kinds(member.step({ kind: 'entry', name, index: 1 })), ['hold'])
    assert.deepEqual(kinds(member.step({ kind: 'whole', name, index: 2 })), ['store-held'])
    assert.deepEqual(kinds(member.step({ kind: 'entry', name, index: 3 })), ['store', 'flush'])
    assert.deepEqual(member.step({ kind: 'durable', name, index: 3 }), [
      { kind: 'acknowledge', name, index: 3 },
    ])
    const other = backup(d)
    other.step({ kind: 'begin', name, how: 'bit-by-bit' })
    assert.deepEqual(kinds(other.step({ kind: 'difference', name })), ['store'])
  })

  it('refuses a primary of an earlier reign', () => {
    const name = { from: a, reign: 2, link: 9 }
    assert.deepEqual(backup(b).step({ kind: 'begin', name, how: 'at-once' }), [
      { kind: 'refuse', to: a, reign: 3 },
    ])
  })

  it('takes nothing more from a primary that has let go of it', () => {
    const left = backup(b)
    const name = { from: a, reign: 3, link: 1 }
    left.step({ kind: 'begin', name, how: 'bit-by-bit' })
    assert.deepEqual(left.step({ kind: 'parted', name: { ...name, link: 2 } }), [])
    assert.equal(left.isLinked, true)
    assert.deepEqual(left.step({ kind: 'parted', name }), [])
    assert.equal(left.isLinked, false)
    assert.deepEqual(left.step({ kind: 'difference', name }), [])
  })

  it('throws its copy away by the word of a primary, once a record that is no older agrees', () => {
    assert.deepEqual(backup(d).step({ kind: 'dismissed', reign: 2, epoch: 5 }), [])
    assert.deepEqual(backup(d).step({ kind: 'dismissed', reign: 3, epoch: 5 }), [{ kind: 'discard' }])
    assert.deepEqual(backup(b).step({ kind: 'dismissed', reign: 3, epoch: 5 }), [])
    const late = backup(b)
    assert.deepEqual(kinds(late.step({ kind: 'dismissed', reign: 3, epoch: 6 })), ['read-record'])
    const without = { record: { ...record, epoch: 6, members: [a, c] }, modified: 60, at: 60 }
    assert.deepEqual(late.step({ kind: 'record', seen: without }), [{ kind: 'discard' }])
  })
})
