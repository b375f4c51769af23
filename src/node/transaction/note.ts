import type { Address } from '../../address/address.js'
import { defaultAttributes } from '../../address/attributes.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import { RangeSet } from '../../address/range-set.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { SpaceId } from '../../store/space.js'
import type { TransactionId } from '../../wire/transaction-message.js'
import type { RegionRecord } from '../home/region-record.js'

/** Which region, and which reservation of its address. */
export interface NotedRegion {
  readonly address: Address
  readonly generation: number
}

/** What a home keeps of a transaction on its disk. */
export type Note =
  /** What was written in `region`, if `decider` says so: the note's own pages, by the numbers and versions that they are to have there. */
  | {
      readonly kind: 'prepared'
      readonly id: TransactionId
      readonly region: Address
      readonly decider: NotedRegion
    }
  /** It happens; what was written in `region` has, and these may not know yet. */
  | {
      readonly kind: 'decided'
      readonly id: TransactionId
      readonly region: Address
      readonly others: readonly NotedRegion[]
    }

/**
 * Notes are kept as regions are, at addresses that no region has: with pages, in the log of the region that they are about. So whatever brings a home's
 * regions to the members of its group, compares them and takes them over, does the same for its notes; and a note ends in one commit
 * with what it was for.
 *
 *   bit  127 | 126 ... 108 | 107 ........ 88 | 87 .................. 52 | 51 ..... 0
 *        1   | 0           | who made it     | its number, of that node | as a region
 */
const noteSpace = 1n << 127n
const label = 'khazana/transaction'

export function isNote({ address }: Pick<RegionDescriptor, 'address'>): boolean {
  return address >= noteSpace
}

/** A note about a region, for the log. `number`: one that this node has not given to anything yet. */
export function noteRecord(
  note: Note,
  { pageSize, size }: Pick<RegionDescriptor, 'pageSize' | 'size'>,
  node: NodeId,
  space: SpaceId,
): RegionRecord {
  const address = (noteSpace | (BigInt(node) << 88n) | (BigInt(space) << 52n)) as Address
  const labels = { [label]: JSON.stringify(note, plain) }
  const descriptor = {
    ...{ address, size, pageSize, home: node, generation: space, revision: 1, era: 1 },
    attributes: { ...defaultAttributes, labels },
  }
  return { descriptor, allocated: new RangeSet(), floor: 0, space }
}

/** Throws `bad-format`. */
export function noteOf({ descriptor }: RegionRecord): Note {
  try {
    return JSON.parse(descriptor.attributes.labels[label] ?? '', addresses) as Note
  } catch (cause) {
    throw new KhazanaError('bad-format', 'what is kept of a transaction cannot be read', { cause })
  }
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString(16) : value
}

const addressNames: readonly string[] = ['id', 'region', 'address']

function addresses(key: string, value: unknown): unknown {
  return addressNames.includes(key) && typeof value === 'string' ? BigInt(`0x${value}`) : value
}
