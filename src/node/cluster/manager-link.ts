import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Call, NodeIdRange, PoolEntry, Result, SpaceReport } from '../../wire/message.js'
import { expectResult } from '../calls/result.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { ManagerDuties } from './manager-duties.js'

/** How long the manager has to answer before it is asked who the manager is now, and that one is asked. */
const askMsMax = 2000
/** Between two attempts. */
const retryMs = 200
/** How long a node looks for a manager that grants it address space. */
const grantMsMax = 30_000
/** Reports are at least so far apart. */
const reportMsMin = 1000

/** What another attempt, with whoever is the manager then, may change. */
const mayPass: ReadonlySet<ErrorCode> = new Set(['unreachable', 'timeout', 'outcome-unknown', 'busy'])

export interface ManagerLinkOptions {
  readonly self: NodeId
  readonly clock: Clock
  /** As of now. */
  readonly manager: () => NodeId
  readonly duties: ManagerDuties
  readonly call: (node: NodeId, call: Call, wait: WaitOptions) => Promise<Result>
  readonly report: () => SpaceReport
}

/** This node's side of what it has with the cluster manager, which may be itself. */
export class ManagerLink {
  readonly #options: ManagerLinkOptions
  #reporting: Timer | undefined
  /** Whether something changed since the last report. */
  #isReportDue = false
  #isStopped = false

  constructor(options: ManagerLinkOptions) {
    this.#options = options
  }

  stop(): void {
    this.#isStopped = true
    this.#reporting?.cancel()
  }

  /**
   * Address space for this node, at least `size` bytes, from whoever is the manager, as soon as there is one that answers.
   * A grant whose answer is lost is lost with it: there is enough. Throws `unreachable`, `no-space`, `closed`.
   */
  async grantPool(size: number): Promise<PoolEntry> {
    const { self, clock, manager, duties, call } = this.#options
    const until = clock.now() + grantMsMax
    for (;;) {
      if (this.#isStopped) throw new KhazanaError('closed', 'the node was closed')
      const node = manager()
      if (node === self) return duties.grantPool(self, size)
      try {
        const answer = await call(node, { op: 'grant-pool', size }, { timeoutMs: askMsMax })
        return expectResult('grant-pool', answer).pool
      } catch (reason) {
        const error = KhazanaError.from(reason)
        if (!mayPass.has(error.code) || clock.now() >= until) throw error
      }
      await new Promise<void>((resolve) => clock.after(retryMs, resolve))
    }
  }

  /** A number for a node that asks this one to join. Throws as `Peers.call`. */
  async askForId(node: NodeId, name: string, listen: string): Promise<NodeId> {
    const answer = await this.#options.call(node, { op: 'admit', name, listen }, { timeoutMs: askMsMax })
    return expectResult('admit', answer).node
  }

  /** Numbers that this node may give away itself. Throws as `Peers.call`, and `unsupported`. */
  async askForIds(node: NodeId): Promise<NodeIdRange> {
    const answer = await this.#options.call(node, { op: 'grant-ids' }, { timeoutMs: askMsMax })
    return expectResult('grant-ids', answer).ids
  }

  /** Where a region is now. A hint that is lost is no loss. */
  hint(descriptor: RegionDescriptor): void {
    const { self, manager } = this.#options
    if (manager() !== self) this.#tell({ op: 'hint', descriptor })
  }

  /** The address space of this node has changed, or there is another manager: it is told, now or soon. */
  report(): void {
    if (this.#isStopped) return
    if (this.#reporting !== undefined) {
      this.#isReportDue = true
      return
    }
    this.#sendReport()
    this.#reporting = this.#options.clock.after(reportMsMin, () => {
      this.#reporting = undefined
      if (this.#isReportDue) this.report()
    })
  }

  #sendReport(): void {
    const { self, manager, duties, report } = this.#options
    this.#isReportDue = false
    const call = { op: 'report', report: report() } as const
    if (manager() === self) void duties.serve(call, self)
    else this.#tell(call)
  }

  #tell(said: Call): void {
    const { manager, call } = this.#options
    // What the manager does not hear it finds out when somebody asks.
    call(manager(), said, { timeoutMs: askMsMax }).catch(() => undefined)
  }
}
