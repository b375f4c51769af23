import type { SiteId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import type { CloseReason } from '../../io/network.js'
import { LeaseGranter, LeaseHolder } from '../../membership/link-lease.js'
import { assert, unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Frame } from '../../wire/frame-reader.js'
import type { FrameWriter } from '../../wire/frame-writer.js'
import type { SequencedMessage, SessionMessage } from '../../wire/message.js'
import { isSequenced } from '../../wire/payloads.js'
import { ReplayWindow } from '../../wire/replay-window.js'
import type { FrameLink, LinkReceiver } from './frame-link.js'
import type { SessionLimits } from './session-limits.js'
import type { PeerIdentity, Session, SessionHandlers, SessionLoss } from './session.js'
import type { Traffic } from './traffic.js'
import { Waiters } from './waiters.js'

/** Renewals in one lease: two may get lost. */
const renewalsPerLease = 3
/** At most so many in one lease while somebody waits for it. */
const renewalsWhenWaited = 30
/** How long what was sent before a goodbye may take to leave. */
const goodbyeMs = 2000
/** A timer that is late by this part of a lease tells that this process stood still, not the peer. */
const stoodStillPart = 0.1

export interface SessionOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly writer: FrameWriter
  readonly limits: SessionLimits
  readonly traffic: Traffic
  readonly id: number
  readonly peer: PeerIdentity
  readonly assigned: SiteId
  readonly leaseMs: number
  /** For how many milliseconds from now this side may let others rely on it. */
  readonly leaseLimit: (peer: PeerIdentity) => number
  /** What to do with a connection on which nothing is heard: only who can dial again gives it up. */
  readonly whenSilent: 'wait' | 'disconnect'
  /**
   * What to do when this side's lease at the peer has run out. A client waits, since its node may hold it off while the
   * node's own rights are in doubt. A node gives the session up: its clients must not go on with what it may have lost.
   */
  readonly whenLapsed: 'wait' | 'lose'
  /** The connection is gone, the session is not. */
  readonly disconnected: () => void
  /** The session is over; called after the handlers have been told. */
  readonly ended: () => void
}

/**
 * Drives one session on whatever connection it is given: numbers and replays, renews the lease it holds, and honours
 * the one it granted. A connection may come and go; the session ends as `SessionLoss` says. Before a connection is
 * closed from here the handlers have been told of the loss: a peer that sees the end of a client's connection may
 * take its rights away at once.
 */
export class SessionDriver implements Session {
  readonly id: number
  readonly peer: PeerIdentity
  readonly assigned: SiteId
  readonly leaseMs: number
  readonly #options: SessionOptions
  readonly #window = new ReplayWindow()
  readonly #holder = new LeaseHolder()
  readonly #granter: LeaseGranter
  readonly #receiver: LinkReceiver
  readonly #whenValid = new Waiters()
  readonly #whenWritable = new Waiters()
  #handlers: SessionHandlers | undefined
  #link: FrameLink | undefined
  #loss: SessionLoss | undefined
  #renewalTimer: Timer | undefined
  #expiryTimer: Timer | undefined
  #lapseTimer: Timer | undefined
  #heardAt: number
  #renewedAt = -Infinity
  /** Received since anything that carries an acknowledgement was sent. */
  #unacknowledgedBytes = 0
  #isParting = false

  constructor(options: SessionOptions) {
    const now = options.clock.now()
    this.id = options.id
    this.peer = options.peer
    this.assigned = options.assigned
    this.leaseMs = options.leaseMs
    this.#options = options
    this.#granter = new LeaseGranter(options.leaseMs, now)
    this.#heardAt = now
    this.#receiver = {
      heard: () => this.#heard(),
      frame: (frame) => this.#receive(frame),
      failed: (error) => this.lose('violation', error),
      closed: (reason) => this.#linkClosed(reason),
    }
  }

  get validUntil(): number {
    return this.#loss === undefined && !this.#isParting ? this.#holder.validUntil : -Infinity
  }

  get writable(): boolean {
    return this.#window.unacknowledgedBytes < this.#options.limits.sendBytesHigh
  }

  get loss(): SessionLoss | undefined {
    return this.#loss
  }

  get connected(): boolean {
    return this.#link !== undefined
  }

  whenValid(): Promise<void> {
    if (this.#loss !== undefined) return Promise.reject(this.#loss.error)
    const now = this.#options.clock.now()
    if (now < this.validUntil) return Promise.resolve()
    // Somebody waits: the next turn of the timer may be far away.
    if (this.#link !== undefined && now - this.#renewedAt > this.leaseMs / renewalsWhenWaited) {
      this.#renewalTimer?.cancel()
      this.#renew()
    }
    return this.#whenValid.wait()
  }

  whenWritable(): Promise<void> {
    if (this.#loss !== undefined) return Promise.reject(this.#loss.error)
    return this.writable ? Promise.resolve() : this.#whenWritable.wait()
  }

  send(message: SequencedMessage, pages: readonly Uint8Array[] = []): void {
    if (this.#loss !== undefined) return
    const window = this.#window
    const frame = this.#options.writer.encode(message, pages, window.nextSequence, window.received)
    window.sent(frame)
    this.#options.traffic.sent(frame.bytes)
    if (this.#link !== undefined) {
      this.#unacknowledgedBytes = 0
      this.#link.send(frame)
    }
    this.#checkOverrun()
  }

  get isParting(): boolean {
    return this.#isParting
  }

  part(): void {
    if (this.#loss !== undefined || this.#isParting) return
    this.#isParting = true
    this.send({ kind: 'part' })
  }

  revoke(error: KhazanaError): void {
    this.lose('revoked', error)
  }

  #onStay(): void {
    this.#isParting = false
    if (this.#options.clock.now() < this.validUntil) this.#whenValid.resolve()
  }

  async close(cause: 'closed' | 'parted' = 'closed'): Promise<'acknowledged' | 'unanswered'> {
    if (this.#loss !== undefined) return this.#answerOfLost(this.#loss)
    const link = this.#link
    this.#link = undefined
    this.lose(cause, new KhazanaError(cause === 'closed' ? 'closed' : 'unreachable', endedHere[cause]))
    if (link === undefined) return 'unanswered'
    link.send(this.#options.writer.encode({ kind: 'goodbye' }, [], 0, this.#window.received))
    const answer = await this.#answerTo(link)
    if (answer === 'acknowledged') await closeSoon(this.#options.clock, link)
    else link.destroy()
    return answer
  }

  /** A session that was lost before: whether the peer can still be using anything. */
  #answerOfLost({ rightsEndAt }: SessionLoss): 'acknowledged' | 'unanswered' {
    return rightsEndAt <= this.#options.clock.now() ? 'acknowledged' : 'unanswered'
  }

  /** Waits for the goodbye with which the peer says that it has given everything up. */
  #answerTo(link: FrameLink): Promise<'acknowledged' | 'unanswered'> {
    return new Promise((resolve) => {
      const patience = this.#options.clock.after(goodbyeMs, () => {
        resolve('unanswered')
      })
      const end = (answer: 'acknowledged' | 'unanswered'): void => {
        patience.cancel()
        resolve(answer)
      }
      const receiver: LinkReceiver = {
        heard: () => undefined,
        frame: ({ message }) => {
          if (message.kind === 'goodbye') end('acknowledged')
        },
        failed: () => {
          end('unanswered')
        },
        closed: ({ kind }) => {
          end(kind === 'ended' && this.peer.role === 'client' ? 'acknowledged' : 'unanswered')
        },
      }
      link.handTo(receiver, this.#options.limits.frameBytesMax)
    })
  }

  // ---- for whoever makes the connections ------------------------------------------------------------------------

  /** How many numbered messages have arrived. */
  get received(): number {
    return this.#window.received
  }

  canResume(peerReceived: number): boolean {
    return this.#loss === undefined && this.#window.canResume(peerReceived)
  }

  /** Begins, on its first connection. */
  start(handlers: SessionHandlers, link: FrameLink): void {
    this.#handlers = handlers
    if (this.#loss !== undefined) {
      handlers.lost(this.#loss)
      link.destroy()
      return
    }
    this.#watchExpiry()
    this.attach(link, 0)
  }

  /** Goes on with another connection, with what the peer has not received. An older connection is dropped. */
  attach(link: FrameLink, peerReceived: number): void {
    assert(this.#loss === undefined, 'only a session that lives goes on')
    this.#link?.destroy()
    this.#link = link
    link.handTo(this.#receiver, this.#options.limits.frameBytesMax)
    this.#heard()
    for (const frame of this.#window.resume(peerReceived)) link.send(frame)
    this.#releaseWritable()
    this.#renewalTimer?.cancel()
    this.#renew()
  }

  /** Ends the session. Does nothing where it has ended before. */
  lose(cause: SessionLoss['cause'], error: KhazanaError): void {
    if (this.#loss !== undefined) return
    this.#loss = { cause, error, rightsEndAt: this.#rightsEndAt(cause) }
    this.#lapseTimer?.cancel()
    this.#renewalTimer?.cancel()
    this.#expiryTimer?.cancel()
    this.#window.clear()
    this.#options.logger.log(quietCauses.has(cause) ? 'debug' : 'warn', 'session lost', {
      session: this.id,
      peer: this.peer.name,
      site: this.peer.site,
      cause,
      code: error.code,
      reason: error.message,
    })
    this.#handlers?.lost(this.#loss)
    this.#link?.destroy()
    this.#link = undefined
    this.#whenValid.reject(error)
    this.#whenWritable.reject(error)
    this.#options.ended()
  }

  /** Who loses a session for reasons of its own knows nothing of what the peer, or its clients, go on to do. */
  #rightsEndAt(cause: SessionLoss['cause']): number {
    const isVoidAlready =
      cause === 'goodbye' ||
      cause === 'parted' ||
      cause === 'ended' ||
      cause === 'expired' ||
      cause === 'revoked'
    const hasBegunAnew = cause === 'restarted' && this.peer.role === 'client'
    return isVoidAlready || hasBegunAnew ? -Infinity : this.#granter.expiresAt
  }

  // ---- receiving --------------------------------------------------------------------------------------------------

  #heard(): void {
    this.#heardAt = this.#options.clock.now()
    this.#granter.heard(this.#heardAt)
  }

  #receive(frame: Frame): void {
    this.#window.acknowledged(frame.acknowledged)
    this.#releaseWritable()
    const message = frame.message
    if (!isSequenced(message)) {
      this.#receiveUnnumbered(message)
      return
    }
    this.#unacknowledgedBytes += frame.bytes
    if (this.#window.arrived(frame.sequence) === 'new') {
      this.#options.traffic.receivedFrom(this.peer.role, frame.bytes)
      if (message.kind === 'stay') this.#onStay()
      this.#handlers?.message(message, frame.pages)
    }
    if (this.#unacknowledgedBytes >= this.#options.limits.acknowledgeBytes) {
      this.#sendUnnumbered({ kind: 'acknowledge' })
    }
  }

  #receiveUnnumbered(message: SessionMessage): void {
    switch (message.kind) {
      case 'acknowledge':
        return
      case 'renew':
        this.#sendUnnumbered({
          kind: 'renewed',
          renewal: message.renewal,
          validForMs: this.#granter.grant(this.#options.leaseLimit(this.peer)),
        })
        return
      case 'renewed':
        this.#renewed(message.renewal, message.validForMs)
        return
      case 'goodbye':
        this.#goodbye()
        return
      case 'hello':
      case 'welcome':
      case 'refused':
        throw new KhazanaError('protocol-error', `"${message.kind}" in the middle of a session`)
      default:
        unreachable(message)
    }
  }

  #renewed(renewal: number, validForMs: number): void {
    if (validForMs > this.leaseMs || !this.#holder.answered(renewal, validForMs)) {
      throw new KhazanaError('protocol-error', `renewal ${renewal} for ${validForMs} ms was not asked for`)
    }
    if (this.#options.clock.now() < this.validUntil) this.#whenValid.resolve()
    if (this.#options.whenLapsed === 'lose') this.#watchLapse()
    if (validForMs < this.leaseMs) this.#renewAfter(validForMs)
  }

  /** What was granted is shorter than a lease, as the peer's own time is: it is renewed sooner. */
  #renewAfter(validForMs: number): void {
    const delayMs = Math.max(this.leaseMs / renewalsWhenWaited, validForMs / renewalsPerLease)
    this.#renewalTimer?.cancel()
    this.#renewalTimer = this.#options.clock.after(delayMs, () => this.#renew())
  }

  #watchLapse(): void {
    const { clock } = this.#options
    this.#lapseTimer?.cancel()
    this.#lapseTimer = clock.after(Math.max(0, this.#holder.validUntil - clock.now()), () => {
      if (clock.now() < this.#holder.validUntil) this.#watchLapse()
      else
        this.lose(
          'lapsed',
          new KhazanaError('unreachable', `${this.peer.name} did not renew the lease in time`),
        )
    })
  }

  /** The peer waits for the answer; dropping the connection could lose it. */
  #goodbye(): void {
    const link = this.#link
    this.#link = undefined
    // Also where the peer leaves before it has read the `part`: it has not read what came after either.
    if (this.#isParting) this.lose('parted', new KhazanaError('unreachable', endedHere.parted))
    else this.lose('goodbye', new KhazanaError('unreachable', `${this.peer.name} has left`))
    if (link === undefined) return
    link.send(this.#options.writer.encode({ kind: 'goodbye' }, [], 0, this.#window.received))
    void closeSoon(this.#options.clock, link)
  }

  #linkClosed(reason: CloseReason): void {
    this.#link = undefined
    if (reason.kind === 'ended' && this.peer.role === 'client') {
      this.lose(
        'ended',
        new KhazanaError('unreachable', `${this.peer.name} has closed the connection, or died`),
      )
      return
    }
    this.#disconnected(reason.kind === 'reset' ? reason.cause : reason.kind)
  }

  #disconnected(reason: string): void {
    this.#options.logger.log('info', 'connection lost, the session waits', {
      session: this.id,
      peer: this.peer.name,
      reason,
    })
    this.#options.disconnected()
  }

  // ---- sending ----------------------------------------------------------------------------------------------------

  #sendUnnumbered(message: SessionMessage): void {
    if (this.#loss !== undefined || this.#link === undefined) return
    this.#unacknowledgedBytes = 0
    this.#link.send(this.#options.writer.encode(message, [], 0, this.#window.received))
    this.#checkOverrun()
  }

  /** The loss waits for the turn to end: who is sending does not expect to be told of it in the middle. */
  #checkOverrun(): void {
    const bytes = Math.max(this.#window.unacknowledgedBytes, this.#link?.queuedBytes ?? 0)
    if (bytes <= this.#options.limits.sendBytesMax) return
    const error = new KhazanaError(
      'busy',
      `${this.peer.name} does not take what is sent: ${bytes} bytes wait`,
    )
    queueMicrotask(() => this.lose('overrun', error))
  }

  #releaseWritable(): void {
    if (this.#whenWritable.isEmpty) return
    if (this.#window.unacknowledgedBytes * 2 <= this.#options.limits.sendBytesHigh)
      this.#whenWritable.resolve()
  }

  // ---- leases -----------------------------------------------------------------------------------------------------

  #renew(): void {
    const now = this.#options.clock.now()
    if (this.#link !== undefined && this.#isSilent()) {
      this.#link.destroy()
      this.#link = undefined
      this.#disconnected('silent')
    }
    this.#renewedAt = now
    if (this.#link !== undefined) this.#sendUnnumbered({ kind: 'renew', renewal: this.#holder.ask(now) })
    this.#renewalTimer = this.#options.clock.after(this.leaseMs / renewalsPerLease, () => this.#renew())
  }

  /** Whether nothing at all has come since the last renewal, not even the answer to it. */
  #isSilent(): boolean {
    return this.#options.whenSilent === 'disconnect' && this.#heardAt < this.#renewedAt
  }

  #watchExpiry(): void {
    const dueAt = this.#granter.expiresAt
    const delayMs = Math.max(0, dueAt - this.#options.clock.now())
    this.#expiryTimer = this.#options.clock.after(delayMs, () => this.#checkExpiry(dueAt))
  }

  #checkExpiry(dueAt: number): void {
    const now = this.#options.clock.now()
    const granter = this.#granter
    if (now >= granter.expiresAt && now - dueAt > this.leaseMs * stoodStillPart) {
      // What the peer said meanwhile is waiting to be read.
      granter.postpone(now + this.leaseMs / renewalsPerLease)
    }
    if (now < granter.expiresAt) {
      this.#watchExpiry()
      return
    }
    this.lose(
      'expired',
      new KhazanaError('unreachable', `nothing was heard of ${this.peer.name} for ${this.leaseMs} ms`),
    )
  }
}

const endedHere = {
  closed: 'this side has closed the session',
  parted: 'neither side needed the session',
} as const

const quietCauses: ReadonlySet<SessionLoss['cause']> = new Set(['closed', 'goodbye', 'parted'])

/** Closes a connection, or drops it where its end does not come. */
async function closeSoon(clock: Clock, link: FrameLink): Promise<void> {
  const patience = clock.after(goodbyeMs, () => {
    link.destroy()
  })
  await link.close()
  patience.cancel()
}
