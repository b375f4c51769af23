import type { NodeId } from '../../address/identity.js'
import type { Timer } from '../../io/clock.js'
import type { Connection, Endpoint, Network } from '../../io/network.js'
import type { Random } from '../../io/random.js'
import { KhazanaError, type ErrorCode } from '../../stdx/errors.js'
import type { Frame } from '../../wire/frame-reader.js'
import { FrameWriter } from '../../wire/frame-writer.js'
import { handshakeBytesMax } from '../../wire/limits.js'
import type { Hello, Welcome } from '../../wire/message.js'
import { backoffMaxMs, backoffMs } from './backoff.js'
import { FrameLink } from './frame-link.js'
import {
  checkWelcome,
  comeLater,
  errorOf,
  handshakeMs,
  helloOf,
  peerOfWelcome,
  type SessionContext,
} from './handshake.js'
import { SessionDriver } from './session-driver.js'
import type { LocalIdentity } from './session.js'

const connectMs = 5000
/** A connection that lived this long starts the count of attempts anew. */
const stableMs = backoffMaxMs

/** What another attempt would not change. */
const finalCodes: ReadonlySet<ErrorCode> = new Set([
  'wrong-version',
  'wrong-cluster',
  'invalid-argument',
  'unsupported',
  'insecure',
])

export interface DialerOptions extends SessionContext {
  readonly random: Random
  readonly network: Pick<Network, 'connect'>
  /** Asked before each attempt. */
  readonly endpoint: () => Endpoint
  /** Asked before each attempt. */
  readonly identity: () => LocalIdentity
  /** The node that must answer, where it is known. */
  readonly expected: NodeId | undefined
  /** Throws a `KhazanaError` where there is to be no session with whoever answers so. */
  readonly judge?: (welcome: Welcome) => void
  /** An attempt has failed; another one follows. `attempt` counts from 1 since the last success. */
  readonly failed: (error: KhazanaError, attempt: number) => void
  /** Asked before a new session begins: false while rights of an earlier one may still be in use. */
  readonly mayOpen: () => boolean
  /** The peer will not have this side: no other attempt follows. */
  readonly refused: (error: KhazanaError) => void
  /** The newest session with the peer that this side knows of, whoever dialed. Those of this dialer, unless told. */
  readonly latest?: () => number
  /** Asked before a new session is asked for, which else has to wait. It never has to, unless told. */
  readonly mayGreet?: () => boolean
  /** Asked after each failure to begin a session: whether to go on trying. Always, unless told. */
  readonly goesOn?: () => boolean
  /** Nothing needs the session, which there is not: no other attempt follows. */
  readonly rested?: (error: KhazanaError) => void
}

interface Attempt {
  readonly link: FrameLink
  readonly hello: Hello
  readonly patience: Timer
}

/**
 * Keeps a session with the node at an endpoint: connects, and connects again with growing pauses; goes on with the
 * session where the node still knows it, else begins a new one.
 */
export class Dialer {
  readonly #options: DialerOptions
  readonly #writer = new FrameWriter()
  #session: SessionDriver | undefined
  #attempt: Attempt | undefined
  #pause: Timer | undefined
  /** Whether a connection is being made, or waited for: then whatever is lost is not dialed for again. */
  #dialing = false
  #attempts = 0
  #latest = 0
  #connectedAt = -Infinity
  #stopped = false

  constructor(options: DialerOptions) {
    this.#options = options
  }

  /** Called once. */
  start(): void {
    this.#dialing = true
    void this.#dial()
  }

  /** The session, while it lives. */
  get session(): SessionDriver | undefined {
    return this.#session?.loss === undefined ? this.#session : undefined
  }

  /** Whether a hello was sent that is not answered. */
  get isGreeting(): boolean {
    return this.#attempt !== undefined
  }

  /** Takes a hello that is not answered back; another follows as after a failure. */
  giveWay(): void {
    if (this.session === undefined) this.#abandon(comeLater('the peer greets this side'))
  }

  /** Does not wait for the next attempt: what it failed for may be over. */
  hurry(): void {
    if (this.#pause === undefined) return
    this.#pause.cancel()
    this.#attempts = 0
    void this.#dial()
  }

  /** Stops dialing for good: another session takes the place of the one there was, if any, which is lost. */
  replaced(error: KhazanaError): void {
    this.#stop()
    this.#session?.lose('restarted', error)
  }

  /** Stops dialing, and says goodbye. Resolves when the connection is closed. */
  async close(): Promise<'acknowledged' | 'unanswered'> {
    this.#stop()
    return (await this.#session?.close()) ?? 'acknowledged'
  }

  /** Stops dialing, and ends the session without a word: the peer waits until the lease is over. */
  abandon(): void {
    this.#stop()
    this.#session?.lose('closed', new KhazanaError('closed', 'this side has stopped'))
  }

  #stop(): void {
    this.#stopped = true
    this.#pause?.cancel()
    this.#pause = undefined
    const attempt = this.#attempt
    this.#attempt = undefined
    attempt?.patience.cancel()
    this.#voidBeforeLeaving(attempt, new KhazanaError('closed', 'this side has stopped to connect'))
    attempt?.link.destroy()
  }

  async #dial(): Promise<void> {
    this.#pause = undefined
    const { network, endpoint } = this.#options
    if (!this.#mayGreet()) {
      this.#retry(comeLater('it is too early for a new session'))
      return
    }
    let connection: Connection
    try {
      connection = await network.connect(endpoint(), { timeoutMs: connectMs })
    } catch (reason) {
      this.#retry(KhazanaError.from(reason, 'unreachable'))
      return
    }
    if (this.#stopped) connection.destroy()
    else if (this.#mayGreet()) this.#greet(connection)
    else {
      connection.destroy()
      this.#retry(comeLater('it is too early for a new session'))
    }
  }

  #mayGreet(): boolean {
    return this.session !== undefined || (this.#options.mayGreet?.() ?? true)
  }

  #greet(connection: Connection): void {
    const link = new FrameLink(connection, {
      allocate: this.#options.allocate,
      frameBytesMax: handshakeBytesMax,
    })
    const { session } = this
    const latest = Math.max(this.#latest, this.#options.latest?.() ?? 0)
    const hello = helloOf(this.#options.identity(), this.#options.expected, session, latest)
    const patience = this.#options.clock.after(handshakeMs, () => {
      this.#abandon(new KhazanaError('unreachable', `no answer to "hello" in ${handshakeMs} ms`))
    })
    this.#attempt = { link, hello, patience }
    link.start({
      heard: () => undefined,
      frame: (frame) => this.#answered(link, hello, frame),
      failed: (error) => this.#abandon(error),
      closed: () => {
        this.#abandon(
          new KhazanaError('unreachable', 'the connection was closed before an answer to "hello"'),
        )
      },
    })
    link.send(this.#writer.encode(hello, [], 0, session?.received ?? 0))
  }

  #answered(link: FrameLink, hello: Hello, frame: Frame): void {
    const message = frame.message
    if (message.kind === 'welcome') this.#welcomed(link, hello, message)
    else if (message.kind === 'refused') this.#abandon(errorOf(message))
    else throw new KhazanaError('protocol-error', `"${message.kind}" is no answer to "hello"`)
  }

  #welcomed(link: FrameLink, hello: Hello, welcome: Welcome): void {
    try {
      checkWelcome(welcome, this.#options.identity(), this.#options.expected)
      this.#options.judge?.(welcome)
    } catch (reason) {
      this.#abandon(KhazanaError.from(reason))
      return
    }
    this.#attempt?.patience.cancel()
    this.#attempt = undefined
    this.#connectedAt = this.#options.clock.now()
    if (welcome.resumed) this.#resume(link, hello, welcome)
    else this.#open(link, welcome)
  }

  #resume(link: FrameLink, hello: Hello, welcome: Welcome): void {
    const session = this.#session
    const isOurs = session?.id === welcome.session && hello.resume?.session === welcome.session
    if (session !== undefined && isOurs && session.canResume(welcome.received)) {
      this.#dialing = false
      session.attach(link, welcome.received)
      return
    }
    // Lost here while the peer was asked: let the peer know at once, and begin anew.
    link.send(this.#writer.encode({ kind: 'goodbye' }, [], 0, 0))
    void link.close()
    session?.lose(
      'violation',
      new KhazanaError('protocol-error', 'the peer went on with a session not asked for'),
    )
    this.#retry(new KhazanaError('unreachable', 'the session was lost while the connection was made'))
  }

  #open(link: FrameLink, welcome: Welcome): void {
    const { clock, logger, limits, traffic, leaseLimit, identity } = this.#options
    const earlier = this.#session
    this.#session = undefined
    earlier?.lose(
      'restarted',
      new KhazanaError('unreachable', `${welcome.name} knows nothing of the session`),
    )
    if (!this.#options.mayOpen()) {
      link.send(this.#writer.encode({ kind: 'goodbye' }, [], 0, 0))
      void link.close()
      this.#retry(new KhazanaError('busy', 'rights of an earlier session may still be in use'))
      return
    }
    const session = new SessionDriver({
      clock,
      logger,
      limits,
      traffic,
      leaseLimit,
      writer: this.#writer,
      id: welcome.session,
      peer: peerOfWelcome(welcome),
      assigned: welcome.assigned,
      leaseMs: welcome.leaseMs,
      whenSilent: identity().role === 'node' ? 'disconnect' : 'wait',
      whenLapsed: identity().role === 'node' ? 'lose' : 'wait',
      disconnected: () => this.#redial(session),
      ended: () => this.#redial(session),
    })
    this.#session = session
    if (identity().role === 'node') this.#latest = session.id
    this.#dialing = false
    session.start(this.#options.open(session), link)
  }

  #redial(session: SessionDriver): void {
    if (this.#session !== session || this.#dialing) return
    if (this.#options.clock.now() - this.#connectedAt > stableMs) this.#attempts = 0
    this.#retry(new KhazanaError('unreachable', 'the connection was lost'))
  }

  /** Ends the attempt, and tries again unless the peer will never have this side. */
  #abandon(error: KhazanaError): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    this.#attempt = undefined
    attempt.patience.cancel()
    this.#voidBeforeLeaving(attempt, error)
    attempt.link.destroy()
    if (finalCodes.has(error.code)) this.#refused(error)
    else this.#retry(error)
  }

  /**
   * The node takes a client's rights away when it sees the end of a connection on which it has resumed the client's
   * session; so they must be void here before that end can be seen.
   */
  #voidBeforeLeaving(attempt: Attempt | undefined, error: KhazanaError): void {
    if (attempt?.hello.resume === undefined || attempt.hello.role !== 'client') return
    this.#session?.lose('ended', error)
  }

  #refused(error: KhazanaError): void {
    this.#stop()
    this.#session?.lose('restarted', error)
    this.#options.refused(error)
  }

  #retry(error: KhazanaError): void {
    if (this.#stopped) return
    const { clock, random } = this.#options
    if (this.session === undefined && this.#options.goesOn?.() === false) {
      this.#stop()
      this.#options.rested?.(error)
      return
    }
    this.#dialing = true
    this.#attempts += 1
    this.#options.failed(error, this.#attempts)
    this.#pause?.cancel()
    this.#pause = clock.after(backoffMs(this.#attempts, random), () => void this.#dial())
  }
}
