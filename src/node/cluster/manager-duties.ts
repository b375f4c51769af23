import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { PoolGrants } from '../../location/pool-grants.js'
import type { PoolHints } from '../../location/pool-hints.js'
import { unreachable } from '../../stdx/assert.js'
import type { Call, PoolEntry, Result, SpaceReport } from '../../wire/message.js'
import type { SpaceBug } from '../pools/space-bug.js'
import type { NodeRecord } from '../node-record.js'
import type { Membership } from './membership.js'

/** What nodes ask of the cluster manager. */
export type ManagerCall = Extract<Call, { op: 'grant-pool' | 'grant-ids' | 'admit' | 'hint' | 'report' }>

export interface ManagerDutiesOptions {
  readonly record: NodeRecord
  readonly members: Membership
  readonly grants: PoolGrants
  readonly hints: PoolHints
  /** A region is where a node says. */
  readonly learned: (descriptor: RegionDescriptor) => void
  /** A node has told of its pools: the address map is to know of them. */
  readonly reported: (node: NodeId, report: SpaceReport) => void
  readonly bug: SpaceBug | undefined
}

/**
 * The duties of a cluster manager (paper 3.1): handing out address space and numbers of nodes, and keeping hints. Every node
 * does them for whoever asks it, manager or not: what it hands out is its own to hand out, and hints do no harm.
 */
export class ManagerDuties {
  readonly #options: ManagerDutiesOptions
  /** Address space is granted one range after the other. */
  #granting: Promise<unknown> = Promise.resolve()

  constructor(options: ManagerDutiesOptions) {
    this.#options = options
  }

  async serve(call: ManagerCall, node: NodeId): Promise<Result> {
    const { members, hints, learned } = this.#options
    switch (call.op) {
      case 'grant-pool':
        return { op: call.op, pool: await this.grantPool(node, call.size) }
      case 'grant-ids':
        return { op: call.op, ids: await members.giveSpareIds() }
      case 'admit':
        return { op: call.op, node: await members.giveId(call.name, call.listen) }
      case 'hint':
        learned(call.descriptor)
        return { op: call.op }
      case 'report':
        hints.set(node, call.report)
        this.#options.reported(node, call.report)
        return { op: call.op }
      default:
        return unreachable(call)
    }
  }

  /** Address space for a node, at least `size` bytes, which counts as given once it is durable here. Throws `no-space`. */
  grantPool(node: NodeId, size: number): Promise<PoolEntry> {
    const { grants, record, bug } = this.#options
    const entry = this.#granting.then(async () => {
      const next = grants.next(node, BigInt(size))
      if (bug !== 'forget-grants') await record.writeGrant(next)
      grants.add(next)
      return next
    })
    // Whoever asked is told; the next one is served all the same.
    this.#granting = entry.catch(() => undefined)
    return entry
  }
}
