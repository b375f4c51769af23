import type { PageIndex, PageRange, Version } from '../address/page.js'
import type { FenceMark } from '../address/fence.js'
import type { NodeId } from '../address/identity.js'
import type { TransactionTag } from './transaction-message.js'

/** The right that a token carries: to read a page, or to read and write it. */
export type TokenRight = 'shared' | 'exclusive'

/** What is left after a recall. */
export type KeptRight = 'none' | 'shared'

/**
 * One page in a message that hands out or returns bytes. Where `hasBytes`, the frame carries the page's bytes: the
 * n-th page that has bytes owns the n-th payload of the frame.
 */
export interface PageStamp {
  readonly page: PageIndex
  readonly version: Version
  readonly hasBytes: boolean
}

/** A page in a grant. */
export interface GrantStamp extends PageStamp {
  /** Where the question asked for it, and the home can tell. */
  readonly stored?: StoredPage | undefined
}

/** What the home has of a page on stable storage: by it, who has commits in doubt finds out what became of them. */
export interface StoredPage {
  /** The version that is stored; 0 where none ever was. */
  readonly version: number
  /** Where numbers jumped last, if that is remembered: the version `by` was stored over `overtaken`. Else -1 and 0. */
  readonly overtaken: number
  readonly by: number
}

/**
 * What the crew protocol says between a site and its parent (a node and the region's home; a client and its node).
 * Per pair of sites the order of sending is the order of arrival, each exactly once.
 */
export type CrewMessage =
  // --- child to parent ---
  /**
   * Asks for tokens on a range. `serial` is the child's number for this request. `known` holds one version a page:
   * that of the bytes the child still has, or -1 where it has none; empty where it has none at all. `isInDoubt`: the child
   * does not know what became of commits of these pages: the grant is to say what is stored, and comes from the parent itself.
   */
  | {
      readonly kind: 'acquire'
      readonly serial: number
      readonly range: PageRange
      readonly right: TokenRight
      readonly known: readonly number[]
      readonly isInDoubt: boolean
    }
  /** The child no longer wants what of `serial` has not been granted yet. */
  | { readonly kind: 'cancel'; readonly serial: number; readonly range: PageRange }
  /**
   * What one critical section wrote: made durable together. Numbered by the child, answered in order. A large section
   * comes in several messages of the same number, of which the last is `final`.
   */
  | {
      readonly kind: 'commit'
      readonly commit: number
      readonly pages: readonly PageStamp[]
      readonly final: boolean
      /** Where it is to happen together with others, or not at all. Its pages go to nobody before that is known. */
      readonly together?: TransactionTag | undefined
    }
  /**
   * The child gives its tokens up, down to `keep`: on recall, or on its own accord. `handed`: it has sent the token
   * to the sibling that the recall named. `used`: how far it has counted fences.
   */
  | {
      readonly kind: 'yield'
      readonly range: PageRange
      readonly keep: KeptRight
      readonly handed: boolean
      readonly used: number
    }
  /** The child got a token straight from its former owner. */
  | {
      readonly kind: 'accepted'
      readonly serial: number
      readonly page: PageIndex
      readonly right: TokenRight
    }
  /** The child has counted fences up to `used`, and would count on. Answered by `fences`. */
  | { readonly kind: 'ask-fences'; readonly used: number }
  /** A client, of a region that has begun a new era: commits of before that have no answer. Those that its node does not know have an unknown outcome. */
  | { readonly kind: 'inquire'; readonly commits: readonly number[] }
  // --- parent to child ---
  /**
   * Tokens for (part of) what `serial` asked. Pages without bytes are those whose known version is the newest. `fences` with
   * exclusive ones, from where the child counts on.
   */
  | {
      readonly kind: 'grant'
      readonly serial: number
      readonly right: TokenRight
      readonly pages: readonly GrantStamp[]
      readonly fences: FenceMark | undefined
    }
  /** How far the child may count fences: as far as before, where the parent has no more yet. */
  | { readonly kind: 'fences'; readonly fences: FenceMark }
  /** What of `serial` the parent will not grant, and why. */
  | {
      readonly kind: 'refuse'
      readonly serial: number
      readonly range: PageRange
      readonly code: string
      readonly message: string
    }
  /** Give the tokens up, down to `keep`, as soon as no lock needs them. */
  | {
      readonly kind: 'recall'
      readonly range: PageRange
      readonly keep: KeptRight
      /** Hand the one page straight to this sibling, if nothing is waiting to become durable. */
      readonly transfer: Transfer | undefined
    }
  /** The commit is durable. Each commit is answered by itself; a refused one may be answered before earlier ones. */
  | { readonly kind: 'committed'; readonly commit: number }
  /** The commit did not happen. The child has no right to any of its pages any more. */
  | { readonly kind: 'uncommitted'; readonly commit: number; readonly code: string; readonly message: string }
  /** The parent itself lost its rights to the range: the child's are void at once. */
  | { readonly kind: 'revoke'; readonly range: PageRange }
  // --- between two children of one home ---
  /**
   * A token with its bytes, on the home's order. Void unless it fits the request that the receiver has open. `fences` with an
   * exclusive one: those of the sender.
   */
  | {
      readonly kind: 'transfer'
      readonly serial: number
      /** The receiver's session with the home, as the home knows it. */
      readonly session: number
      readonly right: TokenRight
      readonly page: PageStamp
      readonly fences: FenceMark | undefined
    }

export interface Transfer {
  readonly to: NodeId
  readonly serial: number
  readonly session: number
  readonly right: TokenRight
  /** The version the receiver still has bytes of, or -1. */
  readonly known: number
}
