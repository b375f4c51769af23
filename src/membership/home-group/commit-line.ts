import { assert } from '../../stdx/assert.js'
import { groupCommitsOpenMax } from './group-limits.js'

/** A commit that is over, as whoever made it is told. */
export interface OverCommit {
  readonly kind: 'acknowledge' | 'fail'
  readonly commit: number
}

/** The commits of one reign in their order, and how far they have come. Commit 0 is all that was there before. */
export class CommitLine {
  #last = 0
  #durableTo = -1
  #overTo = -1
  #forgottenTo = 0
  /** Refused by the own disk, and not over. */
  readonly #refused = new Set<number>()

  get last(): number {
    return this.#last
  }

  /** All up to this one are durable here, or were refused. */
  get durableTo(): number {
    return this.#durableTo
  }

  /** All up to this one were answered. */
  get overTo(): number {
    return this.#overTo
  }

  /** As many are open as may be. */
  get isFull(): boolean {
    return this.#last - this.#forgottenTo >= groupCommitsOpenMax
  }

  add(commit: number): void {
    assert(commit === this.#last + 1, 'commits are numbered one by one')
    this.#last = commit
  }

  onDurable(commit: number): void {
    assert(commit <= this.#last, 'what is durable was committed')
    this.#durableTo = Math.max(this.#durableTo, commit)
    this.#passRefused()
  }

  /** This one and all after it. */
  onRefused(first: number): void {
    assert(first > this.#durableTo && first <= this.#last, 'it was committed, and is not durable')
    for (let commit = first; commit <= this.#last; commit++) this.#refused.add(commit)
    this.#passRefused()
  }

  /** What was refused is over as soon as all before it is durable. */
  #passRefused(): void {
    while (this.#refused.has(this.#durableTo + 1)) this.#durableTo += 1
  }

  /** Those up to this one are over now; in order. */
  end(to: number): OverCommit[] {
    const over: OverCommit[] = []
    // Nobody waits for commit 0.
    for (let commit = Math.max(this.#overTo + 1, 1); commit <= to; commit++) {
      over.push({ kind: this.#refused.delete(commit) ? 'fail' : 'acknowledge', commit })
    }
    this.#overTo = Math.max(this.#overTo, to)
    return over
  }

  /** Nobody needs those up to this one any more. False where that was known. */
  forget(to: number): boolean {
    if (to <= this.#forgottenTo) return false
    this.#forgottenTo = to
    return true
  }
}
