import type { NodeId } from '../../address/identity.js'
import type { GroupBug } from './group-bug.js'
import type { GroupChange } from './group-change.js'
import type { GroupRecord, SeenRecord } from './group-record.js'
import type { ChangeOutcome } from './primary-terms.js'

/**
 * Which records may be in force, as one node knows it: the newest that it has seen, and what it has proposed on top of it and does not
 * know the outcome of. That a proposal has not been applied when the record is read does not mean that it will not be: only a later record, or its
 * refusal, settles it. One proposal is under way at a time.
 */
export class Standing {
  #seen: SeenRecord
  readonly #bug: GroupBug | undefined
  /** Proposed on top of `#seen`, and not settled. */
  readonly #open = new Map<number, GroupRecord>()
  /** Of all records that may be in force; made when it is asked for. */
  #members: ReadonlySet<NodeId> | undefined
  #last = 0
  #underway: number | undefined
  /** A record that was read at this revision, or later, is being waited for. */
  #wanted: number | undefined

  constructor(seen: SeenRecord, bug?: GroupBug) {
    this.#seen = seen
    this.#bug = bug
  }

  get seen(): SeenRecord {
    return this.#seen
  }

  /** Whether a proposal on top of the newest record may have been applied, or may yet be, and is waited for no more. */
  get isInDoubt(): boolean {
    return this.#open.size > (this.#underway !== undefined && this.#open.has(this.#underway) ? 1 : 0)
  }

  /** Whether a change may be proposed now. */
  get isFree(): boolean {
    return this.#underway === undefined && this.#wanted === undefined
  }

  /** For a record that is newer than any that was seen. */
  get isWaiting(): boolean {
    return this.#wanted !== undefined
  }

  /** Members of any record that may be in force. */
  members(): ReadonlySet<NodeId> {
    const proposed = this.#bug === 'count-additions-late' ? [] : this.#open.values()
    this.#members ??= new Set([this.#seen.record, ...proposed].flatMap(({ members }) => members))
    return this.#members
  }

  /** The number of a change that is proposed now. */
  propose({ record }: GroupChange): number {
    this.#last += 1
    this.#underway = this.#last
    this.#open.set(this.#last, record)
    this.#members = undefined
    return this.#last
  }

  /** The record must be read at that revision, or later. True where that was not asked for yet. */
  want(revision: number): boolean {
    const isNew = this.#wanted === undefined
    this.#wanted = Math.max(this.#wanted ?? 0, revision)
    return isNew
  }

  /** False where it is older than what is known. */
  onRecord(seen: SeenRecord): boolean {
    if (seen.at < this.#seen.at) return false
    if (seen.modified > this.#seen.modified) this.#open.clear()
    this.#seen = seen
    this.#members = undefined
    if (this.#wanted !== undefined && seen.at >= this.#wanted) this.#wanted = undefined
    return true
  }

  /** What was proposed, where it was this that is under way. */
  onOutcome(change: number, outcome: ChangeOutcome): GroupRecord | undefined {
    if (change === this.#underway) this.#underway = undefined
    const record = this.#open.get(change)
    if (outcome.kind === 'refused' || this.#bug === 'forget-doubt') this.#open.delete(change)
    this.#members = undefined
    if (record !== undefined && outcome.kind === 'applied') {
      this.onRecord({ record, modified: outcome.revision, at: outcome.revision })
    }
    return record
  }
}
