import type { Checksum } from '../io/storage.js'
import { present } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import { Batch, type LogSize, type MoveSet, sizeOfGroup, sizeOfMoves } from './batch.js'
import type { Cleaner, CleaningNeed } from './cleaner.js'
import type { CommitDone, CommitGroup } from './commit-group.js'
import { foregroundReserve } from './geometry.js'
import { layOutGroup, segmentsNeeded } from './group-layout.js'
import type { GroupWriter } from './group-writer.js'
import type { Ledger } from './ledger.js'
import { blockBytes } from './log-place.js'
import type { Segment } from './segment.js'
import type { SegmentSet } from './segment-set.js'
import type { SpaceId } from './space.js'

interface Pending {
  readonly group: CommitGroup
  readonly size: LogSize
  readonly bytes: number
  /** It only says that things are gone, so it may use room that others may not. */
  readonly isGivingUp: boolean
  readonly done: CommitDone
  /** Set where it is refused from the start: it takes its turn all the same, so that all are told in order. */
  readonly refusal: KhazanaError | undefined
}

export interface CommitterParts {
  readonly segments: SegmentSet
  readonly ledger: Ledger
  readonly writer: GroupWriter
  readonly cleaner: Cleaner
  readonly checksum: Checksum
  readonly pendingBytesMax: number
  /** Called once, when a write or flush failed for good. */
  readonly failed: (reason: KhazanaError) => void
}

const retireRecordBytes = 9
const nothing: LogSize = { tableBytes: 0, payloadBlocks: 0 }

/** Merging stops above this, so that nobody waits for a group without end. One commit alone may be larger. */
const groupBytesMax = 16 * 1024 * 1024

/**
 * Group commit. While one group is being written and flushed, further commits queue up; all that are there when it is done
 * become the next group. One commit alone so costs one flush, and many at once share one; nobody ever waits on purpose
 * for company, which would cost the single one more than it could save the others.
 *
 * The loop is the only writer of the log. It also finds the room: makes files ahead of their need, lets the cleaner read,
 * writes what the cleaner moves, and retires empty segments. Commits are taken strictly in order; the first that does not
 * fit waits for room, and is refused when none can be won.
 */
export class Committer {
  readonly #parts: CommitterParts
  #queue: Pending[] = []
  #pendingBytes = 0
  #isRunning = false
  #wasWoken = false
  #sleeper: (() => void) | undefined
  #idleWaiters: (() => void)[] = []
  #failure: KhazanaError | undefined
  /** The last group in the log is an empty one: rot in what precedes it cannot pass for a torn end. */
  #isMarked = false
  #isMarkWanted = false
  /** What the cleaner read could not be written for want of room: cleaning wins nothing now. */
  #isStuck = false

  constructor(parts: CommitterParts) {
    this.#parts = parts
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  submit(group: CommitGroup, done: CommitDone): void {
    const size = sizeOfGroup(group)
    const bytes = size.tableBytes + size.payloadBlocks * blockBytes
    const { pendingBytesMax, segments } = this.#parts
    let refusal: KhazanaError | undefined
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > pendingBytesMax) {
      const message = `commits of ${this.#pendingBytes} bytes wait for the disk; ${bytes} more would pass ${pendingBytesMax}`
      refusal = new KhazanaError('busy', message)
    } else if (segmentsNeeded(size, segments) >= segments.geometry.segmentsMax) {
      refusal = this.#noSpace(bytes)
    }
    const { pages, puts, damages, mends } = group
    const isGivingUp = [pages, puts, damages, mends].every((writes) => (writes?.length ?? 0) === 0)
    const counted = refusal === undefined ? bytes : 0
    this.#queue.push({ group, size, bytes: counted, isGivingUp, done, refusal })
    this.#pendingBytes += counted
    this.wake()
  }

  /** Something may be possible now that was not before. */
  wake(): void {
    this.#wasWoken = true
    if (this.#sleeper !== undefined) {
      this.#sleeper()
      return
    }
    if (this.#isRunning || this.#failure !== undefined) return
    this.#isRunning = true
    this.#run().then(
      () => this.#settle(),
      (reason: unknown) => this.fail(reason),
    )
  }

  /** Writes an empty group, so that what precedes it is known to have been complete. */
  async mark(): Promise<void> {
    await this.idle()
    const { segments } = this.#parts
    if (this.#isMarked || segmentsNeeded(nothing, segments) > segments.openable('giving-up')) return
    this.#isMarkWanted = true
    this.wake()
    await this.idle()
  }

  /** Resolves when nothing is queued and nothing is being written. */
  async idle(): Promise<void> {
    while (this.#isRunning && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
    }
  }

  fail(reason: unknown): void {
    if (this.#failure !== undefined) return
    const cause = KhazanaError.from(reason)
    this.#failure = new KhazanaError('storage-failed', `the store has failed: ${cause.message}`, { cause })
    const queue = this.#queue
    this.#queue = []
    this.#parts.failed(this.#failure)
    for (const pending of queue) this.#reject(pending, this.#failure)
    this.#settle()
  }

  #settle(): void {
    this.#isRunning = false
    const waiters = this.#idleWaiters
    this.#idleWaiters = []
    for (const resolve of waiters) resolve()
    // What came between the loop's last look and now.
    if (this.#queue.length > 0 && this.#failure === undefined) this.wake()
  }

  async #run(): Promise<void> {
    // Commits of the same turn of the event loop go together.
    await Promise.resolve()
    while (this.#failure === undefined) {
      this.#wasWoken = false
      if (this.#parts.segments.surplus > 0) await this.#parts.segments.trim()
      this.#refuseFirst()
      const isCleaning = this.#prepare()
      const retired = this.#retirable()
      const moves = this.#parts.cleaner.take()
      const taken = this.#takeCommits(moves, retired)
      const isRoomWanted = this.#queue.length > 0 || this.#need() !== 'none'
      if (
        taken.length > 0 ||
        moves !== undefined ||
        this.#isMarkWanted ||
        (retired.length > 0 && isRoomWanted)
      ) {
        await this.#write(taken, moves, retired)
      } else if (this.#queue.length > 0) {
        await this.#makeRoom(isCleaning)
      } else {
        await this.#parts.segments.trim()
        if (!this.#mustLookAgain()) return
      }
    }
  }

  #mustLookAgain(): boolean {
    return this.#wasWoken
  }

  /** Tells those at the head of the queue that are refused from the start. */
  #refuseFirst(): void {
    for (let first = this.#queue[0]; first?.refusal !== undefined; first = this.#queue[0]) {
      this.#queue.shift()
      this.#refuse([first], first.refusal)
    }
  }

  /** Starts what can go on beside the writing. True while the cleaner is at work. */
  #prepare(): boolean {
    const { segments } = this.#parts
    if (segments.active !== undefined && segments.wantsSpare()) {
      segments.make('usual').then(
        () => this.wake(),
        (reason: unknown) => this.fail(reason),
      )
    }
    return this.#clean(this.#need())
  }

  /** True while the cleaner is at work. */
  #clean(need: CleaningNeed): boolean {
    if (this.#isStuck) return false
    return this.#parts.cleaner.start(
      need,
      () => this.wake(),
      (reason) => this.fail(reason),
    )
  }

  #need(): CleaningNeed {
    const { segments } = this.#parts
    // Where the limit was lowered, as many free files go.
    const spare = segments.free.length + segments.creatable - segments.surplus
    const lowWater = foregroundReserve + 1 + Math.max(1, segments.geometry.segmentsMax >> 4)
    return spare < lowWater && segments.liveCount() > 1 ? 'background' : 'none'
  }

  /** The head of the queue as far as it fits the room there is, merged with what the cleaner moves. */
  #takeCommits(moves: MoveSet | undefined, retired: readonly Segment[]): Pending[] {
    const { segments, ledger } = this.#parts
    const size = { tableBytes: retired.length * retireRecordBytes, payloadBlocks: 0 }
    if (moves !== undefined) addTo(size, sizeOfMoves(moves, ledger))
    const taken: Pending[] = []
    let kind: 'everything' | 'giving-up' = 'giving-up'
    for (const pending of this.#queue) {
      if (pending.refusal !== undefined) break
      if (!pending.isGivingUp) kind = 'everything'
      const grown = { ...size }
      addTo(grown, pending.size)
      if (taken.length > 0 && grown.payloadBlocks * blockBytes > groupBytesMax) break
      if (segmentsNeeded(grown, segments) > segments.openable(kind)) break
      addTo(size, pending.size)
      taken.push(pending)
    }
    this.#queue.splice(0, taken.length)
    return taken
  }

  #retirable(): Segment[] {
    const empty: Segment[] = []
    for (const segment of this.#parts.segments.live()) {
      if (segment.state === 'sealed' && segment.liveBytes === 0) empty.push(segment)
    }
    return empty
  }

  async #write(
    taken: readonly Pending[],
    moves: MoveSet | undefined,
    retired: readonly Segment[],
  ): Promise<void> {
    const { segments, ledger, writer, checksum } = this.#parts
    const batch = new Batch()
    for (const { group } of taken) batch.merge(group)
    const start = { sequence: 0, block: 0 }
    const items = batch.items({ ledger, checksum, moves, retired, start })
    const isMark = this.#isMarkWanted
    this.#isMarkWanted = false
    try {
      // A group may come to nothing: what it frees is not there, what it moves is gone.
      if (items.length > 0 || isMark) {
        const parts = layOutGroup(items, segments, retired, start)
        if (parts === undefined) throw this.#noSpace(0)
        await writer.write(parts, retired)
        this.#isMarked = items.length === 0
      }
      if (moves?.isLast === true) ledger.moveTombstonesOut(moves.victim)
      this.#isStuck = false
      for (const pending of taken) this.#resolve(pending)
    } catch (reason) {
      const isSurvivable = reason instanceof KhazanaError && reason.code === 'no-space'
      if (!isSurvivable) this.fail(reason)
      this.#isStuck = moves !== undefined
      if (isSurvivable) this.#refuse(taken, reason)
      else for (const pending of taken) this.#reject(pending, reason)
    }
  }

  /** The head of the queue does not fit: makes room in some way and returns, or refuses it. */
  async #makeRoom(isCleaning: boolean): Promise<void> {
    const { segments } = this.#parts
    if (await segments.make('usual')) {
      this.#isStuck = false
      return
    }
    if (isCleaning || this.#clean('urgent')) {
      await this.#sleep()
      return
    }
    this.#isStuck = false
    if (await segments.make('last-resort')) return
    const refused = present(this.#queue.shift(), 'a commit waits for room')
    this.#refuse([refused], refused.refusal ?? this.#noSpace(refused.bytes))
  }

  /**
   * Refuses commits, and with them all that wait behind them in the same spaces: what is written to a space later may
   * rest on what was written before. All are told before anybody can commit anew.
   */
  #refuse(refused: readonly Pending[], reason: KhazanaError): void {
    const spaces = new Set(refused.flatMap(({ group }) => writtenSpaces(group)))
    const rests = ({ group }: Pending): boolean => writtenSpaces(group).some((space) => spaces.has(space))
    const dependents = this.#queue.filter(rests)
    this.#queue = this.#queue.filter((pending) => !rests(pending))
    for (const pending of [...refused, ...dependents]) this.#reject(pending, reason)
  }

  async #sleep(): Promise<void> {
    if (this.#wasWoken) return
    await new Promise<void>((resolve) => {
      this.#sleeper = resolve
    })
    this.#sleeper = undefined
  }

  #noSpace(bytes: number): KhazanaError {
    const { segments, ledger } = this.#parts
    return new KhazanaError(
      'no-space',
      `no room for ${bytes} bytes: ${ledger.liveBytes} bytes are kept in ${segments.diskBytes} bytes of log`,
    )
  }

  #resolve(pending: Pending): void {
    this.#pendingBytes -= pending.bytes
    pending.done(undefined)
  }

  #reject(pending: Pending, reason: unknown): void {
    this.#pendingBytes -= pending.bytes
    pending.done(this.#failure ?? KhazanaError.from(reason))
  }
}

function writtenSpaces({ pages = [], damages = [] }: CommitGroup): SpaceId[] {
  return [...pages, ...damages].map(({ space }) => space)
}

function addTo(size: { tableBytes: number; payloadBlocks: number }, more: LogSize): void {
  size.tableBytes += more.tableBytes
  size.payloadBlocks += more.payloadBlocks
}
