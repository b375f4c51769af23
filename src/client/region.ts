import { lockModes } from '../address/lock-mode.js'
import type { LockMode } from '../address/lock-mode.js'
import type { Address } from '../address/address.js'
import { applyChanges } from '../address/attributes.js'
import type { AttributeSettings } from '../address/attributes.js'
import type { RegionAttributes, RegionDescriptor } from '../address/descriptor.js'
import { termsOf } from '../address/lock-demands.js'
import type { LockDemands } from '../address/lock-demands.js'
import type { LockTerms } from '../address/lock-terms.js'
import { checkRange, checkWholePages, pagesOf } from '../address/range.js'
import type { ByteRange } from '../address/range.js'
import { checkNames, checkObject, checkOneOf } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'
import type { ErrorCode } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { expectResult } from '../node/calls/result.js'
import type { WaitOptions } from '../io/deadline.js'
import { checkNotSystem } from '../node/map/system-regions.js'
import type { LockContext } from '../node/replica/lock-context.js'
import type { HoldEnd, RightHold } from '../node/replica/right-hold.js'
import type { SiteAccess } from '../node/site-access.js'
import type { Watch, WatchOptions } from '../node/watch/watch.js'
import { nameBytesMax } from '../wire/limits.js'
import { statPagesMax } from '../wire/limits.js'
import type { Found, RegionStat, ReleaseState } from '../wire/message.js'
import { RunBuilder } from './page-locations.js'
import type { PageLocations } from './page-locations.js'
import { release } from './release.js'

/** How long to wait for a lock, and what it asks for beside its pages. */
export interface LockOptions extends WaitOptions, LockDemands {}

/** What the home of a region knows, and how it was found (paper 3.2). */
export interface FoundRegionStat extends RegionStat {
  readonly found: Found
}

/**
 * A handle on a region (paper 2): a contiguous range of global memory with common attributes. Offsets and lengths are
 * bytes from the region's start. Handles are cheap, and many may stand for one region.
 */
export class Region {
  readonly #access: SiteAccess
  #descriptor: RegionDescriptor
  /** It was asked for through this handle that the region ends, and that may have been done since. */
  #isEnding = false
  /** How the node that was asked found the region, to make this handle; undefined where this handle has reserved it. */
  readonly found: Found | undefined

  constructor(access: SiteAccess, descriptor: RegionDescriptor, found?: Found) {
    this.#access = access
    this.#descriptor = descriptor
    this.found = found
  }

  get address(): Address {
    return this.#descriptor.address
  }

  /** Bytes; a multiple of the page size. */
  get size(): number {
    return this.#descriptor.size
  }

  /** Bytes. */
  get pageSize(): number {
    return this.#descriptor.pageSize
  }

  /** As last heard of; `refresh` asks the home. */
  get attributes(): RegionAttributes {
    return this.#descriptor.attributes
  }

  get descriptor(): RegionDescriptor {
    return this.#descriptor
  }

  /** This region, and no later one at its address. */
  get #which(): { readonly address: Address; readonly generation: number } {
    const { address, generation } = this.#descriptor
    return { address, generation }
  }

  /**
   * Gives the range storage, which reads as zeros; what has storage keeps it. The whole region unless told; `offset` and
   * `length` are multiples of the page size. Waits for what `free` and `unreserve` left `pending` there at the same node, which would undo it.
   * Throws `no-space`, `invalid-argument`, `out-of-range`, `no-such-region`, `timeout`, `aborted`, `unreachable`, `outcome-unknown`.
   */
  async allocate(range: ByteRange = this.#whole, options: WaitOptions = {}): Promise<void> {
    checkObject(range, 'a range')
    checkRange(range, this.size)
    await this.#access.call({ op: 'allocate', ...this.#which, ...bounds(range) }, options)
  }

  /**
   * Takes the storage of the range and all that is in it away, as soon as nobody has a lock on it. The whole region unless
   * told; whole pages.
   *
   * Answers `done` when that has happened, and `pending` where it was not possible in the caller's time, as a lock was held, or the home could not
   * be reached, or was lost before it answered (P5). The node that was asked, this process or the one that it is connected to, has then made it
   * durable that it will be done, and tries until it is: through restarts, moves of the home and partitions. **`pending` says that it is being done from now on, at
   * the same time as whatever else is.** Nobody may take the range for free, and what is written there may still go. Through the same node
   * things stay in order: `allocate` and `free` of the range wait, within their own time, until it is done. Through another node they do not.
   *
   * Throws `invalid-argument`, `out-of-range`, `no-such-region`, `unsupported`; `aborted`: nothing is kept, but what the home was asked may still happen within
   * the time that it was given. Where the node cannot keep it: `busy` for more than 1,024 that are pending there, `no-space`, `storage-failed`, `closed`;
   * `unreachable`, `timeout`, `outcome-unknown` where this process is connected to a node that did not answer in time: it may be kept, or not; ask again.
   */
  async free(range: ByteRange = this.#whole, options: WaitOptions = {}): Promise<ReleaseState> {
    checkObject(range, 'a range')
    checkRange(range, this.size)
    checkWholePages(range, this.pageSize)
    checkNotSystem(this.#descriptor)
    return release(this.#access, { op: 'free', ...this.#which, ...bounds(range) }, options)
  }

  /**
   * Ends the region: its storage and its address, as soon as nobody has a lock in it. Answers `done` or `pending`, and throws, as `free` does; until it is
   * done, the region can be found and used, and ends in the middle of that. May be repeated: what this handle has asked for before, and is done by now, is `done`.
   * A region that is reserved at the address afterwards is another one, which this never ends.
   */
  async unreserve(options: WaitOptions = {}): Promise<ReleaseState> {
    checkNotSystem(this.#descriptor)
    try {
      const state = await release(this.#access, { op: 'unreserve', ...this.#which }, options)
      if (state === 'pending') this.#isEnding = true
      return state
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code === 'no-such-region' && this.#isEnding) return 'done'
      if (isUndecided.has(code)) this.#isEnding = true
      throw reason
    }
  }

  /**
   * A lock on the range, the whole region unless told. Waits for its turn: until `timeoutMs` (30 s unless told) or the
   * signal, and leaves nothing behind then. The context must be ended by `unlock` or `discard`, or by `await using`.
   *
   * `write-shared` is to write beside others who write other bytes of the same pages; where the region's consistency has no
   * such thing, it is `write`.
   *
   * Throws `timeout`, `aborted`, `not-allocated`, `no-such-region`, `out-of-range`, `invalid-argument`, `no-memory` for
   * more than fits in memory, `damaged`, `closed`, and `unsupported` where this process lacks what the region names: its
   * protocol, its conflict test or its merge function; also for writing where the region holds the address map.
   */
  async lock(
    mode: LockMode,
    range: ByteRange = this.#whole,
    options: LockOptions = {},
  ): Promise<LockContext> {
    checkLock(mode, range)
    if (mode !== 'read') checkNotSystem(this.#descriptor)
    checkObject(options, 'options')
    checkNames(options, lockOptionNames, 'a lock')
    const terms = termsOf(range, options, this.attributes.consistency)
    return this.#access.replica(this.#descriptor).lock(mode, range, terms, options)
  }

  /**
   * The lock, if this process holds all it takes already: no message, no waiting. Else undefined; then use `lock`.
   * Throws `out-of-range`, `invalid-argument`, `closed`, `unsupported`.
   */
  tryLock(mode: LockMode, range: ByteRange = this.#whole, demands?: LockDemands): LockContext | undefined {
    checkLock(mode, range)
    if (mode !== 'read') checkNotSystem(this.#descriptor)
    const terms = demands === undefined ? undefined : this.#termsOf(range, demands)
    return this.#access.replica(this.#descriptor).tryLock(mode, range, terms)
  }

  /**
   * Keeps the right to read these pages at this site, without a lock, where it is here at this moment; else undefined: lock them once, and try again. For programs that
   * keep copies where Khazana does not see them, such as in a kernel's cache: until the hold has been released nobody elsewhere writes to the pages, while locks at this site go on
   * as ever. `ended` is called once, in a turn of its own, when it is to end: `wanted`, others wait to write until `release`, by when no copy may be in
   * use any more; `lost`, the lease has ended, or the region was changed, and others may write already. In regions of other consistency than `strict`
   * without a conflict test there are none. Throws `out-of-range`, `invalid-argument`, `closed`.
   */
  tryHold(range: ByteRange, ended: (why: HoldEnd) => void): RightHold | undefined {
    checkObject(range, 'a range')
    return this.#access.replica(this.#descriptor).tryHold(range, ended)
  }

  /**
   * Resolves when all that was unlocked at this site, by anybody in this process, is durable at the home. Where `unlock`
   * promises that already there is little to wait for; where writes are accepted at once (`visibility: 'accepted'`), this is how
   * to know that they cannot be lost any more. Waits for open locks at this site to end, and lets no new ones begin meanwhile.
   * Throws `timeout`, `aborted`, `closed`.
   */
  async sync(options: WaitOptions = {}): Promise<void> {
    await this.#access.replica(this.#descriptor).sync(options)
  }

  /** Asks the home for the attributes as they are now. */
  async refresh(options: WaitOptions = {}): Promise<RegionAttributes> {
    const stat = await this.stat({ offset: 0, length: 1 }, options)
    this.#descriptor = stat.descriptor
    return this.attributes
  }

  /**
   * Changes what is told; the rest stays. A label set to the empty text is removed. Of consistency, single settings are
   * changed from what was last heard of. Throws `unsupported` for what cannot be kept, `invalid-argument`, and `timeout` where locks are held
   * for too long: then nothing has changed.
   *
   * Another `minReplicas`, 1 to 7, has the pages copied first, while the region is in use (DESIGN 7). It takes room at the home for twice its pages until it is over. Throws
   * `unreachable` where there are too few nodes, or a home group is lost meanwhile, `no-space`, `busy` where an earlier change is not cleared away, `damaged`; with all of
   * these nothing has changed. `outcome-unknown`: it may have changed already, which `refresh` tells.
   */
  async setAttributes(update: AttributeSettings, options: WaitOptions = {}): Promise<RegionAttributes> {
    checkObject(update, 'the update')
    checkNames(update, attributeNames, 'a region')
    // The home checks too; but what makes no sense cannot even be sent there.
    const after = applyChanges(this.attributes, update)
    const { conflicts, merge, minReplicas, labels = {} } = update
    // Each settles the other: they go together, so that the home cannot come to another choice.
    const isChosen = update.protocol !== undefined || update.consistency !== undefined
    const { protocol, consistency } = isChosen ? after : unchosen
    const changes = { protocol, consistency, conflicts, merge, minReplicas, labels }
    const call = {
      op: 'set-attributes',
      ...this.#which,
      changes,
    } as const
    this.#descriptor = expectResult('set-attributes', await this.#access.call(call, options)).descriptor
    return this.attributes
  }

  /**
   * Moves the region's home to another node, by its id or its name, while the region is in use: its pages are copied first, then
   * all locks wait for a moment, and go on at the new home. Where it is the home already, nothing happens. Resolves when
   * the new home serves the region. `timeoutMs` is for all of it, the copying too: give a large region more than the 30 s
   * unless told. Where the time is over, or the signal fires, the move is given up if it still can be.
   *
   * Throws `timeout` (locks were held too long, or there was too much to copy), `aborted`, `unreachable`, `damaged` for a
   * region with a page that cannot be read, and, of the other node, `no-space` and `unsupported`: then the region is where
   * it was. Throws `outcome-unknown` where it was decided that the region moves, and the new home has not answered yet: it will
   * serve the region as soon as it can be reached. See docs/guarantees.md.
   */
  async migrate(node: number | string, options: WaitOptions = {}): Promise<void> {
    const to = checkNode(node)
    const call = { op: 'migrate', ...this.#which, to } as const
    try {
      this.#descriptor = expectResult('migrate', await this.#access.call(call, options)).descriptor
    } catch (error) {
      const { code } = KhazanaError.from(error)
      if (code === 'aborted' || code === 'timeout') await this.#stay(to)
      throw error
    }
  }

  /** That the move is not wanted any more is told as far as that can be: in time the home gives up by itself. */
  async #stay(to: string): Promise<void> {
    try {
      await this.#access.call({ op: 'stay', ...this.#which, to }, { timeoutMs: stayMs })
    } catch (error) {
      if (KhazanaError.from(error).code === 'internal') throw error
    }
  }

  /**
   * What the home knows of the region and the pages of a range: at most 4,096 pages at a time. `found` tells how this
   * question came there: after the first one, mostly by the region directory of the node. See `Region.found` for that.
   */
  async stat(range: ByteRange, options: WaitOptions = {}): Promise<FoundRegionStat> {
    checkObject(range, 'a range')
    checkRange(range, this.size)
    const call = { op: 'stat', ...this.#which, range: pagesOf(range, this.pageSize) } as const
    const { stat, found } = expectResult('stat', await this.#access.call(call, options))
    return { ...stat, found }
  }

  /**
   * Which nodes have which pages of the range, the whole region unless told, in which state (paper 1): for a program that can
   * either load a copy of what it works on, or send the work to where it is.
   *
   *     const { node, home, runs } = await region.locate(range)
   *     const isHere = runs.every((run) => run.atHand !== 'none')
   *     const busiest = mostPages(runs) // by run.holders, each of which counts for run.count pages
   *     if (isHere || busiest === node) work(await region.lock('read', range)) // a hit, or as good as one
   *     else await callService(busiest ?? home, range) // a service of the program's own, on that node
   *
   * A hint, as all may have changed by the time that it is read, but an exact one: each 4,096 pages are of one moment, what
   * the home has granted, and has not heard to have been given back. Nothing is loaded or locked by it. Asks the home once for
   * every 4,096 pages; `timeoutMs` is for each question. Throws `out-of-range`, `invalid-argument` for more than 1,048,576
   * pages at a time, `no-such-region`, `unreachable`, `timeout`, `aborted`.
   */
  async locate(range: ByteRange = this.#whole, options: WaitOptions = {}): Promise<PageLocations> {
    checkObject(range, 'a range')
    checkRange(range, this.size)
    const { first, count } = pagesOf(range, this.pageSize)
    if (count > locatedPagesMax) throw tooManyPages(count)
    const runs = new RunBuilder()
    let { home } = this.#descriptor
    for (let next: number = first; next < first + count; next += statPagesMax) {
      const pages = Math.min(statPagesMax, first + count - next)
      const stat = await this.stat({ offset: next * this.pageSize, length: pages * this.pageSize }, options)
      home = stat.descriptor.home
      const replica = this.#access.replicas.get(this.address)
      const isThisOne = replica?.descriptor.generation === stat.descriptor.generation
      runs.add(stat, (page) => (isThisOne ? replica.atHand(page) : 'none'))
    }
    return { home, node: this.#access.node, runs: runs.runs }
  }

  /**
   * The changes of the pages that hold the range, the whole region unless told: a `change` for each new version of a page
   * that has become durable at the home, in that order, whoever wrote it, this program too. Of each page, versions rise.
   * Never of a version that a crash could still take back. Freeing storage is no change.
   *
   * Resolves when the home has registered the watch: all that becomes durable from then on is told, or is part of a
   * `dropped`, after which the program must read again what matters to it. That happens where it takes events more
   * slowly than they come (of those that wait, `bufferMax`, the newest are kept, and `dropped` comes before them), where
   * its node or the connection does not keep up, and, with an unknown count, where the connection to the home was lost: the
   * watch goes on by itself as soon as the home is there again, and is silent until then.
   *
   * Ends by leaving the `for await`, `return`, `await using` or the signal. Throws, here or later: `no-such-region`,
   * `closed`, `aborted`; here: `unreachable`, `timeout`, `out-of-range`, `invalid-argument`, `busy` for too many
   * watches (1,024 of one client). See docs/guarantees.md.
   */
  async watch(range: ByteRange = this.#whole, options: WatchOptions = {}): Promise<Watch> {
    checkObject(range, 'a range')
    checkRange(range, this.size)
    return this.#access.watch({ descriptor: this.#descriptor, range: bounds(range) }, options)
  }

  #termsOf(range: ByteRange, demands: LockDemands): LockTerms | undefined {
    checkObject(demands, 'demands')
    checkNames(demands, lockOptionNames, 'a lock')
    return termsOf(range, demands, this.attributes.consistency)
  }

  get #whole(): ByteRange {
    return { offset: 0, length: this.size }
  }
}

const attributeNames: readonly string[] = [
  'protocol',
  'consistency',
  'conflicts',
  'merge',
  'minReplicas',
  'labels',
]

/** After these it may be done all the same. */
const isUndecided: ReadonlySet<ErrorCode> = new Set(['outcome-unknown', 'timeout', 'unreachable', 'aborted'])

const unchosen = Object.freeze({ protocol: undefined, consistency: undefined })

const lockOptionNames: readonly string[] = ['tag', 'staleness', 'isolation', 'failure', 'timeoutMs', 'signal']

function checkLock(mode: LockMode, range: ByteRange): void {
  checkOneOf(mode, lockModes, 'the mode of a lock')
  checkObject(range, 'a range')
}

/** Pages that one `locate` tells of. */
const locatedPagesMax = 1024 * 1024

function tooManyPages(count: number): KhazanaError {
  const limit = `locate tells of at most ${locatedPagesMax} pages at a time`
  return new KhazanaError('invalid-argument', `${limit}, not ${count}: ask for a part of the region`)
}

/** How long to wait for the answer that a move was given up. */
const stayMs = 5000

function checkNode(node: number | string): string {
  const isId = typeof node === 'number' && Number.isSafeInteger(node) && node > 0
  const isName =
    typeof node === 'string' && node !== '' && new TextEncoder().encode(node).length <= nameBytesMax
  if (isId || isName) return String(node)
  throw new KhazanaError('invalid-argument', `a node is named by its id or its name, not by ${shown(node)}`)
}

function bounds({ offset, length }: ByteRange): ByteRange {
  return { offset, length }
}
