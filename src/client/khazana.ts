import { addressFrom } from '../address/address.js'
import type { Address } from '../address/address.js'
import { checkAttributes } from '../address/attributes.js'
import type { AttributeSettings } from '../address/attributes.js'
import { regionSize } from '../address/region-size.js'
import { checkNames, checkObject } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { expectResult } from '../node/calls/result.js'
import { Expired } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import type { SiteAccess } from '../node/site-access.js'
import type { LeaveProgress, NodeEntry, Resources } from '../wire/message.js'
import type { LockContext } from '../node/replica/lock-context.js'
import { Region } from './region.js'
import { unlockAll } from './unlock-all.js'

export interface ReserveOptions extends WaitOptions, AttributeSettings {
  /** Bytes: a power of two from 4 KiB, which it is unless told, to 1 MiB. */
  readonly pageSize?: number
}

export interface ResourceSettings {
  /** Bytes of RAM for page frames: 4 MiB or more. As it is, unless told. */
  readonly memoryBytesMax?: number | undefined
  /**
   * Bytes on disk, rounded down to whole files of the log, whose size was chosen when the node was first started: at least eight of
   * them. As it is, unless told.
   */
  readonly diskBytesMax?: number | undefined
}

export interface LeaveOptions extends WaitOptions {
  readonly onProgress?: (progress: LeaveProgress) => void
}

/** Large regions take their time. */
const leaveMsDefault = 24 * 60 * 60 * 1000
/** How long one question about the progress may take, and the pause after it. */
const progressMs = 2000
const progressPauseMs = 200

const pageSizeDefault = 4096

const reserveOptionNames: readonly string[] = [
  'pageSize',
  'protocol',
  'consistency',
  'conflicts',
  'merge',
  'minReplicas',
  'labels',
  'timeoutMs',
  'signal',
]

function checkAddress(address: unknown): void {
  if (typeof address === 'bigint') return
  throw new KhazanaError(
    'invalid-argument',
    `an address is a bigint, not ${shown(address)}: see parseAddress`,
  )
}

function checkBytesMax(value: unknown, what: string): void {
  if (value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0)) return
  throw new KhazanaError('invalid-argument', `${what} is a number of bytes, not ${shown(value)}`)
}

/** Global memory, as a program sees it (paper 2). The same whether this process is a node or a client of one. */
export class Khazana {
  readonly #access: SiteAccess

  /** Users get one from `open` or `connect`. */
  constructor(access: SiteAccess) {
    this.#access = access
  }

  /** `node`: this process keeps the data. `client`: it is connected to a process that does. */
  get kind(): 'node' | 'client' {
    return this.#access.kind
  }

  /**
   * Reserves a range of global memory, rounded up to whole pages. It has no storage yet: `allocate` some before locking.
   * Throws `invalid-argument`, `unsupported`, `no-space`, and `outcome-unknown` where the connection was lost meanwhile.
   */
  async reserve(size: number, options: ReserveOptions = {}): Promise<Region> {
    checkObject(options, 'options')
    checkNames(options, reserveOptionNames, 'reserve')
    const { pageSize = pageSizeDefault, consistency, protocol, conflicts, merge, ...others } = options
    const { minReplicas, labels, ...wait } = others
    // The home checks too; but what makes no sense cannot even be sent there.
    regionSize(size, pageSize)
    const attributes = checkAttributes({ consistency, protocol, conflicts, merge, minReplicas, labels })
    const call = { op: 'reserve', size, pageSize, attributes } as const
    const { descriptor } = expectResult('reserve', await this.#access.call(call, wait))
    return new Region(this.#access, descriptor)
  }

  /** The region that holds the address; its `found` tells how it was found. Throws `no-such-region`, `unreachable`. */
  async region(address: Address, options: WaitOptions = {}): Promise<Region> {
    checkAddress(address)
    const answer = await this.#access.call({ op: 'describe', address: addressFrom(address) }, options)
    const { descriptor, found } = expectResult('describe', answer)
    return new Region(this.#access, descriptor, found)
  }

  /** All nodes of the cluster; those that do not answer have no status. */
  async nodes(options: WaitOptions = {}): Promise<readonly NodeEntry[]> {
    return expectResult('nodes', await this.#access.call({ op: 'nodes' }, options)).nodes
  }

  /** What the node, this process or the one that it is connected to, uses of its machine, and may use at most. Bytes. */
  async resources(options: WaitOptions = {}): Promise<Resources> {
    return this.#limit({}, options)
  }

  /**
   * Changes what the node, this process or the one that it is connected to, may use of its machine, until it ends: the next start says
   * its own limits. Answers with what holds from now on. All is changed that is told, or nothing.
   *
   * Less memory: pages go at once, but for those that are locked or not durable yet, which follow. More disk: it can be allocated at
   * once. Less disk: files are given back as they are emptied, which takes a while. Throws `no-space` for a disk limit that leaves no
   * room for what is allocated, and says which would; `invalid-argument`; as `nodes`. DESIGN 9.
   */
  async setResources(limits: ResourceSettings, options: WaitOptions = {}): Promise<Resources> {
    checkObject(limits, 'limits')
    checkNames(limits, ['memoryBytesMax', 'diskBytesMax'], 'setResources')
    checkBytesMax(limits.memoryBytesMax, 'memoryBytesMax')
    checkBytesMax(limits.diskBytesMax, 'diskBytesMax')
    return this.#limit(limits, options)
  }

  async #limit({ memoryBytesMax, diskBytesMax }: ResourceSettings, options: WaitOptions): Promise<Resources> {
    const call = { op: 'resources', limits: { memoryBytesMax, diskBytesMax } } as const
    return expectResult('resources', await this.#access.call(call, options)).resources
  }

  /**
   * Makes the node, this process or the one that it is connected to, leave the cluster for good: it hands over its regions, its address
   * space and its duties to other nodes while they are in use, and then closes. `onProgress` is told how much is left. `timeoutMs`
   * is for all of it, a day unless told; if it is not enough, or the signal fires before the node has left, it goes on as a member
   * with what it still has. Throws `timeout`, which says what is left there, `unreachable` where no other node answers, `aborted`. DESIGN 8.
   */
  async leave(options: LeaveOptions = {}): Promise<void> {
    checkObject(options, 'options')
    checkNames(options, ['onProgress', 'timeoutMs', 'signal'], 'leave')
    const { onProgress, timeoutMs = leaveMsDefault, ...wait } = options
    const left = this.#access.call({ op: 'leave' }, { ...wait, timeoutMs })
    if (onProgress !== undefined) void this.#showLeaving(left, onProgress)
    try {
      expectResult('leave', await left)
    } catch (reason) {
      if (reason instanceof Expired) throw await this.#notLeft(reason)
      throw reason
    }
  }

  /** The node gives up by itself, and says what is left: where that has not come in time, it is asked. */
  async #notLeft(cause: KhazanaError): Promise<KhazanaError> {
    const what = 'it has not been heard from the node that it has left the cluster'
    let state: string
    try {
      const answer = await this.#access.call({ op: 'node-status' }, { timeoutMs: progressMs })
      const { leaving, regions, node } = expectResult('node-status', answer).status
      state =
        leaving === undefined
          ? `node ${node} goes on as a member, and ${regions} regions are homed there`
          : `${leaving.regionsLeft} regions are left at node ${node}, which is still about to`
    } catch (reason) {
      state = `it does not answer now (${KhazanaError.from(reason).message}): ask another one, khazana nodes`
    }
    return new KhazanaError('timeout', `${what}: ${state}`, { cause })
  }

  /** Never rejects. */
  async #showLeaving(left: Promise<unknown>, onProgress: (progress: LeaveProgress) => void): Promise<void> {
    const state = { isOver: false }
    const over = (): void => {
      state.isOver = true
    }
    left.then(over, over)
    while (!state.isOver) {
      try {
        const answer = await this.#access.call({ op: 'node-status' }, { timeoutMs: progressMs })
        const { leaving } = expectResult('node-status', answer).status
        if (leaving !== undefined) onProgress(leaving)
      } catch {
        // Whoever waits for the end hears why there is none.
      }
      await this.#access.pause(progressPauseMs)
    }
  }

  /**
   * Ends several locks of this process, of one or several regions: what was written under them becomes visible and durable together, or
   * not at all (P3), wherever the regions are homed. The promise resolves when it is durable (P2). Nobody gets a page of it before, and locks that
   * wrote nothing are held until then, too: so who locks the same pages sees all of it or nothing. At most 256 locks, in at most 64 regions.
   *
   * Where only one of the locks wrote anything, this is its `unlock`. Where several did, their regions must be of strict consistency, without a conflict
   * test. Throws `invalid-argument` for a lock that has ended or is of another process, and `unsupported`: then all locks are still open.
   *
   * Else all of them have ended. Throws `context-broken` where a right was lost before, `no-space`, `busy`, and `timeout` where not all homes could
   * be reached in time: nothing of it happened. Throws `outcome-unknown` where the way to the homes was lost before any of them had answered:
   * it has happened, or will, or not, as a whole. DESIGN 11, docs/adr/0023-released-together.md.
   */
  async unlockAll(contexts: readonly LockContext[]): Promise<void> {
    await unlockAll(this.#access, contexts)
  }

  /** Ends all that is open. What was unlocked before becomes durable; open locks break. Idempotent. */
  async close(): Promise<void> {
    await this.#access.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
