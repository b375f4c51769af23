import type { CommitId } from '../../consistency/contract.js'
import { KhazanaError } from '../../stdx/errors.js'
import { withResolvers } from '../../io/deadline.js'
import type { Resolvers } from '../../io/deadline.js'
import type { CommitBook, CommitFailure } from './commit-book.js'

interface Witness {
  readonly until: number
  readonly resolvers: Resolvers<void>
}

/**
 * Who waits for what to become durable. A section that wrote waits for its own commit. A section that may have read
 * bytes that are not durable yet waits for all commits that had started when it ended: one number says which, and the first that is open
 * whether they have ended; those in doubt may end later than what was started after them. Those of transactions end whenever these do; no
 * section sees what they wrote before that.
 */
export class Durability implements CommitBook {
  readonly #sections = new Map<number, Resolvers<void>>()
  #witnesses: Witness[] = []
  #started = 0
  /** Open ones, but for those of transactions, in the order of starting. */
  readonly #alone = new Set<CommitId>()
  /** Of transactions. */
  readonly #together = new Map<CommitId, Resolvers<void>>()
  #open = 0
  #ticket = 0

  get openCommits(): number {
    return this.#open
  }

  /** Those of transactions. */
  get openTogether(): number {
    return this.#together.size
  }

  newSection(): { readonly ticket: number; readonly promise: Promise<void> } {
    const ticket = ++this.#ticket
    const resolvers = withResolvers<void>()
    this.#sections.set(ticket, resolvers)
    return { ticket, promise: resolvers.promise }
  }

  async whenDurable(): Promise<void> {
    const together = [...this.#together.values()].map(({ promise }) => promise)
    await Promise.all([this.whenSeenDurable(), ...together])
  }

  whenSeenDurable(): Promise<void> {
    if (this.#open === this.#together.size) return Promise.resolve()
    const resolvers = withResolvers<void>()
    this.#witnesses.push({ until: this.#started, resolvers })
    return resolvers.promise
  }

  started(commit: CommitId, how: 'alone' | 'together'): void {
    this.#open += 1
    if (how === 'alone') {
      this.#started = commit
      this.#alone.add(commit)
      return
    }
    const resolvers = withResolvers<void>()
    resolvers.promise.catch(() => undefined)
    this.#together.set(commit, resolvers)
  }

  ended(commit: CommitId, ticket: number | undefined, failure: CommitFailure | undefined): void {
    this.#open -= 1
    const section = ticket === undefined ? undefined : this.#sections.get(ticket)
    if (ticket !== undefined) this.#sections.delete(ticket)
    const together = this.#together.get(commit)
    if (together !== undefined) {
      this.#together.delete(commit)
      const error = failure === undefined ? undefined : new KhazanaError(failure.code, failure.message)
      for (const each of section === undefined ? [together] : [section, together]) {
        if (error === undefined) each.resolve()
        else each.reject(error)
      }
      return
    }
    this.#alone.delete(commit)
    if (failure !== undefined) {
      section?.reject(new KhazanaError(failure.code, failure.message))
      this.#endWitnesses(
        ({ until }) => until >= commit,
        new KhazanaError('context-broken', 'what was read was never durable'),
      )
      return
    }
    section?.resolve()
    if (this.#witnesses.length === 0) return
    const [oldest = Infinity] = this.#alone
    this.#endWitnesses(({ until }) => until < oldest, undefined)
  }

  close(error: KhazanaError): void {
    for (const section of this.#sections.values()) {
      section.reject(
        new KhazanaError('outcome-unknown', 'closed before the write was confirmed', { cause: error }),
      )
    }
    this.#sections.clear()
    for (const { reject } of this.#together.values()) reject(error)
    this.#together.clear()
    this.#endWitnesses(() => true, error)
  }

  #endWitnesses(isOver: (witness: Witness) => boolean, error: KhazanaError | undefined): void {
    const over = this.#witnesses.filter(isOver)
    this.#witnesses = this.#witnesses.filter((witness) => !isOver(witness))
    for (const { resolvers } of over) {
      if (error === undefined) resolvers.resolve()
      else resolvers.reject(error)
    }
  }
}
