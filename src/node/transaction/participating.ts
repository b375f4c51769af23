import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { PageIndex } from '../../address/page.js'
import type { Timer } from '../../io/clock.js'
import { withResolvers } from '../../io/deadline.js'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { sharedAbortController } from '../../stdx/shared-abort.js'
import type { StoredPage } from '../../store/store.js'
import type { TransactionId, TransactionVote } from '../../wire/transaction-message.js'
import type { TransferredPage } from '../../wire/transfer-message.js'
import { expectResult } from '../calls/result.js'
import type { HomedRegion } from '../home/homed-region.js'
import type { PlacedChange, RegionLog, RegionPlace } from '../home/region-log.js'
import type { RegionRecord } from '../home/region-record.js'
import { pause } from '../pause.js'
import type { HomeWrite } from '../replica/home-backing.js'
import { backoffMs } from '../session/backoff.js'
import { failureOf } from './deciding.js'
import type { TransactionPart } from './gathering.js'
import { noteRecord } from './note.js'
import type { NotedRegion } from './note.js'
import { Participant } from './participant.js'
import type { ParticipantEffect, ParticipantEvent } from './participant.js'
import { isSure } from './transaction-environment.js'
import type { TransactionEnvironment } from './transaction-environment.js'
import { askAgainMs, callMs, lostAfterMs } from './transaction-limits.js'

interface Content {
  readonly pages: readonly HomeWrite[]
  /** Nobody has their bytes. */
  readonly lost: readonly TransferredPage[]
}

const noContent: Content = { pages: [], lost: [] }

/** One transaction at the home of a region that does not decide: performs what `Participant` says. */
export class Participating {
  readonly region: HomedRegion
  /** Of before this home served the region: they go to nobody until it is over. Else nobody could have them. */
  readonly doubts: ReadonlySet<PageIndex>
  readonly #environment: TransactionEnvironment
  readonly #id: TransactionId
  readonly #decider: NotedRegion
  readonly #participant = new Participant()
  readonly #closing = sharedAbortController()
  readonly #over: () => void
  readonly #ended = withResolvers<void>()
  readonly #parts: readonly TransactionPart[]
  readonly #note: RegionRecord
  /** To be performed when it begins. */
  readonly #first: readonly ParticipantEffect[]
  #alarm: Timer | undefined
  /** When it was first seen that a page of the note has rotted, on the node's clock. */
  #damagedSince: number | undefined
  /** Why it could not be prepared. */
  #failure: KhazanaError | undefined

  /** `note`: of what is prepared on the disk; undefined where nothing is yet. */
  constructor(
    environment: TransactionEnvironment,
    region: HomedRegion,
    what: {
      readonly id: TransactionId
      readonly decider: NotedRegion
      readonly parts: readonly TransactionPart[]
      readonly note: RegionRecord | undefined
    },
    over: () => void,
  ) {
    const { node, store, takeSpace } = environment
    const { descriptor } = region
    const { id, decider, parts, note } = what
    this.#environment = environment
    this.region = region
    this.#id = id
    this.#decider = decider
    this.#parts = parts
    this.#over = over
    this.doubts = new Set(note === undefined ? [] : [...store.pagesOf(note.space)].map(({ page }) => page))
    const begun = { kind: 'prepared', id, region: descriptor.address, decider } as const
    this.#note = note ?? noteRecord(begun, descriptor, node, takeSpace())
    this.#first = note === undefined ? this.#participant.begin() : this.#participant.resume()
  }

  begin(): void {
    this.#perform(this.#first)
  }

  /** Resolves when what was decided has been done here. */
  whenOver(): Promise<void> {
    return this.#ended.promise
  }

  step(event: ParticipantEvent): void {
    if (!this.#closing.signal.aborted) this.#perform(this.#participant.step(event))
  }

  /** Nothing is said, or done, any more. */
  close(): void {
    this.#closing.abort(new KhazanaError('closed', 'the region is not served here any more'))
    this.#alarm?.cancel()
  }

  /** The region stays in it until it is known what becomes of the transaction. */
  get log(): RegionLog {
    return this.region.log
  }

  get #place(): RegionPlace {
    const { descriptor, space } = this.#note
    return { address: descriptor.address, space }
  }

  #perform(effects: readonly ParticipantEffect[]): void {
    for (const effect of effects) {
      if (this.#closing.signal.aborted) return
      switch (effect.kind) {
        case 'prepare':
          this.#prepare()
          break
        case 'vote':
          void this.#vote(effect.vote)
          break
        case 'apply':
          void this.#finish('apply')
          break
        case 'drop':
          void this.#finish('drop')
          break
        case 'end':
          this.#end(effect.outcome)
          break
        default:
          unreachable(effect)
      }
    }
  }

  #prepare(): void {
    const { numbers, storageFailed } = this.#environment
    const pages = this.#parts.flatMap((part) => part.pages)
    const own = (): { readonly puts: ReturnType<typeof numbers> } => ({ puts: numbers() })
    this.region.log.submit(this.#place, { record: this.#note, pages, own }, (failure) => {
      if (failure === undefined) this.step({ kind: 'prepared' })
      else {
        if (failure.code === 'storage-failed') storageFailed(failure)
        if (isSure(failure)) this.#failure = failure
        this.step({ kind: 'not-prepared', isSure: isSure(failure) })
      }
    })
  }

  /** Never rejects. */
  async #vote(vote: TransactionVote): Promise<void> {
    const { call, clock } = this.#environment
    const { address, generation } = this.#decider
    const by: Address = this.region.descriptor.address
    const { signal } = this.#closing
    this.#alarm?.cancel()
    if (vote !== 'not') {
      this.#alarm = clock.after(askAgainMs, () => {
        this.step({ kind: 'alarm' })
      })
    }
    try {
      const question = { op: 'vote', address, generation, id: this.#id, by, vote } as const
      const { outcome } = expectResult('vote', await call(question, { timeoutMs: callMs, signal }))
      if (outcome !== 'open') this.step({ kind: 'outcome', outcome })
    } catch (reason) {
      // A region that ended with nobody waiting for its word has decided nothing.
      const isGone = KhazanaError.from(reason).code === 'no-such-region'
      if (isGone) this.step({ kind: 'outcome', outcome: 'aborted' })
    }
  }

  /** Never rejects. */
  async #finish(how: 'apply' | 'drop'): Promise<void> {
    const { clock, random, logger, storageFailed } = this.#environment
    const { signal } = this.#closing
    this.#alarm?.cancel()
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#commit(how)
        return
      } catch (reason) {
        const failure = KhazanaError.from(reason)
        if (failure.code === 'storage-failed') storageFailed(failure)
        if (!isSure(failure)) return
        logger.log('warn', 'what was released together cannot be finished yet', {
          how,
          reason: failure.message,
        })
      }
      await pause(clock, backoffMs(attempt, random), signal)
    }
  }

  /** In the turn in which it is durable, before anybody gets the pages, it is over. */
  async #commit(how: 'apply' | 'drop'): Promise<void> {
    const { log, place } = this.region
    const ending: PlacedChange = { place: this.#place, change: { record: 'ended' } }
    const { pages, lost } = how === 'apply' ? await this.#content() : noContent
    const changes = how === 'apply' ? [{ place, change: { pages, lost } }, ending] : [ending]
    if (this.#closing.signal.aborted) return
    await new Promise<void>((resolve, reject) => {
      log.submitAll(changes, (failure) => {
        if (failure !== undefined) {
          reject(failure)
          return
        }
        this.step({ kind: 'done' })
        if (this.#parts.length === 0) this.region.committed(pages)
        resolve()
      })
    })
  }

  /** What was prepared; of what the disk has rotted, what others of the group have. Throws `damaged` while somebody may come back who has the rest. */
  async #content(): Promise<Content> {
    if (this.#parts.length > 0) return { pages: this.#parts.flatMap((part) => part.pages), lost: [] }
    const { store } = this.#environment
    const pages: HomeWrite[] = []
    const lost: TransferredPage[] = []
    for (const { page, version } of [...store.pagesOf(this.#note.space)]) {
      const stored = await this.#read(page)
      if (stored === 'lost') lost.push({ page, version })
      else if (stored !== undefined) pages.push({ page, ...stored })
    }
    if (lost.length > 0) {
      const what =
        'pages that were released together with others have rotted, and nobody has them: they are damaged'
      this.#environment.logger.log('error', what, {
        region: formatAddress(this.region.descriptor.address),
        pages: lost.map(({ page }) => page),
      })
    }
    return { pages, lost }
  }

  async #read(page: PageIndex): Promise<StoredPage | 'lost' | undefined> {
    const { store, clock } = this.#environment
    const { group } = this.region
    try {
      return await (group === undefined ? store.read(this.#note.space, page) : group.read(this.#note, page))
    } catch (reason) {
      if (KhazanaError.from(reason).code !== 'damaged') throw reason
      // Of a region that one disk alone keeps nobody else has anything.
      if (group === undefined) return 'lost'
      this.#damagedSince ??= clock.now()
      if (clock.now() < this.#damagedSince + lostAfterMs) throw reason
      return 'lost'
    }
  }

  #end(outcome: 'committed' | 'aborted' | 'unknown'): void {
    const { doubtEnded } = this.#environment
    this.#alarm?.cancel()
    // Where nobody knows, it stays open here, for whoever reads the log next.
    if (outcome !== 'unknown') this.#over()
    const failure = this.#failure ?? failureOf(outcome)
    for (const { done } of this.#parts) done(failure)
    this.#ended.resolve()
    doubtEnded(this.region, [...this.doubts])
  }
}
