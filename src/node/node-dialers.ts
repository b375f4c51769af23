import type { NodeId, SiteId } from '../address/identity.js'
import type { World } from '../io/world.js'
import { KhazanaError } from '../stdx/errors.js'
import { membersMax } from '../wire/limits.js'
import type { Hello } from '../wire/message.js'
import { parseEndpoint } from './endpoint-text.js'
import { Dialer } from './session/dialer.js'
import { comeLater, isOlder } from './session/handshake.js'
import type { SessionContext } from './session/handshake.js'
import type { LocalIdentity, Session } from './session/session.js'

export interface NodeDialersOptions extends SessionContext {
  readonly world: World
  readonly self: () => LocalIdentity & { readonly site: NodeId }
  /** Done before each attempt to connect. */
  readonly beforeDialing: () => Promise<void>
  /** `host:port`; undefined or empty where the node is not known, or accepts no connections. Asked before each attempt. */
  readonly endpointOf: (node: NodeId) => string | undefined
  /** Whether a session with the node lives, whoever has dialed. */
  readonly hasSession: (node: NodeId) => boolean
  /** Whether a new session with the node may begin, as far as earlier ones and its own hellos go. */
  readonly mayOpen: (node: NodeId) => boolean
  /** Whether the node's own hello has come and is being judged. */
  readonly isAdmitting: (node: NodeId) => boolean
  /** Whether anything here needs a session with the node: while there is none, and nothing does, nobody dials. */
  readonly isNeeded: (node: NodeId) => boolean
  /** There will be no session with the node for now: whoever waits for it need wait no more. */
  readonly failed: (node: NodeId, error: KhazanaError) => void
}

/** A node that is dialed, or was: its session is this dialer's. */
interface Line {
  readonly dialer: Dialer
  /** Where it was dialed last. */
  endpoint: string
}

/**
 * The connections that this node makes to others: those that it keeps, for ever, and those that are wanted, until nothing
 * needs them. Either of two nodes may dial, and there is at most one session between them at a time.
 *
 * Two that dial each other at once. A hello counts from when it is sent until it is answered, or given up; not while
 * a connection is being made, nor between two attempts. Else two nodes of which one cannot reach the other could wait for each other
 * for ever. What a node makes of the hello of another, X:
 *
 *   its own state towards X                  | X's hello asks for a new session
 *   -----------------------------------------+----------------------------------------------------------------------
 *   nothing; connecting; between attempts    | is admitted; its own dialing ends when the session begins
 *   own hello sent, and it has the higher id | is refused as `busy`: its own hello wins, at X by the next line
 *   own hello sent, and it has the lower id  | is admitted; its own hello is taken back
 *   X's earlier hello is being admitted      | takes the place of that one; nobody greets X while one is
 *   session accepted from X, or dialed to X: |
 *   - X knew of it when it said hello        | is admitted: X has begun anew, the session is lost (`restarted`)
 *   - X did not (`Hello.latest`), same life  | is refused as `busy`: it was sent before the session began, and has been taken
 *                                            | back since; or X never heard that the session began, which then expires
 *   rights of an earlier session are in use  | is refused as `busy`, and X is not greeted, until they have ended
 *
 * A hello that asks to go on with a session is answered by that session's acceptor, before all of this. Only who dialed
 * goes on with a broken connection; once the session is lost, either may dial.
 */
export class NodeDialers {
  readonly #options: NodeDialersOptions
  readonly #lines = new Map<NodeId, Line>()
  readonly #kept = new Set<NodeId>()
  /** Wanted or kept while nobody knew where they are. */
  readonly #missed = new Set<NodeId>()
  /** The number of the newest session with each node. */
  readonly #latest = new Map<SiteId, number>()
  #isClosed = false

  constructor(options: NodeDialersOptions) {
    this.#options = options
  }

  /** From now on there is to be a session with the node, always. */
  keep(node: NodeId): void {
    this.#kept.add(node)
    this.want(node)
  }

  /** From now on there is to be a session with each of these, always, and with others only while it is of use. */
  keepOnly(nodes: readonly NodeId[]): void {
    for (const node of [...this.#kept]) if (!nodes.includes(node)) this.#kept.delete(node)
    for (const node of nodes) this.keep(node)
  }

  isKept(node: SiteId): boolean {
    return this.#kept.has(node as NodeId)
  }

  /**
   * There is use for a session with the node: it is dialed, if it is not already, for as long as something needs it. Answers
   * why there cannot be one, where that is known at once.
   */
  want(node: NodeId): KhazanaError | undefined {
    if (this.#isClosed) return new KhazanaError('closed', 'the node was closed')
    if (this.#options.hasSession(node) || this.#lines.has(node)) return undefined
    const endpoint = this.#options.endpointOf(node)
    if (endpoint === undefined || endpoint === '') {
      if (this.#missed.size < membersMax) this.#missed.add(node)
      return nowhere(node, endpoint)
    }
    this.#dial(node, endpoint)
    return undefined
  }

  #dial(node: NodeId, endpoint: string): void {
    const { world, self, beforeDialing, mayOpen, isAdmitting, isNeeded } = this.#options
    const { logger } = world
    const dialer = new Dialer({
      ...this.#options,
      random: world.random,
      network: {
        connect: async (where, options) => {
          await beforeDialing()
          return world.network.connect(where, options)
        },
      },
      endpoint: () => parseEndpoint(this.#whereIs(node)),
      identity: self,
      expected: node,
      mayOpen: () => mayOpen(node),
      mayGreet: () => mayOpen(node) && !isAdmitting(node),
      latest: () => this.latest(node),
      goesOn: () => this.#kept.has(node) || isNeeded(node),
      failed: (error, attempt) => {
        if (attempt === 1) logger.log('info', 'a node cannot be reached', { node, reason: error.message })
      },
      rested: (error) => {
        this.#forget(node, dialer, error)
      },
      refused: (error) => {
        const { code, message: reason } = error
        logger.log('error', 'a node refuses this one', { node, code, reason })
        this.#forget(node, dialer, error)
      },
    })
    this.#lines.set(node, { dialer, endpoint })
    dialer.start()
  }

  /** Throws `unreachable`. */
  #whereIs(node: NodeId): string {
    const endpoint = this.#options.endpointOf(node)
    if (endpoint === undefined || endpoint === '') throw nowhere(node, endpoint)
    const line = this.#lines.get(node)
    if (line !== undefined) line.endpoint = endpoint
    return endpoint
  }

  #forget(node: NodeId, dialer: Dialer, error: KhazanaError): void {
    if (this.#lines.get(node)?.dialer !== dialer) return
    this.#lines.delete(node)
    this.#options.failed(node, error)
  }

  /** Where nodes are has changed. */
  tableChanged(): void {
    if (this.#isClosed) return
    for (const [node, { dialer, endpoint }] of [...this.#lines]) {
      if (dialer.session !== undefined) continue
      const now = this.#options.endpointOf(node)
      if (now === undefined || now === '') {
        const error = nowhere(node, now)
        dialer.replaced(error)
        this.#forget(node, dialer, error)
        if (this.#missed.size < membersMax) this.#missed.add(node)
      } else if (now !== endpoint) dialer.hurry()
    }
    for (const node of [...this.#missed]) {
      const endpoint = this.#options.endpointOf(node)
      if (endpoint === undefined || endpoint === '') continue
      this.#missed.delete(node)
      if (this.#kept.has(node) || this.#options.isNeeded(node)) this.want(node)
    }
  }

  /** The newest session with the node; 0: none in this node's life. */
  latest(node: SiteId): number {
    return this.#latest.get(node) ?? 0
  }

  /** A node asks for a new session, and is admitted unless this answers why not: see the table above. */
  crossing(hello: Hello): KhazanaError | undefined {
    const node = hello.site as NodeId
    const dialer = this.#lines.get(node)?.dialer
    if (dialer === undefined) return undefined
    const { session } = dialer
    if (session !== undefined) {
      if (isOlder(hello, session)) return comeLater('there is a session')
      this.#lines.delete(node)
      dialer.replaced(new KhazanaError('unreachable', `${session.peer.name} has begun anew`))
      return undefined
    }
    if (dialer.isGreeting && this.#options.self().site > node) return comeLater('this node greets that one')
    dialer.giveWay()
    return undefined
  }

  /** A session with a node has begun, whoever has dialed. */
  sessionUp(session: Session): void {
    const node = session.peer.site as NodeId
    this.#latest.set(node, session.id)
    this.#missed.delete(node)
    const dialer = this.#lines.get(node)?.dialer
    if (dialer === undefined || dialer.session === session) return
    this.#lines.delete(node)
    dialer.replaced(new KhazanaError('unreachable', 'the peer has dialed'))
  }

  /** Called when all others have been told. */
  sessionLost(session: Session): void {
    const node = session.peer.site as NodeId
    // What was dialed from here is dialed again by itself.
    if (this.#lines.has(node)) return
    if (this.#kept.has(node) || this.#options.isNeeded(node)) this.want(node)
  }

  abandon(): void {
    this.#isClosed = true
    for (const { dialer } of this.#lines.values()) dialer.abandon()
  }

  /** Says goodbye to all that were dialed from here. Resolves when the connections are closed. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#lines.values()].map(({ dialer }) => dialer.close()))
  }
}

function nowhere(node: NodeId, endpoint: string | undefined): KhazanaError {
  const why =
    endpoint === undefined
      ? 'is not a member of the cluster, as far as is known here'
      : 'accepts no connections from other nodes: start it with --listen'
  return new KhazanaError('unreachable', `node ${node} cannot be reached: it ${why}`)
}
