import type { NodeId } from '../../address/identity.js'
import type { GroupChange } from './group-change.js'
import type { SeenRecord } from './group-record.js'
import type { LinkName } from './link-name.js'
import type { ChangeOutcome, SyncMode } from './primary-terms.js'

/** What a node that is not the primary of a group is told. */
export type BackupEvent =
  | { readonly kind: 'lease-held'; readonly key: number }
  | { readonly kind: 'lease-lapsed' }
  | { readonly kind: 'record'; readonly seen: SeenRecord }
  | { readonly kind: 'outcome'; readonly change: number; readonly outcome: ChangeOutcome }
  /** All members of the record whose `node/` keys are absent, as far as is known; told anew when that changes. */
  | { readonly kind: 'gone'; readonly nodes: readonly NodeId[] }
  /** A primary begins to synchronise. */
  | { readonly kind: 'begin'; readonly name: LinkName; readonly how: SyncMode }
  /** Some of what differs: pages, or that there are none. No entry, and not acknowledged. */
  | { readonly kind: 'difference'; readonly name: LinkName }
  | { readonly kind: 'entry'; readonly name: LinkName; readonly index: number }
  /** The entry that says that all has been compared. */
  | { readonly kind: 'whole'; readonly name: LinkName; readonly index: number }
  /** What was handed to the disk with `store`, `store-held` or `flush` is durable, up to this entry. */
  | { readonly kind: 'durable'; readonly name: LinkName; readonly index: number }
  | { readonly kind: 'session-lost'; readonly node: NodeId }
  /** The primary has let go of this node, to which it has a session. */
  | { readonly kind: 'parted'; readonly name: LinkName }
  /** The pause before a takeover is over. */
  | { readonly kind: 'alarm' }
  /** A primary needs no copy here, by the record of that epoch. */
  | { readonly kind: 'dismissed'; readonly reign: number; readonly epoch: number }

/** What it answers with: to be done in this order. */
export type BackupEffect =
  /**
   * Any earlier link is over, and what was held is dropped. List what is here to the primary, and keep from now on which pages commits
   * touch (`TouchedPages`).
   */
  | { readonly kind: 'open'; readonly name: LinkName; readonly how: SyncMode }
  /** Hand what just came to the disk: an entry as one, a difference where the pages were not touched. */
  | { readonly kind: 'store' }
  /** Keep what just came in memory, on top of what is held already. A difference counts for pages that were not touched. */
  | { readonly kind: 'hold' }
  /** Hand all that is held to the disk, as one; then tell `durable` of this entry. */
  | { readonly kind: 'store-held'; readonly name: LinkName; readonly index: number }
  /** Tell `durable` of this entry when all that was stored before is. */
  | { readonly kind: 'flush'; readonly name: LinkName; readonly index: number }
  | { readonly kind: 'drop-held' }
  | { readonly kind: 'acknowledge'; readonly name: LinkName; readonly index: number }
  /** Tell the sender that there is this reign, later than the one of its message, which was not taken. */
  | { readonly kind: 'refuse'; readonly to: NodeId; readonly reign: number }
  | { readonly kind: 'propose'; readonly change: number; readonly what: GroupChange }
  | { readonly kind: 'read-record' }
  /** Goes off after that many times `groupTakeoverPauseMs`. Takes the place of an earlier one. */
  | { readonly kind: 'set-alarm'; readonly pauses: number }
  | { readonly kind: 'clear-alarm' }
  /** The last effect: this node is the primary now, with what it has here. It goes on as a `Primary` of this record. */
  | { readonly kind: 'become-primary'; readonly seen: SeenRecord }
  /** The last effect: the copy is not needed and may be thrown away. */
  | { readonly kind: 'discard' }
