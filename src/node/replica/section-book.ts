import type { CommitId } from '../../consistency/contract.js'
import { KhazanaError } from '../../stdx/errors.js'
import { withResolvers } from '../../io/deadline.js'
import type { Resolvers } from '../../io/deadline.js'
import type { CommitFailure, CommitBook } from './commit-book.js'

/** Who waits for what, where sections end each by itself: in all protocols whose frames hold nothing but what is accepted. */
export class SectionBook implements CommitBook {
  readonly #sections = new Map<number, Resolvers<void>>()
  #ticket = 0

  get openCommits(): number {
    return this.#sections.size
  }

  newSection(): { readonly ticket: number; readonly promise: Promise<void> } {
    const ticket = ++this.#ticket
    const resolvers = withResolvers<void>()
    this.#sections.set(ticket, resolvers)
    return { ticket, promise: resolvers.promise }
  }

  async whenDurable(): Promise<void> {
    await Promise.all([...this.#sections.values()].map(({ promise }) => promise))
  }

  whenSeenDurable(): Promise<void> {
    return this.whenDurable()
  }

  started(): void {
    // That it ends is all that is waited for.
  }

  ended(_commit: CommitId, ticket: number | undefined, failure: CommitFailure | undefined): void {
    if (ticket === undefined) return
    const section = this.#sections.get(ticket)
    this.#sections.delete(ticket)
    if (failure === undefined) section?.resolve()
    else section?.reject(new KhazanaError(failure.code, failure.message))
  }

  close(error: KhazanaError): void {
    for (const section of this.#sections.values()) {
      section.reject(
        new KhazanaError('outcome-unknown', 'closed before the write was confirmed', { cause: error }),
      )
    }
    this.#sections.clear()
  }
}
