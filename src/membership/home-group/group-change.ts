import type { NodeId } from '../../address/identity.js'
import { assert } from '../../stdx/assert.js'
import { primaryOf } from './group-record.js'
import type { GroupRecord, SeenRecord } from './group-record.js'

/** A key of the coordinator: the record of this group, or what says that a node lives. */
export type GroupKey = 'group' | { readonly node: NodeId }

/** As the coordinator has them. `modified`: the revision at which the key was put last. */
export type GroupCondition =
  | { readonly kind: 'absent'; readonly key: GroupKey }
  | { readonly kind: 'unchanged'; readonly key: GroupKey; readonly modified: number }

/** One transaction: if all conditions hold, the record is put under `group`. */
export interface GroupChange {
  readonly conditions: readonly GroupCondition[]
  readonly record: GroupRecord
}

/** A node that lives, and when its key was put. */
export interface LivingNode {
  readonly node: NodeId
  readonly key: number
}

/**
 * A member takes the place of the primary, whose key is absent. Those of `gone` are no members any more: they are known to be dead,
 * and would only be removed next. So is the old primary.
 */
export function takeover(seen: SeenRecord, by: LivingNode, gone: ReadonlySet<NodeId>): GroupChange {
  const primary = primaryOf(seen.record)
  assert(by.node !== primary && seen.record.members.includes(by.node), 'a backup takes over')
  const others = seen.record.members.filter((one) => one !== by.node && one !== primary && !gone.has(one))
  return change(seen, by, [by.node, ...others], 'begins', { kind: 'absent', key: { node: primary } })
}

/** A primary that was started again: it has lost what was not durable, so its histories must be told apart as well. */
export function renewal(seen: SeenRecord, by: LivingNode): GroupChange {
  assert(by.node === primaryOf(seen.record), 'a primary renews its reign')
  return change(seen, by, seen.record.members, 'begins')
}

/** With nobody to remove it is a change all the same: changes of before, whose outcome is not known, cannot happen after it. */
export function removal(seen: SeenRecord, by: LivingNode, removed: ReadonlySet<NodeId>): GroupChange {
  assert(by.node === primaryOf(seen.record) && !removed.has(by.node), 'a primary removes backups')
  const members = seen.record.members.filter((one) => !removed.has(one))
  return change(seen, by, members, 'goes-on')
}

export function addition(seen: SeenRecord, by: LivingNode, added: LivingNode): GroupChange {
  assert(by.node === primaryOf(seen.record), 'a primary adds members')
  assert(!seen.record.members.includes(added.node), 'it is no member yet')
  return change(seen, by, [...seen.record.members, added.node], 'goes-on', unchanged(added))
}

function change(
  { record, modified }: SeenRecord,
  by: LivingNode,
  members: readonly NodeId[],
  reign: 'begins' | 'goes-on',
  ...more: GroupCondition[]
): GroupChange {
  const epoch = record.epoch + 1
  return {
    conditions: [{ kind: 'unchanged', key: 'group', modified }, unchanged(by), ...more],
    record: { epoch, reign: reign === 'begins' ? epoch : record.reign, members, replicas: record.replicas },
  }
}

function unchanged({ node, key }: LivingNode): GroupCondition {
  return { kind: 'unchanged', key: { node }, modified: key }
}
