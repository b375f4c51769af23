import { noCluster, type NodeId, type SiteId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { KhazanaError, isErrorCode } from '../../stdx/errors.js'
import type { Hello, Refused, Welcome } from '../../wire/message.js'
import { protocolVersion } from '../../wire/message.js'
import type { SessionDriver } from './session-driver.js'
import type { SessionLimits } from './session-limits.js'
import type { LocalIdentity, PeerIdentity, Session, SessionHandlers } from './session.js'
import type { Traffic } from './traffic.js'

/** What sessions need, whichever side makes the connection. */
export interface SessionContext {
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: SessionLimits
  /** Counts for all sessions of the site. */
  readonly traffic: Traffic
  /** Makes the buffer for one received page, 4 KiB to 1 MiB; its contents are overwritten. */
  readonly allocate: (bytes: number) => Uint8Array
  /**
   * For how many milliseconds from now a peer may rely on this side. A site whose own rights depend on a lease must
   * not promise more than what is left of it.
   */
  readonly leaseLimit: (peer: PeerIdentity) => number
  /** A new session begins: who uses it. */
  readonly open: (session: Session) => SessionHandlers
}

/** How long either side waits for the other's first message. */
export const handshakeMs = 5000

/**
 * The first message on a connection, which asks to go on with a session where there is one. `expected`, `latest`: see `Hello.to` and `Hello.latest`.
 */
export function helloOf(
  local: LocalIdentity,
  expected: NodeId | undefined,
  session: SessionDriver | undefined,
  latest: number,
): Hello {
  const resume =
    session === undefined
      ? undefined
      : { session: session.id, peerIncarnation: session.peer.incarnation, received: session.received }
  return {
    kind: 'hello',
    version: protocolVersion,
    cluster: local.cluster,
    role: local.role,
    site: session === undefined ? local.site : session.assigned,
    to: expected ?? 0,
    incarnation: local.incarnation,
    name: local.name,
    listen: local.listen,
    latest,
    resume,
  }
}

/** Whether the session that the caller asks to go on with is the one that is known here, and can go on. */
export function canResume(session: SessionDriver, hello: Hello, incarnation: number): boolean {
  return (
    hello.resume?.peerIncarnation === incarnation &&
    isSamePeer(session, hello) &&
    session.peer.incarnation === hello.incarnation &&
    session.canResume(hello.resume.received)
  )
}

export function isSamePeer(session: SessionDriver, hello: Hello): boolean {
  return session.peer.site === hello.site && session.peer.role === hello.role
}

/**
 * Whether the node said its hello before it knew of the session, or in an earlier life: then it tells nothing of what became
 * of the session, and nobody waits for an answer to it.
 */
export function isOlder(hello: Hello, session: Pick<SessionDriver, 'id' | 'peer'>): boolean {
  const { incarnation } = session.peer
  return hello.incarnation < incarnation || (hello.incarnation === incarnation && hello.latest < session.id)
}

/** Refuses a hello that may be right a little later. */
export function comeLater(why: string): KhazanaError {
  return new KhazanaError('busy', `${why}: come back later`)
}

export function peerOfHello(hello: Hello, site: SiteId): PeerIdentity {
  const { cluster, role, incarnation, name, listen } = hello
  return { cluster, role, site, incarnation, name, listen }
}

export function peerOfWelcome(welcome: Welcome): PeerIdentity {
  const { cluster, site, incarnation, name, listen } = welcome
  return { cluster, role: 'node', site, incarnation, name, listen }
}

/** Throws `wrong-cluster`, or `unreachable` where another node than `expected` answers. */
export function checkWelcome(welcome: Welcome, local: LocalIdentity, expected: NodeId | undefined): void {
  if (local.cluster !== noCluster && welcome.cluster !== local.cluster) {
    throw new KhazanaError('wrong-cluster', `${welcome.name} belongs to cluster ${welcome.cluster}`)
  }
  if (expected !== undefined && welcome.site !== expected) {
    throw new KhazanaError('unreachable', `node ${welcome.site} answers where node ${expected} was`)
  }
}

export function refusedBecause(error: KhazanaError): Refused {
  return { kind: 'refused', code: error.code, message: error.message }
}

export function errorOf(refused: Refused): KhazanaError {
  return new KhazanaError(isErrorCode(refused.code) ? refused.code : 'internal', refused.message)
}
