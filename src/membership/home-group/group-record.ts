import { nodeId } from '../../address/identity.js'
import type { NodeId } from '../../address/identity.js'
import { KhazanaError } from '../../stdx/errors.js'
import { groupMembersMax, groupRecordBytesMax } from './group-limits.js'

/** What the coordinator knows of a home group (DESIGN 7): the value of `group/ID`. */
export interface GroupRecord {
  /** From 1; one higher with each change. */
  readonly epoch: number
  /** The epoch in which the primary became that; no two primaries of a group, nor two runs of one, have the same. */
  readonly reign: number
  /** The primary first, then the backups in the order in which they take over. 1 to `groupMembersMax`, each once. */
  readonly members: readonly NodeId[]
  /** How many members are wanted: 1 to `groupMembersMax`. */
  readonly replicas: number
}

/** A record as it was read. Revisions are those of the coordinator. */
export interface SeenRecord {
  readonly record: GroupRecord
  /** When it was put. */
  readonly modified: number
  /** When it was so: at least `modified`. */
  readonly at: number
}

const format = 1

export function firstRecord(self: NodeId, replicas: number): GroupRecord {
  return { epoch: 1, reign: 1, members: [self], replicas }
}

export function primaryOf({ members }: GroupRecord): NodeId {
  return members[0] as NodeId
}

export function encodeGroupRecord({ epoch, reign, members, replicas }: GroupRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ format, epoch, reign, members, replicas }))
}

/** Takes anything. Throws `bad-format`, with words on what is wrong. */
export function decodeGroupRecord(bytes: Uint8Array): GroupRecord {
  if (bytes.length > groupRecordBytesMax) throw bad(`${bytes.length} bytes are too many`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw bad('it is no JSON', cause)
  }
  if (typeof value !== 'object' || value === null) throw bad('it is no object')
  const fields = value as Partial<Record<string, unknown>>
  if (fields['format'] !== format) throw bad('its format is not known: use a newer khazana')
  const epoch = count(fields['epoch'], 'epoch', Number.MAX_SAFE_INTEGER)
  const reign = count(fields['reign'], 'reign', epoch)
  const replicas = count(fields['replicas'], 'replicas', groupMembersMax)
  return { epoch, reign, members: members(fields['members']), replicas }
}

function count(value: unknown, name: string, max: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max) {
    return value as number
  }
  throw bad(`its ${name} must be a whole number from 1 to ${max}`)
}

function members(value: unknown): NodeId[] {
  const isList = Array.isArray(value) && value.length >= 1 && value.length <= groupMembersMax
  if (!isList) throw bad(`its members must be a list of 1 to ${groupMembersMax}`)
  const nodes = value.map((one: unknown) => {
    try {
      return nodeId(one as number)
    } catch (cause) {
      throw bad('one of its members is no node', cause)
    }
  })
  if (new Set(nodes).size < nodes.length) throw bad('it has a member twice')
  return nodes
}

function bad(why: string, cause?: unknown): KhazanaError {
  return new KhazanaError('bad-format', `a group's record at the coordinator cannot be read: ${why}`, {
    cause,
  })
}
