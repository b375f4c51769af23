import { noCluster, type ClusterId, type NodeId, type SiteId } from '../../address/identity.js'
import type { Timer } from '../../io/clock.js'
import type { Connection } from '../../io/network.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Frame } from '../../wire/frame-reader.js'
import { FrameWriter } from '../../wire/frame-writer.js'
import { handshakeBytesMax } from '../../wire/limits.js'
import { protocolVersion, type Hello } from '../../wire/message.js'
import { FrameLink } from './frame-link.js'
import {
  canResume,
  comeLater,
  handshakeMs,
  isOlder,
  isSamePeer,
  peerOfHello,
  refusedBecause,
  type SessionContext,
} from './handshake.js'
import { SessionDriver } from './session-driver.js'

/** Connections whose first message has not come, or not been judged. */
const handshakesMax = 64

/** What the accepting node says of itself. */
export interface AcceptorIdentity {
  readonly cluster: ClusterId
  readonly site: NodeId
  readonly incarnation: number
  readonly name: string
  readonly listen: string
}

export interface AcceptorOptions extends SessionContext {
  /** As it is now: it may become known after listening has begun. */
  readonly identity: () => AcceptorIdentity
  readonly leaseMs: number
  /**
   * Judges who asks for a new session, and names it. The caller's version and cluster are right; a node without a
   * cluster asks to join. Throws a `KhazanaError` to refuse.
   */
  readonly admit: (hello: Hello, remote: string) => SiteId | Promise<SiteId>
  /**
   * A node that is known asks for a new session, as far as this acceptor knows rightly: whether this side's own dialing
   * leaves room for it. Where not, why; it is then refused. Always, unless told.
   */
  readonly crossing?: (hello: Hello) => KhazanaError | undefined
  /** The newest session with the node that this side knows of, whoever had dialed; 0: none. */
  readonly latest?: (node: SiteId) => number
}

interface Handshake {
  readonly link: FrameLink
  readonly patience: Timer
  /** The node that is being admitted on it. */
  site?: SiteId
}

/**
 * Takes connections in, and makes or continues a session on each. A caller that says nothing, or nonsense, or too much,
 * costs one of a bounded number of places for a bounded time.
 */
export class Acceptor {
  readonly #options: AcceptorOptions
  readonly #writer = new FrameWriter()
  readonly #handshakes = new Set<Handshake>()
  readonly #sessions = new Map<number, SessionDriver>()
  /** Of nodes that are being admitted. */
  readonly #admissions = new Map<SiteId, Handshake>()
  #sessionNumber = 0
  #closed = false

  constructor(options: AcceptorOptions) {
    this.#options = options
  }

  /** Takes a connection over: to be given to `Network.listen`. */
  accept(connection: Connection): void {
    if (this.#closed || this.#handshakes.size >= handshakesMax) {
      this.#log('too many connections at once', connection.remote, undefined)
      connection.destroy()
      return
    }
    const link = new FrameLink(connection, {
      allocate: this.#options.allocate,
      frameBytesMax: handshakeBytesMax,
    })
    const handshake: Handshake = {
      link,
      patience: this.#options.clock.after(handshakeMs, () => {
        this.#fail(handshake, new KhazanaError('timeout', `no first message in ${handshakeMs} ms`))
      }),
    }
    this.#handshakes.add(handshake)
    link.start({
      heard: () => undefined,
      frame: (frame) => this.#firstFrame(handshake, frame),
      failed: (error) => this.#failed(handshake, error),
      closed: () => this.#forget(handshake),
    })
  }

  /** Whether the node's hello has been heard, and not been answered. */
  isAdmitting(node: SiteId): boolean {
    return this.#admissions.has(node)
  }

  /** Takes nothing new in. */
  stop(): void {
    this.#closed = true
    for (const handshake of this.#handshakes) {
      this.#forget(handshake)
      handshake.link.destroy()
    }
  }

  /** Says goodbye to all peers of a role. Resolves when their connections are closed: whether all have answered. */
  async close(role: 'node' | 'client'): Promise<'acknowledged' | 'unanswered'> {
    const sessions = [...this.#sessions.values()].filter((session) => session.peer.role === role)
    const answers = await Promise.all(sessions.map((session) => session.close()))
    return answers.includes('unanswered') ? 'unanswered' : 'acknowledged'
  }

  /** Ends all sessions without a word: the peers wait until the leases are over. */
  abandon(): void {
    for (const session of [...this.#sessions.values()]) {
      session.lose('closed', new KhazanaError('closed', 'this side has stopped'))
    }
  }

  #firstFrame(handshake: Handshake, frame: Frame): void {
    const hello = frame.message
    if (hello.kind !== 'hello') {
      throw new KhazanaError('protocol-error', `"${hello.kind}" before "hello"`)
    }
    const identity = this.#options.identity()
    if (hello.cluster !== noCluster && hello.cluster !== identity.cluster) {
      const error = new KhazanaError('wrong-cluster', `this node belongs to cluster ${identity.cluster}`)
      this.#refuse(handshake, error)
      return
    }
    // Before anything is made of it: the caller will have nothing of a session with whoever it does not mean, and would only end the one that there is.
    if (hello.to !== 0 && hello.to !== identity.site) {
      // Who looks for one that is gone comes again and again; that it is not found is in the log there.
      const why = `node ${identity.site} is where node ${hello.to} was`
      this.#turnAway(handshake, new KhazanaError('unreachable', why))
      return
    }
    const known = hello.resume === undefined ? undefined : this.#sessions.get(hello.resume.session)
    if (known !== undefined && canResume(known, hello, identity.incarnation)) {
      this.#resume(handshake, hello, known)
      return
    }
    const refusal = hello.role === 'node' ? this.#objection(hello) : undefined
    if (refusal !== undefined) {
      this.#refuse(handshake, refusal)
      return
    }
    this.#awaitAdmission(handshake)
    if (hello.role === 'node' && hello.site !== 0) this.#noteAdmission(hello.site, handshake)
    // A refusal is handled; anything else that is thrown in there is a bug, and must not be lost.
    void this.#admit(handshake, hello)
  }

  /** Why the node may not begin a new session now. */
  #objection(hello: Hello): KhazanaError | undefined {
    if (hello.site === 0) return undefined
    for (const session of this.#sessions.values()) {
      if (session.peer.site === hello.site && isOlder(hello, session)) return comeLater('there is a session')
    }
    return this.#options.crossing?.(hello)
  }

  /** Of two hellos of one node, the later counts. */
  #noteAdmission(site: SiteId, handshake: Handshake): void {
    const earlier = this.#admissions.get(site)
    if (earlier !== undefined) this.#fail(earlier, new KhazanaError('unreachable', 'the node greets again'))
    this.#admissions.set(site, handshake)
    handshake.site = site
  }

  /** Until it is admitted the caller has nothing to say. */
  #awaitAdmission(handshake: Handshake): void {
    const receiver = {
      heard: () => undefined,
      frame: (frame: Frame) => {
        throw new KhazanaError('protocol-error', `"${frame.message.kind}" before the answer to "hello"`)
      },
      failed: (error: KhazanaError) => this.#failed(handshake, error),
      closed: () => this.#forget(handshake),
    }
    handshake.link.handTo(receiver, handshakeBytesMax)
  }

  async #admit(handshake: Handshake, hello: Hello): Promise<void> {
    let site: SiteId
    try {
      this.#loseEarlier(hello)
      site = await this.#options.admit(hello, handshake.link.remote)
    } catch (reason) {
      if (!(reason instanceof KhazanaError)) throw reason
      if (this.#handshakes.has(handshake)) this.#refuse(handshake, reason)
      return
    }
    if (this.#handshakes.has(handshake)) this.#open(handshake, hello, site)
  }

  #open(handshake: Handshake, hello: Hello, site: SiteId): void {
    // Higher than any that either side knows of: of two nodes' sessions, the later has the higher number.
    const latest = hello.role === 'node' ? Math.max(hello.latest, this.#options.latest?.(site) ?? 0) : 0
    this.#sessionNumber = Math.max(this.#sessionNumber, latest) + 1
    const session = new SessionDriver({
      clock: this.#options.clock,
      logger: this.#options.logger,
      limits: this.#options.limits,
      traffic: this.#options.traffic,
      leaseLimit: this.#options.leaseLimit,
      writer: this.#writer,
      id: this.#sessionNumber,
      peer: peerOfHello(hello, site),
      assigned: this.#options.identity().site,
      leaseMs: this.#options.leaseMs,
      whenSilent: 'wait',
      whenLapsed: hello.role === 'node' ? 'lose' : 'wait',
      disconnected: () => undefined,
      ended: () => this.#sessions.delete(session.id),
    })
    this.#sessions.set(session.id, session)
    this.#forget(handshake)
    const handlers = this.#options.open(session)
    this.#welcome(handshake.link, session, false)
    session.start(handlers, handshake.link)
  }

  #resume(handshake: Handshake, hello: Hello, session: SessionDriver): void {
    this.#forget(handshake)
    this.#welcome(handshake.link, session, true)
    session.attach(handshake.link, hello.resume?.received ?? 0)
  }

  /** A caller that begins anew holds nothing of its earlier sessions any more. */
  #loseEarlier(hello: Hello): void {
    // A session of an earlier life of this node may have had the numbers that somebody else's has now.
    const isOfThisLife = hello.resume?.peerIncarnation === this.#options.identity().incarnation
    for (const session of this.#sessions.values()) {
      const isAbandoned = isOfThisLife && session.id === hello.resume.session && isSamePeer(session, hello)
      const isReplaced = hello.role === 'node' && session.peer.site === hello.site
      if (isAbandoned || isReplaced) {
        session.lose('restarted', new KhazanaError('unreachable', `${session.peer.name} has begun anew`))
      }
    }
  }

  #welcome(link: FrameLink, session: SessionDriver, resumed: boolean): void {
    const identity = this.#options.identity()
    const welcome = {
      kind: 'welcome',
      version: protocolVersion,
      cluster: identity.cluster,
      site: identity.site,
      incarnation: identity.incarnation,
      name: identity.name,
      listen: identity.listen,
      assigned: session.peer.site,
      session: session.id,
      resumed,
      received: session.received,
      leaseMs: session.leaseMs,
    } as const
    link.send(this.#writer.encode(welcome, [], 0, session.received))
  }

  #failed(handshake: Handshake, error: KhazanaError): void {
    // Who speaks another version is told so; who speaks no protocol at all is not.
    if (error.code === 'wrong-version') this.#refuse(handshake, error)
    else this.#fail(handshake, error)
  }

  #refuse(handshake: Handshake, error: KhazanaError): void {
    this.#log('connection refused', handshake.link.remote, error)
    this.#turnAway(handshake, error)
  }

  #turnAway(handshake: Handshake, error: KhazanaError): void {
    this.#forget(handshake)
    handshake.link.send(this.#writer.encode(refusedBecause(error), [], 0, 0))
    const patience = this.#options.clock.after(handshakeMs, () => handshake.link.destroy())
    void handshake.link.close().then(() => patience.cancel())
  }

  #fail(handshake: Handshake, error: KhazanaError): void {
    this.#forget(handshake)
    this.#log('connection dropped', handshake.link.remote, error)
    handshake.link.destroy()
  }

  #forget(handshake: Handshake): void {
    handshake.patience.cancel()
    this.#handshakes.delete(handshake)
    const { site } = handshake
    if (site !== undefined && this.#admissions.get(site) === handshake) this.#admissions.delete(site)
  }

  #log(message: string, remote: string, error: KhazanaError | undefined): void {
    this.#options.logger.log('warn', message, { remote, code: error?.code ?? 'busy', reason: error?.message })
  }
}
