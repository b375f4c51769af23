import type { ClusterId, SiteId } from '../../address/identity.js'
import type { KhazanaError } from '../../stdx/errors.js'
import type { SequencedMessage } from '../../wire/message.js'

/** What a site says of itself when it connects. */
export interface LocalIdentity {
  readonly cluster: ClusterId
  readonly role: 'node' | 'client'
  /** 0 where it has no id yet. */
  readonly site: SiteId | 0
  readonly incarnation: number
  readonly name: string
  /** `host:port`; empty where it accepts no connections. */
  readonly listen: string
}

/** What the other side said of itself. */
export interface PeerIdentity {
  readonly cluster: ClusterId
  readonly role: 'node' | 'client'
  /** The id that this side knows it by. */
  readonly site: SiteId
  readonly incarnation: number
  readonly name: string
  readonly listen: string
}

/**
 * Why a session is over.
 * `goodbye`: the peer gave everything up and closed. `ended`: the peer, a client, closed or died. `expired`: nothing
 * was heard of the peer for a lease. `parted`: neither side had use for it, and nothing that was said since `part` was
 * heard. `revoked`: this side has ended what it had granted, as it may not grant it any more. `lapsed`: this node's own lease at the peer ran out. `restarted`: the peer knows nothing of this session (any more). `violation`: the
 * peer said what it must not. `overrun`: the peer does not take what is sent. `closed`: this side closed it.
 */
export interface SessionLoss {
  readonly cause:
    | 'goodbye'
    | 'parted'
    | 'ended'
    | 'expired'
    | 'lapsed'
    | 'revoked'
    | 'restarted'
    | 'violation'
    | 'overrun'
    | 'closed'
  /**
   * On this side's clock: until when the peer, or clients of it, may go on using what this side granted. In the past
   * where they have said, or shown, that they do not.
   */
  readonly rightsEndAt: number
  /** For whoever waits for the peer. */
  readonly error: KhazanaError
}

/** The user of a session. */
export interface SessionHandlers {
  /**
   * A message of the peer: each exactly once, in the order of sending. `pages` belong to the receiver. A
   * `protocol-error` thrown here ends the session as a `violation`.
   */
  message(message: SequencedMessage, pages: readonly Uint8Array[]): void
  /**
   * Exactly once, and last: this side's rights at the peer are void. The peer's rights at this side are so from
   * `SessionLoss.rightsEndAt` on.
   */
  lost(loss: SessionLoss): void
}

/**
 * An exactly-once, in-order stream of messages in both directions between two sites, over one connection after the
 * other, with a lease each way (DESIGN sections 7 and 10).
 */
export interface Session {
  /** Unique at the accepting site's incarnation. */
  readonly id: number
  readonly peer: PeerIdentity
  /** The id that this side has at the peer. */
  readonly assigned: SiteId
  readonly leaseMs: number

  /**
   * On this side's clock: until when this side may use what the peer granted. Once passed, uses must be refused, but
   * nothing is void: it may move on again.
   */
  readonly validUntil: number
  /** Resolves when `validUntil` is in the future. Rejects with the error of the loss. */
  whenValid(): Promise<void>

  /**
   * Queues a message. `pages` are those the message says it carries, in order; they are kept until the peer has
   * acknowledged, and must not change any more. Ignored once lost. Throws `invalid-argument` for what is over the
   * limits of `wire/limits.ts`.
   */
  send(message: SequencedMessage, pages?: readonly Uint8Array[]): void
  /** Whether less than the high-water mark is unacknowledged. Sending does not stop at it; senders of much should. */
  readonly writable: boolean
  /** Resolves when `writable` (with some room). Rejects with the error of the loss. */
  whenWritable(): Promise<void>

  /** Undefined while the session lives. */
  readonly loss: SessionLoss | undefined
  /** Whether a connection is up at the moment. */
  readonly connected: boolean
  /**
   * Asks the peer to let the session go: see `Part`. The caller knows that it holds nothing under it. Until the answer
   * `validUntil` is in the past.
   */
  part(): void
  /** Whether it was asked, and has not answered. */
  readonly isParting: boolean
  /**
   * Ends the session: all that this side had granted in it has ended by itself, as it was within a time that is over. Nobody waits for the rights of the
   * peer, and a new session may begin at once.
   */
  revoke(error: KhazanaError): void
  /**
   * Says goodbye; `lost` is called with the cause, `closed` unless told, before this returns. Resolves when the connection is closed:
   * `acknowledged` where the peer has closed it too, and so has nothing of this side's any more.
   */
  close(cause?: 'closed' | 'parted'): Promise<'acknowledged' | 'unanswered'>
}
