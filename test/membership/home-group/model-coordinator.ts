import type { NodeId } from '../../../src/address/identity.js'
import type { GroupChange, GroupKey } from '../../../src/membership/home-group/group-change.js'
import { decodeGroupRecord, encodeGroupRecord } from '../../../src/membership/home-group/group-record.js'
import type { GroupRecord, SeenRecord } from '../../../src/membership/home-group/group-record.js'
import { present } from '../../../src/stdx/assert.js'

interface Lease {
  readonly node: NodeId
  endsAt: number
}

/** All that the coordinator has, at one revision. */
export interface Snapshot {
  readonly seen: SeenRecord
  readonly living: ReadonlyMap<NodeId, number>
}

export interface Granted {
  readonly lease: number
  readonly key: number
}

/** The least that a coordinator is: one group's record, and keys of nodes under leases. Time is told. */
export class ModelCoordinator {
  #revision = 1
  #record: { readonly bytes: Uint8Array; readonly modified: number }
  readonly #keys = new Map<NodeId, { readonly lease: number; readonly modified: number }>()
  readonly #leases = new Map<number, Lease>()
  #nextLease = 1

  constructor(record: GroupRecord) {
    this.#record = { bytes: encodeGroupRecord(record), modified: this.#revision }
  }

  get record(): GroupRecord {
    return decodeGroupRecord(this.#record.bytes)
  }

  snapshot(): Snapshot {
    return {
      seen: { record: this.record, modified: this.#record.modified, at: this.#revision },
      living: new Map([...this.#keys].map(([node, { modified }]) => [node, modified])),
    }
  }

  /**
   * A new lease, with the key of the node under it, where that was last put at that revision. A request that comes late would otherwise put it
   * under a lease that nobody keeps alive.
   */
  grant(node: NodeId, was: number | undefined, endsAt: number): Granted | undefined {
    if (this.#modified({ node }) !== was) return undefined
    const lease = this.#nextLease++
    this.#leases.set(lease, { node, endsAt })
    this.#revision += 1
    this.#keys.set(node, { lease, modified: this.#revision })
    return { lease, key: this.#revision }
  }

  /** False where it has ended. */
  keepAlive(lease: number, endsAt: number): boolean {
    const known = this.#leases.get(lease)
    if (known !== undefined) known.endsAt = Math.max(known.endsAt, endsAt)
    return known !== undefined
  }

  /** When the lease ends; undefined where it has. */
  endOf(lease: number): number | undefined {
    return this.#leases.get(lease)?.endsAt
  }

  end(lease: number): void {
    const { node } = present(this.#leases.get(lease), 'a lease that lives')
    this.#leases.delete(lease)
    if (this.#keys.get(node)?.lease !== lease) return
    this.#revision += 1
    this.#keys.delete(node)
  }

  transact({ conditions, record }: GroupChange): {
    readonly kind: 'applied' | 'refused'
    readonly revision: number
  } {
    const holds = conditions.every((one) => {
      const modified = this.#modified(one.key)
      return one.kind === 'absent' ? modified === undefined : modified === one.modified
    })
    if (!holds) return { kind: 'refused', revision: this.#revision }
    this.#revision += 1
    this.#record = { bytes: encodeGroupRecord(record), modified: this.#revision }
    return { kind: 'applied', revision: this.#revision }
  }

  #modified(key: GroupKey): number | undefined {
    return key === 'group' ? this.#record.modified : this.#keys.get(key.node)?.modified
  }
}
