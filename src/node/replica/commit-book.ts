import type { CommitId } from '../../consistency/contract.js'
import type { ErrorCode, KhazanaError } from '../../stdx/errors.js'

export interface CommitFailure {
  readonly code: ErrorCode
  readonly message: string
}

/** Who waits for what of one region to become durable at one site. */
export interface CommitBook {
  /** How much is on its way. */
  readonly openCommits: number
  /** The promise of a section that wrote, and the ticket its commit will carry. */
  newSection(): { readonly ticket: number; readonly promise: Promise<void> }
  /** Resolves when all that has started is durable; rejects if any of it fails. */
  whenDurable(): Promise<void>
  /** The same, of what a section that ends now may have seen. */
  whenSeenDurable(): Promise<void>
  /** `together`: it is part of a transaction, and ends whenever that does. */
  started(commit: CommitId, how: 'alone' | 'together'): void
  ended(commit: CommitId, ticket: number | undefined, failure: CommitFailure | undefined): void
  /** Nobody will say any more what became of open commits. */
  close(error: KhazanaError): void
}
