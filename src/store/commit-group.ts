import type { KhazanaError } from '../stdx/errors.js'
import type { PageIndex, PageRange, Version } from '../address/page.js'
import type { SpaceId } from './space.js'

/** The bytes of one page. They must not change until the commit has settled; the store keeps no reference afterwards. */
export interface PageWrite {
  readonly space: SpaceId
  readonly page: PageIndex
  /** 1 to 2^48 - 1. The store keeps it and does not compare it. */
  readonly version: Version
  /** A page size: a power of two from 4 KiB to the store's `pageBytesMax`. */
  readonly bytes: Uint8Array
}

export interface MetadataPut {
  /** At most 1 KiB of UTF-8. */
  readonly key: string
  /** With its key at most `pageBytesMax`. Kept as it is, so it must not change afterwards. */
  readonly value: Uint8Array
}

/**
 * A page of which nothing is known but its version: its bytes are lost. From then on reading it throws `damaged`. Whoever says so knows that pages of one
 * version have the same bytes: where the page is here in that very version, sound or not, nothing happens.
 */
export interface PageDamage {
  readonly space: SpaceId
  readonly page: PageIndex
  /** As in `PageWrite`. */
  readonly version: Version
}

/**
 * Bytes for a page whose newest record is damaged, of the very version that it has: whoever gives them knows that pages of one version have the
 * same bytes. Where that record has gone by then, or is of another version, nothing happens.
 */
export type PageMend = PageWrite

export interface RangeFree {
  readonly space: SpaceId
  readonly range: PageRange
}

/**
 * What becomes durable together or not at all. Within a group drops come first, then frees, then pages, then damages; and
 * deletes come before puts: a group that frees a range and writes into it leaves what it wrote.
 */
export interface CommitGroup {
  readonly pages?: readonly PageWrite[]
  readonly puts?: readonly MetadataPut[]
  /** Keys; one that is absent is no error. */
  readonly deletes?: readonly string[]
  readonly frees?: readonly RangeFree[]
  /** Spaces whose pages all go. */
  readonly drops?: readonly SpaceId[]
  readonly damages?: readonly PageDamage[]
  /** As the last of all: what the group itself writes or frees is not mended. */
  readonly mends?: readonly PageMend[]
}

/** Told once of the end of a commit: durable, or why it never happened. */
export type CommitDone = (failure: KhazanaError | undefined) => void
