import type { NodeId } from '../../address/identity.js'
import type { GroupChange, LivingNode } from './group-change.js'
import type { LinkName } from './link-name.js'
import type { SeenRecord } from './group-record.js'

/** What the primary of a group is told. */
export type PrimaryEvent =
  /** This node's lease is held, and has not lapsed since it was granted. `key`: the revision at which its `node/` key was put under it. */
  | { readonly kind: 'lease-held'; readonly key: number }
  /** By this node's own clock. Told before anything else that happens after it, also where the process was stopped meanwhile. */
  | { readonly kind: 'lease-lapsed' }
  /** What the coordinator has: in answer to `read-record`, or as it was watched. */
  | { readonly kind: 'record'; readonly seen: SeenRecord }
  /** Of a change that was proposed. `unknown`: it may have been applied, or may yet be. */
  | { readonly kind: 'outcome'; readonly change: number; readonly outcome: ChangeOutcome }
  /** Messages can be exchanged with the node from now on, in order. */
  | { readonly kind: 'session-began'; readonly node: NodeId }
  /** What was sent and not acknowledged may not have arrived. */
  | { readonly kind: 'session-lost'; readonly node: NodeId }
  /** The next commit, from 1, as it is handed to the own disk. What is compared from now on includes it. */
  | { readonly kind: 'commit'; readonly commit: number }
  /** All up to this one are durable here. 0: all that was here before the reign began. */
  | { readonly kind: 'durable'; readonly commit: number }
  /**
   * The own disk has refused it: nothing of it is here, nor of any later one. Those before it may be on their way still. What is compared from now on is without it. The
   * versions that it used must not be used again in this reign.
   */
  | { readonly kind: 'not-durable'; readonly commit: number }
  /** A backup has this entry of the link on its disk, and all before it. */
  | { readonly kind: 'stored'; readonly node: NodeId; readonly name: LinkName; readonly index: number }
  /** Something else was heard of it that shows that a synchronisation goes on. */
  | { readonly kind: 'heard'; readonly node: NodeId; readonly name: LinkName }
  /** All that differs has been sent. */
  | { readonly kind: 'compared'; readonly node: NodeId; readonly name: LinkName }
  /** The reign that a node knows of, where it refuses a message of this one, or sends one of its own. */
  | { readonly kind: 'other-reign'; readonly reign: number }
  /** The alarm of the backup has gone off. */
  | { readonly kind: 'silence'; readonly node: NodeId }
  /** A node that could be a member: as was asked for, or because it has a copy of the group. There is a session with it. */
  | { readonly kind: 'candidate'; readonly candidate: LivingNode }

export type ChangeOutcome =
  | { readonly kind: 'applied'; readonly revision: number }
  /** It has not happened, nor will it: a condition did not hold at that revision. */
  | { readonly kind: 'refused'; readonly revision: number }
  | { readonly kind: 'unknown' }

/** What it answers with: to be done in this order. */
export type PrimaryEffect =
  /** The group's regions may be used here, from now until `stop-serving`. */
  | { readonly kind: 'serve' }
  | { readonly kind: 'stop-serving' }
  /** The last effect: the reign is over, and what was not acknowledged has an unknown outcome. This node goes on as a `Backup`. */
  | { readonly kind: 'deposed'; readonly seen: SeenRecord }
  /** The commit was told and is not taken: its number is given to the next one. It must not reach the disk. */
  | { readonly kind: 'refuse'; readonly commit: number; readonly why: 'busy' | 'not-serving' }
  /** In the order of commits: it is done, and others may see it. */
  | { readonly kind: 'acknowledge'; readonly commit: number }
  /** The same, of one that the own disk has refused: no member has anything of it any more. */
  | { readonly kind: 'fail'; readonly commit: number }
  /** All payloads up to this one are needed no more. */
  | { readonly kind: 'forget'; readonly commit: number }
  /**
   * A new link begins, any earlier one with that node is over. The node is to be told of it; it answers with what
   * it has, and is sent what differs. Then `compared` is told. `how`: see `SyncMode`.
   */
  | { readonly kind: 'synchronise'; readonly node: NodeId; readonly name: LinkName; readonly how: SyncMode }
  | {
      readonly kind: 'send'
      readonly node: NodeId
      readonly name: LinkName
      readonly index: number
      readonly commit: number
    }
  /** The entry that says that all has been compared. */
  | { readonly kind: 'send-whole'; readonly node: NodeId; readonly name: LinkName; readonly index: number }
  /** Nothing more is sent on it. */
  | { readonly kind: 'end-link'; readonly node: NodeId; readonly name: LinkName }
  /** A transaction at the coordinator; one at a time. Answered by `outcome`. */
  | { readonly kind: 'propose'; readonly change: number; readonly what: GroupChange }
  /** The record is to be read, beginning after this, again and again until that succeeds. Answered by `record`. */
  | { readonly kind: 'read-record' }
  /** Goes off once, after `groupSilenceMs`, as `silence`. One for each node at a time; at the end of the reign they are void. */
  | { readonly kind: 'set-alarm'; readonly node: NodeId }
  /**
   * A member is missing. Answered once by `candidate`, as soon as there is one, and after a pause where it was asked for shortly before. Those of
   * `except` are none. Takes the place of an earlier search.
   */
  | { readonly kind: 'find-candidate'; readonly except: readonly NodeId[] }
  | { readonly kind: 'end-search' }
  /** The node is not needed, and may throw away its copy: it is told so, with `epoch`. */
  | { readonly kind: 'dismiss'; readonly node: NodeId; readonly epoch: number }

/**
 * How the backup takes what differs. `at-once`: it is or may be a member, which could take over in the middle: all that comes until the comparison is whole
 * is put on its disk as one. That is never much, as it has all that was acknowledged. `bit-by-bit`: it is none, and is added only when it
 * has everything.
 */
export type SyncMode = 'at-once' | 'bit-by-bit'
