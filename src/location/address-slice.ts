import type { Address } from '../address/address.js'
import { nodeId, nodeIdMax } from '../address/identity.js'
import type { NodeId } from '../address/identity.js'

/**
 * Which part of the address space a node may ever grant from while it is the cluster manager: its slice, 2^88 bytes. Slices
 * follow from numbers of nodes and are disjoint. So however many nodes take themselves for the manager at a time, as they may
 * while they cannot reach each other, none grants what another one has granted, and no word about it is lost with any of them.
 *
 *   bit  127 ...... 108 | 107 ...... 88 | 87 ................. 0
 *        the cluster: 0 | the node, - 1 | pools, upwards
 *
 * Rejected: one counter for the whole cluster, which must be agreed upon before each grant, or hang on one node.
 */
export interface AddressSlice {
  readonly start: bigint
  /** The first address behind it. */
  readonly end: bigint
}

const sliceBits = 88n

/** Address space below this is the system's own: the root of the address map lives there, at address 0. */
export const systemSpaceBytes = 1n << 32n

export function sliceOf(node: NodeId): AddressSlice {
  const start = BigInt(node - 1) << sliceBits
  return { start: start === 0n ? systemSpaceBytes : start, end: BigInt(node) << sliceBits }
}

/** The one node that may grant the address. Undefined where nobody may: the system's own, and what no cluster of this kind has. */
export function sliceOwner(address: Address): NodeId | undefined {
  const index = address >> sliceBits
  if (address < systemSpaceBytes || index >= BigInt(nodeIdMax)) return undefined
  return nodeId(Number(index) + 1)
}
