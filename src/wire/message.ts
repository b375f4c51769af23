import type { Address } from '../address/address.js'
import type { ConsistencyVector } from '../address/consistency-vector.js'
import type { RegionAttributes, RegionDescriptor } from '../address/descriptor.js'
import type { ClusterId, NodeId, SiteId } from '../address/identity.js'
import type { PageIndex, PageRange, Version } from '../address/page.js'
import type { CoordinatorAnswer, CoordinatorQuestion } from './coordinator-message.js'
import type { GroupMessage } from './group-message.js'
import type { CrewMessage } from './crew-message.js'
import type { TransactionCall, TransactionResult } from './transaction-message.js'
import type { TransferCall, TransferResult } from './transfer-message.js'

/** The one version of the protocol that this code speaks. */
export const protocolVersion = 9

/** Everything that crosses a connection. The set is closed; the decoder knows no other. */
export type Message = SessionMessage | SequencedMessage

/** Numbered: arrives exactly once, in the order of sending, also across connections. */
export type SequencedMessage =
  | CmEnvelope
  | PlainCmEnvelope
  | RegionNotice
  | WatchNotice
  | Request
  | Response
  | Failure
  | Members
  | GroupEnvelope
  | Part
  | Stay

// ---- sessions -------------------------------------------------------------------------------------------------

/** Said outside the numbered stream: to set a session up, to keep its lease, to acknowledge, to end it. */
export type SessionMessage = Hello | Welcome | Refused | Acknowledge | Renew | Renewed | Goodbye

export interface Hello {
  readonly kind: 'hello'
  readonly version: number
  /** All zeros where the sender belongs to no cluster yet, and for clients that take any. */
  readonly cluster: ClusterId
  readonly role: 'node' | 'client'
  /** 0 where the sender has no id yet (a client, or a node that asks to join). */
  readonly site: SiteId | 0
  /** Whom the sender means: another node may have come to listen there. 0 where it takes any. */
  readonly to: SiteId | 0
  /** Counts the starts of the sender: its rights of an earlier one are void. */
  readonly incarnation: number
  /** For people. */
  readonly name: string
  /** Where the sending node accepts connections, `host:port`; empty for clients. */
  readonly listen: string
  /**
   * The newest session between the two nodes that the sender knew of when it said this, whoever had dialed; 0: none, and
   * from clients. What knows less than a session that lives was said before that began.
   */
  readonly latest: number
  /** The session to go on with, or undefined for a new one. */
  readonly resume:
    { readonly session: number; readonly peerIncarnation: number; readonly received: number } | undefined
}

export interface Welcome {
  readonly kind: 'welcome'
  readonly version: number
  readonly cluster: ClusterId
  readonly site: NodeId
  readonly incarnation: number
  readonly name: string
  readonly listen: string
  /** The id that the receiver has at the sender from now on. */
  readonly assigned: SiteId
  readonly session: number
  /** Whether the session of `Hello.resume` goes on. If not, all that was held under it is void. */
  readonly resumed: boolean
  /** How many numbered messages of this session the sender has received. */
  readonly received: number
  readonly leaseMs: number
}

/** The connection is not wanted, and is closed after this. */
export interface Refused {
  readonly kind: 'refused'
  readonly code: string
  readonly message: string
}

/** Nothing to say but the acknowledgement that every frame carries. */
export interface Acknowledge {
  readonly kind: 'acknowledge'
}

/** Asks the peer to go on honouring the sender's tokens. */
export interface Renew {
  readonly kind: 'renew'
  readonly renewal: number
}

export interface Renewed {
  readonly kind: 'renewed'
  readonly renewal: number
  /** Counted from when the asker sent `renew`. */
  readonly validForMs: number
}

/** The sender has given everything up and closes: no lease needs to be waited for. */
export interface Goodbye {
  readonly kind: 'goodbye'
}

/**
 * Between nodes: the sender holds nothing under this session, asks for nothing, and until it is answered uses nothing that
 * comes. Answered by a `goodbye` where the receiver can say the same, else by `stay`. What was sent after a `part` that a
 * goodbye answers was not heard.
 */
export interface Part {
  readonly kind: 'part'
}

/** The answer to a `part`: the session is of use. */
export interface Stay {
  readonly kind: 'stay'
}

// ---- consistency managers ---------------------------------------------------------------------------------------

/** A consistency manager of `crew` to its peer for the same region. */
export interface CmEnvelope {
  readonly kind: 'cm'
  readonly region: Address
  readonly generation: number
  readonly era: number
  readonly body: CrewMessage
}

/** A manager of any other protocol to the home's, or back. */
export interface PlainCmEnvelope {
  readonly kind: 'cm-plain'
  readonly region: Address
  readonly generation: number
  readonly era: number
  /** Between the home and a node: which client of that node it is from or for; 0: the node itself. */
  readonly client: SiteId | 0
  /** From a client: how often its node has told it `joined`, so that what it said before is known as void. */
  readonly link: number
  /** In the protocol's own code. */
  readonly body: Uint8Array
  /** What goes along, in order. */
  readonly parcels: readonly WireParcel[]
}

/**
 * Bytes that go along with a manager's message. `page`: the frame's next payload, a whole page. `patch`: a small patch,
 * here. `large-patch`: the first `length` bytes of the frame's next payload.
 */
export type WireParcel =
  | { readonly kind: 'page' }
  | { readonly kind: 'patch'; readonly bytes: Uint8Array }
  | { readonly kind: 'large-patch'; readonly length: number }

/** What the drivers of one region's managers tell each other. */
export interface RegionNotice {
  readonly kind: 'region-notice'
  readonly region: Address
  readonly generation: number
  readonly era: number
  /** Between the home and a node: which client of that node it is for; 0: the node itself. */
  readonly client: SiteId | 0
  readonly notice: Notice
}

export type Notice =
  /** Node to home: this client, for which it relayed, is gone, and its rights have ended. */
  | { readonly kind: 'client-lost'; readonly client: SiteId }
  /** Node to its client: nothing reaches the home any more (`severed`), or it can be reached anew (`joined`). */
  | { readonly kind: 'severed' }
  | { readonly kind: 'joined'; readonly link: number }
  /**
   * Parent to child: grant no more locks, and say when none is open and nothing is on its way any more. `serial` tells the
   * answer from those to earlier ones.
   */
  | { readonly kind: 'suspend'; readonly serial: number }
  /** Child to parent. `idle`: it keeps nothing of the region at all. */
  | { readonly kind: 'suspended'; readonly serial: number; readonly idle: boolean }
  /**
   * Parent to child: go on, under this descriptor, which may name another home; also the answer to a message of another era,
   * from whoever knows better.
   */
  | { readonly kind: 'resume'; readonly descriptor: RegionDescriptor }
  /** Parent to child: there is no such region (any more). */
  | { readonly kind: 'gone' }
  /** To whoever takes this node for the region's home: it is not, at the moment, and does not know who is. Look for it. */
  | { readonly kind: 'unserved' }
  /**
   * Parent to child, where the region exists and what the child said cannot be served: locks that wait fail, and the child
   * begins anew, as one of whom nothing is known, with its next lock or after a while. `link` as in `joined`.
   */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly link: number }

// ---- watches ----------------------------------------------------------------------------------------------------

/** To whoever asked for a `watch`, in the order in which it happened. */
export interface WatchNotice {
  readonly kind: 'watch-notice'
  /** As the request named it. */
  readonly watch: number
  readonly news: WatchNews
}

export type WatchNews =
  /** These became durable, in this order: of one page, versions rise. */
  | { readonly kind: 'changes'; readonly changes: readonly PageChange[] }
  /** So many changes at this place were not sent; undefined where nobody knows how many. */
  | { readonly kind: 'dropped'; readonly count: number | undefined }
  /** Nothing follows. */
  | { readonly kind: 'ended'; readonly code: string; readonly message: string }
  /** Nothing follows from here: the region has another home now, which is to be asked. */
  | { readonly kind: 'moved' }

export interface PageChange {
  readonly page: PageIndex
  readonly version: Version
  /** Who wrote it, as the home knows it: the home itself, another node, or a client. */
  readonly by: SiteId
}

// ---- requests ---------------------------------------------------------------------------------------------------

/** Between members of a home group, and those that are to be. */
export interface GroupEnvelope {
  readonly kind: 'group'
  /** The name of the group at the coordinator. */
  readonly group: string
  readonly body: GroupMessage
}

export interface Request {
  readonly kind: 'request'
  readonly id: number
  /**
   * Whole milliseconds that the one who is asked may take: it gives up by then, where it still can, so that the asker hears why it had to
   * wait. What has passed its point of no return goes on.
   */
  readonly waitMs: number
  readonly call: Call
}

export interface Response {
  readonly kind: 'response'
  readonly id: number
  readonly result: Result
}

export interface Failure {
  readonly kind: 'failure'
  readonly id: number
  readonly code: string
  readonly message: string
}

export type Call =
  | {
      readonly op: 'reserve'
      readonly size: number
      readonly pageSize: number
      readonly attributes: RegionAttributes
    }
  /**
   * `generation`, here and below: of the region that is meant, as its address may be another one's by now; 0 for whichever begins
   * there.
   */
  | ReleaseCall
  | {
      readonly op: 'allocate'
      readonly address: Address
      readonly generation: number
      readonly offset: number
      readonly length: number
    }
  | { readonly op: 'describe'; readonly address: Address }
  | {
      readonly op: 'set-attributes'
      readonly address: Address
      readonly generation: number
      readonly changes: AttributeChanges
    }
  | {
      readonly op: 'stat'
      readonly address: Address
      readonly generation: number
      readonly range: PageRange
    }
  | { readonly op: 'nodes' }
  | { readonly op: 'node-status' }
  /** To a node by one of its clients: changes its limits, until it ends, where any is told. */
  | { readonly op: 'resources'; readonly limits: ResourceLimits }
  /** To the cluster manager: address space for the asking node, at least `size` bytes. */
  | { readonly op: 'grant-pool'; readonly size: number }
  /** To the cluster manager: numbers that the asking node may give to nodes it admits, should it ever be the manager. */
  | { readonly op: 'grant-ids' }
  /** To the cluster manager: a number for a node that asks to join. */
  | { readonly op: 'admit'; readonly name: string; readonly listen: string }
  /** What the asked node itself knows of who has the region that holds the address: it asks nobody else. */
  | { readonly op: 'whereis'; readonly address: Address }
  /** To the cluster manager: this is where the region is now. */
  | { readonly op: 'hint'; readonly descriptor: RegionDescriptor }
  /** To the cluster manager: what address space the asking node has. */
  | { readonly op: 'report'; readonly report: SpaceReport }
  /** To a node by one of its clients: it hands over all that it has, leaves the cluster for good, and stops. */
  | { readonly op: 'leave' }
  /**
   * From a node that leaves: its pool is the receiver's from now on. `moved`: regions in it that are homed elsewhere; more of
   * them may have come in earlier calls, which are not the last.
   */
  | {
      readonly op: 'take-pool'
      readonly pool: ReportedPool
      readonly generation: number
      readonly moved: readonly RegionDescriptor[]
      readonly isLast: boolean
    }
  /** From a node that leaves: its numbers for new nodes. */
  | { readonly op: 'take-ids'; readonly ids: readonly NodeIdRange[] }
  /** To the node whose pool the range is part of: its region, which was homed elsewhere, is unreserved. */
  | { readonly op: 'return-space'; readonly address: Address; readonly generation: number }
  /**
   * Asks for a `watch-notice` of each change of the range that becomes durable from now on. `watch` is a number that
   * the asker has never used before in this session.
   */
  | {
      readonly op: 'watch'
      readonly address: Address
      readonly generation: number
      readonly offset: number
      readonly length: number
      readonly watch: number
    }
  /** Ends it. One that is not known has ended. */
  | { readonly op: 'unwatch'; readonly watch: number }
  /** `to`: the id or the name of a node. */
  | {
      readonly op: 'migrate'
      readonly address: Address
      readonly generation: number
      readonly to: string
    }
  /** Gives moves of the region to that node up that can still be given up. */
  | { readonly op: 'stay'; readonly address: Address; readonly generation: number; readonly to: string }
  /** To the node that keeps the cluster's coordinator. */
  | { readonly op: 'coordinate'; readonly question: CoordinatorQuestion }
  | TransferCall
  | TransactionCall

/**
 * `keep`: the asked node makes it durable that it will be done, and answers `pending`; else it has it done, or says why not. Another node
 * that asks for the former is about to leave.
 */
export type ReleaseCall =
  | {
      readonly op: 'unreserve'
      readonly address: Address
      readonly generation: number
      readonly keep: boolean
    }
  | {
      readonly op: 'free'
      readonly address: Address
      readonly generation: number
      readonly offset: number
      readonly length: number
      readonly keep: boolean
    }

/** `pending`: it is not done yet, and a node goes on trying until it is. */
export type ReleaseState = 'done' | 'pending'

export type Result =
  | { readonly op: 'unreserve' | 'free'; readonly state: ReleaseState }
  | { readonly op: 'reserve' | 'set-attributes' | 'migrate'; readonly descriptor: RegionDescriptor }
  | { readonly op: 'describe'; readonly descriptor: RegionDescriptor; readonly found: Found }
  | {
      readonly op:
        | 'allocate'
        | 'watch'
        | 'unwatch'
        | 'stay'
        | 'hint'
        | 'report'
        | 'return-space'
        | 'leave'
        | 'take-pool'
        | 'take-ids'
    }
  /** Answers a node that took the receiver for a region's home: nothing was done, and this is known of the region now. */
  | { readonly op: 'moved'; readonly descriptor: RegionDescriptor }
  /** Answers a node that forwards a client's call: the home has done what it could, and this is what the client is to hear. No other node is to be asked. */
  | { readonly op: 'refused'; readonly code: string; readonly message: string }
  | TransferResult
  | TransactionResult
  | { readonly op: 'stat'; readonly stat: RegionStat; readonly found: Found }
  | { readonly op: 'nodes'; readonly nodes: readonly NodeEntry[] }
  | { readonly op: 'node-status'; readonly status: NodeStatus }
  | { readonly op: 'resources'; readonly resources: Resources }
  | { readonly op: 'grant-pool'; readonly pool: PoolEntry }
  | { readonly op: 'grant-ids'; readonly ids: NodeIdRange }
  | { readonly op: 'admit'; readonly node: NodeId }
  | { readonly op: 'whereis'; readonly whereabouts: Whereabouts }
  | { readonly op: 'coordinate'; readonly answer: CoordinatorAnswer }

export interface AttributeChanges {
  readonly protocol: string | undefined
  readonly consistency: ConsistencyVector | undefined
  readonly conflicts: string | undefined
  readonly merge: string | undefined
  readonly minReplicas: number | undefined
  /** An empty text removes the label. */
  readonly labels: Readonly<Record<string, string>>
}

/** A part of the address space and the node that reserves from it. */
export interface PoolEntry {
  readonly start: Address
  readonly size: bigint
  readonly node: NodeId
}

/** Numbers of nodes that nobody has yet. */
export interface NodeIdRange {
  readonly first: NodeId
  readonly count: number
}

/** What one node knows of who has a region. */
export type Whereabouts =
  /** It is homed here. */
  | { readonly kind: 'home'; readonly descriptor: RegionDescriptor }
  /**
   * One of these is its home, or knows more; the likeliest first. `isSure`: there is such a region, and that it is there is no
   * guess: it was handed over, or is about to be.
   */
  | { readonly kind: 'elsewhere'; readonly nodes: readonly NodeId[]; readonly isSure: boolean }
  /** The address is this node's to reserve, or to grant, and nobody has it. */
  | { readonly kind: 'unreserved' }
  | { readonly kind: 'unknown' }

/** How a descriptor came to be known at the node that was asked for it. */
export interface Found {
  /**
   * `home`: it is homed there. Else the first of the ways that led to it, in their order: what the node knew itself (its
   * region directory, and what it knows of pools), the cluster manager, the address map, the walk over all nodes.
   */
  readonly by: 'home' | 'directory' | 'manager' | 'map' | 'walk'
  /** Nodes that were asked. */
  readonly asked: number
}

export interface ReportedPool {
  readonly start: Address
  readonly size: bigint
  /** The region with the map of it; undefined while there is none. */
  readonly map: Address | undefined
}

/** The address space of one node, as far as others may want to know. */
export interface SpaceReport {
  /** Its pools, in order of their addresses; the first 1,024. */
  readonly pools: readonly ReportedPool[]
  /** In all its pools. Bytes. */
  readonly freeBytes: bigint
  /** The largest region that it could reserve from them. Bytes. */
  readonly largestFreeBytes: bigint
  /** What its disk has room for beside what is promised to regions. Bytes. */
  readonly diskFreeBytes: number
}

export interface RegionStat {
  readonly descriptor: RegionDescriptor
  /** The home group, the primary first: with one replica, the home alone. As many are wanted as `minReplicas` says. */
  readonly group: readonly NodeId[]
  readonly epoch: number
  /** Byte ranges with storage, ascending, not touching. At most 1,024 are told; see `allocatedBytes` for all. */
  readonly allocated: readonly { readonly offset: number; readonly length: number }[]
  readonly allocatedBytes: number
  readonly pages: readonly PageStat[]
  /** Where the region is being moved to another home, or gets another number of replicas: `to` is its home as before then. */
  readonly moving: MoveProgress | undefined
  /** Who is being brought up to date with all regions of the home group. */
  readonly restoring: readonly RestoreProgress[]
}

/** How far a node has been brought up to date with the regions of a home group, of which this is one. What commits change meanwhile is not counted. */
export interface RestoreProgress {
  readonly node: NodeId
  /** Pages that it has taken, of those that it lacked, or had in another version, when it began. */
  readonly pagesDone: number
  readonly pagesTotal: number
  readonly bytesDone: number
  readonly bytesTotal: number
}

export interface MoveProgress {
  readonly to: NodeId
  /** Pages that the new home has; those that are changed meanwhile are copied more than once, and add to both numbers. */
  readonly pagesDone: number
  readonly pagesTotal: number
}

export interface PageStat {
  readonly page: PageIndex
  /** Of what is durable at the home, as watches tell it; 0: not written since it has storage. */
  readonly version: Version
  /** Who may write it: a site at the home, or undefined where nobody but the home itself. */
  readonly owner: SiteId | undefined
  /** Who else has a copy. Where several may write the page beside each other, also they, but for the owner. */
  readonly sharers: readonly SiteId[]
  readonly damaged: boolean
}

export interface NodeStatus {
  readonly node: NodeId
  readonly name: string
  readonly listen: string
  readonly incarnation: number
  readonly uptimeMs: number
  readonly regions: number
  readonly clients: number
  /** Sessions with other nodes. */
  readonly nodeSessions: number
  readonly memoryBytes: number
  readonly memoryBytesMax: number
  readonly diskBytes: number
  readonly diskBytesMax: number
  readonly allocatedBytes: number
  readonly damagedPages: number
  /** Damaged pages of home groups that were got back from another member, since its start. */
  readonly mendedPages: number
  /** Home groups: those that it leads, those of them that lack members, and those of which it keeps a copy for others. */
  readonly groupsLed: number
  readonly groupsShort: number
  readonly groupsBacked: number
  /**
   * Since the node's start, to nodes and clients: all messages but those that keep connections and leases up. What all nodes
   * of a cluster sent, and received from clients, is all that was said in it.
   */
  readonly messagesSent: number
  /** Of those messages as frames, with the pages that went along. */
  readonly bytesSent: number
  readonly messagesFromClients: number
  readonly bytesFromClients: number
  /** Whom it takes for the cluster manager. */
  readonly manager: NodeId
  /** Address space that it may reserve from, and what of it is free. Bytes. */
  readonly poolBytes: bigint
  readonly poolFreeBytes: bigint
  /** While it leaves the cluster: what it still has, of what it had when it began. */
  readonly leaving: LeaveProgress | undefined
  /** Regions that it gave to the nodes that use them most, since its start. */
  readonly movedByUse: number
  /** What programs asked it to free or unreserve, and is not done yet. */
  readonly releasesPending: number
}

/** Bytes; undefined: as it is. */
export interface ResourceLimits {
  readonly memoryBytesMax: number | undefined
  readonly diskBytesMax: number | undefined
}

/** What a node uses of its machine, and may use at most. Bytes. */
export interface Resources {
  /** RAM for page frames. May be above the limit for a while after that was lowered. */
  readonly memoryBytes: number
  readonly memoryBytesMax: number
  /** Files of the log. May be above the limit for a while after that was lowered. */
  readonly diskBytes: number
  readonly diskBytesMax: number
  /** Promised to regions, with what their records cost, and what could be: the rest of the disk lets the log be cleaned. */
  readonly storageBytes: number
  readonly storageBytesMax: number
}

export interface LeaveProgress {
  readonly regionsLeft: number
  readonly regionsTotal: number
}

/** One member, with its status where it could be asked. */
export interface NodeEntry {
  readonly member: Member
  readonly status: NodeStatus | undefined
}

// ---- membership -------------------------------------------------------------------------------------------------

/** Who is in the cluster: what the sender takes to be news to the receiver, and what it asks for. */
export interface Members {
  readonly kind: 'members'
  readonly members: readonly Member[]
  /** All that the sender knows of, in short, where it wants to hear of what is missing in it. */
  readonly known: readonly MemberStamp[] | undefined
}

export interface MemberStamp {
  readonly node: NodeId
  readonly revision: number
  readonly state: Member['state']
}

export interface Member {
  readonly node: NodeId
  readonly name: string
  /** `host:port`; empty where it accepts no connections. */
  readonly listen: string
  /** Raised by the node itself whenever it says something new of itself: of two entries the higher counts. */
  readonly revision: number
  /** Once a node has left, for good, no other entry of it counts. */
  readonly state: 'in' | 'left'
}
