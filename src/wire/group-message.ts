import type { Address } from '../address/address.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import type { PageIndex, PageRange, Version } from '../address/page.js'
import type { TransferredPage } from './transfer-message.js'

/** One synchronisation of a backup and the entries after it; the primary is one of the two who talk. */
export interface GroupLink {
  readonly reign: number
  readonly link: number
}

/**
 * A region that is on its way from one log to another, as a change of `minReplicas` takes it (docs/adr/0024-change-of-replicas.md): which of the two
 * has it is decided at the coordinator, under the name of the attempt. Until that is known nobody serves what is marked so.
 */
export interface HandoverMark {
  /** 1 to `handoverNameBytesMax` bytes; no two attempts have the same. */
  readonly attempt: string
  /** Whether it goes from this log, or comes to it. */
  readonly side: 'from' | 'to'
}

/** What a home keeps of a region besides its pages, and where: on each disk in a space of its own. */
export interface GroupRegion {
  readonly descriptor: RegionDescriptor
  readonly allocated: readonly PageRange[]
  readonly floor: number
  readonly handover: HandoverMark | undefined
}

/** What becomes durable of one region at once. The bytes of `pages` go along as payloads. */
export interface GroupRegionChange {
  readonly address: Address
  /** Undefined: as it was. */
  readonly region: GroupRegion | undefined
  /** The region is no more. */
  readonly isEnd: boolean
  readonly frees: readonly PageRange[]
  readonly pages: readonly TransferredPage[]
  /** Pages of that version whose bytes nobody can give at the moment. */
  readonly lost: readonly TransferredPage[]
}

/** What a backup has of a region. A region with many pages comes in several parts. */
export interface GroupRegionStamps {
  readonly address: Address
  readonly generation: number
  readonly revision: number
  readonly era: number
  /** Version 0: what is there is damaged. */
  readonly pages: readonly TransferredPage[]
}

/** A page whose bytes are wanted: pages of one version have the same bytes everywhere. */
export interface WantedPage {
  readonly address: Address
  readonly generation: number
  readonly page: PageIndex
  readonly version: Version
}

/** What the members of a home group say to each other (docs/adr/0021-home-groups.md). */
export type GroupMessage =
  /** Primary to backup: say what you have. */
  | { readonly kind: 'begin'; readonly name: GroupLink; readonly how: 'at-once' | 'bit-by-bit' }
  /** Backup to primary: this, and with `isLast` no more. */
  | {
      readonly kind: 'have'
      readonly name: GroupLink
      readonly regions: readonly GroupRegionStamps[]
      readonly isLast: boolean
    }
  /** Primary to backup: some of what differs. */
  | { readonly kind: 'difference'; readonly name: GroupLink; readonly change: GroupRegionChange }
  /** Primary to backup: a commit, or with `isLast` unset a part of it, which comes to nothing without those that follow. */
  | {
      readonly kind: 'entry'
      readonly name: GroupLink
      readonly index: number
      readonly change: GroupRegionChange
      readonly isLast: boolean
    }
  /** Backup to primary: one `difference` more has been taken, and is durable where it comes bit by bit. */
  | { readonly kind: 'taken'; readonly name: GroupLink }
  /** Primary to backup: all that differs has been sent. */
  | { readonly kind: 'whole'; readonly name: GroupLink; readonly index: number }
  /** Backup to primary: durable here, up to this entry. */
  | { readonly kind: 'stored'; readonly name: GroupLink; readonly index: number }
  /** Backup to primary: a reign other than yours is known here. */
  | { readonly kind: 'other-reign'; readonly reign: number }
  /** To a node that is not known to live: it may be asked to be a member, and says to the coordinator that it lives. */
  | { readonly kind: 'invite' }
  /** To the primary, of a node that hears nothing of it: there is a copy here. */
  | { readonly kind: 'offer' }
  /** To the primary, of a member: it will be none, and does not take part any more. */
  | { readonly kind: 'farewell' }
  /** Primary to backup: nothing more comes of this, as the backup is no member any more. It may be one again. */
  | { readonly kind: 'parted'; readonly name: GroupLink }
  /** Primary to backup: no copy is needed there. */
  | { readonly kind: 'dismissed'; readonly reign: number; readonly epoch: number }
  /** To anybody with a copy: the sender's own record of the page is damaged. */
  | { readonly kind: 'page-wanted'; readonly question: number; readonly wanted: WantedPage }
  /** The answer; with `found` the bytes of that version go along as a payload. `other`: the wanted version is not there. */
  | {
      readonly kind: 'page-given'
      readonly question: number
      readonly answer: 'found' | 'other' | 'damaged'
      /** 0 where none is given. */
      readonly version: Version
    }
