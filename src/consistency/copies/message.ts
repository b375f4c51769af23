import type { LockMode } from '../../address/lock-mode.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type { ErrorCode } from '../../stdx/errors.js'

/** Pages, or attachments, of one message. Larger matters are several messages. */
export const messagePagesMax = 64

/** No bytes of the page are here. */
export const noBytes = -1

/** What a child says to the home. Its serials are its own, and count up over locks and fetches. */
export type ChildMessage =
  /**
   * Asks for a place in the home's lock table. `known` has for each page the version that the child has bytes of, or
   * `noBytes`; it is empty where the pages are more than one message names: they are fetched under the lock then.
   */
  | {
      readonly kind: 'lock'
      readonly serial: number
      readonly range: PageRange
      readonly mode: LockMode
      readonly offset: number
      readonly length: number
      readonly tag: string
      readonly known: readonly number[]
    }
  /** Ends the lock, granted or not, with nothing written. */
  | { readonly kind: 'unlock'; readonly serial: number }
  /** Asks for the newest durable bytes, where they are not those of the version known. */
  | {
      readonly kind: 'fetch'
      readonly serial: number
      readonly range: PageRange
      readonly known: readonly number[]
    }
  /**
   * What a section wrote, a parcel a page; with `final` it is whole. `lock`: the serial of the lock that it ends; 0 where
   * there was none. Commits are numbered from 1.
   */
  | {
      readonly kind: 'commit'
      readonly number: number
      readonly lock: number
      readonly pages: readonly PageIndex[]
      readonly final: boolean
    }
  /** Answers `update` and `invalidate`. The copies of `dropped` are given up. */
  | { readonly kind: 'ack'; readonly serial: number; readonly dropped: readonly PageIndex[] }
  /** The copies are given up: nothing needs to be told about them. */
  | { readonly kind: 'drop'; readonly pages: readonly PageIndex[] }

/** What the home says to a child. */
export type HomeMessage =
  /** The lock is held. The copies are the newest, and so they stay while the lock keeps others from writing. */
  | { readonly kind: 'granted'; readonly serial: number; readonly copies: readonly CopyStamp[] }
  /** Answers a fetch: all as it is at one moment. */
  | { readonly kind: 'copies'; readonly serial: number; readonly copies: readonly CopyStamp[] }
  /** Answers a lock or a fetch. */
  | { readonly kind: 'refused'; readonly serial: number; readonly code: ErrorCode; readonly message: string }
  /** Brings copies up to date, all at once when the `final` one has come. To be acknowledged then. */
  | {
      readonly kind: 'update'
      readonly serial: number
      readonly changes: readonly PageChange[]
      readonly final: boolean
    }
  /** The commits are durable, and whoever must know of them does. Brings the copies of their pages up to date. */
  | {
      readonly kind: 'committed'
      readonly numbers: readonly number[]
      readonly changes: readonly PageChange[]
      readonly final: boolean
    }
  /** The commit never happened. */
  | {
      readonly kind: 'uncommitted'
      readonly number: number
      readonly code: ErrorCode
      readonly message: string
    }
  /**
   * The copies are not to be used for new locks. To be acknowledged: at once, or when no open lock uses them any more and
   * what was written under such has been sent.
   */
  | {
      readonly kind: 'invalidate'
      readonly serial: number
      readonly pages: readonly PageIndex[]
      readonly when: 'now' | 'unused'
    }

export type CopiesMessage = ChildMessage | HomeMessage

/** A copy's newest version; its frame is attached unless the child has it. */
export interface CopyStamp {
  readonly page: PageIndex
  readonly version: Version
  readonly hasBytes: boolean
}

/**
 * Takes a copy of version `base` to `version` by the parts, in order. `base` is `noBytes` where the home knows that the
 * copy is another: it is then not to be used for what must see `version`.
 */
export interface PageChange {
  readonly page: PageIndex
  readonly base: number
  readonly version: Version
  readonly parts: readonly ChangePart[]
}

/** The next parcel attached, or what the child itself wrote in the commit of that number, and has kept. */
export type ChangePart = 'attached' | number

/** Every page of a range, in order. */
export function* pagesIn(range: PageRange): Generator<PageIndex> {
  for (let offset = 0; offset < range.count; offset++) yield (range.first + offset) as PageIndex
}

export function overlaps(a: PageRange, b: PageRange): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count
}

export function includes(range: PageRange, page: PageIndex): boolean {
  return page >= range.first && page < range.first + range.count
}

/** Cuts a list into runs of at most `messagePagesMax`; an empty one into one run. */
export function chunksOf<T>(items: readonly T[]): (readonly T[])[] {
  if (items.length <= messagePagesMax) return [items]
  const chunks: (readonly T[])[] = []
  for (let at = 0; at < items.length; at += messagePagesMax)
    chunks.push(items.slice(at, at + messagePagesMax))
  return chunks
}
