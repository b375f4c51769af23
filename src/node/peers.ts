import { isNode } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { Clock } from '../io/clock.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Call, Request, Result } from '../wire/message.js'
import { CallTable } from './calls/call-table.js'
import { Deadline, waitFrom, withResolvers } from '../io/deadline.js'
import type { Resolvers, WaitOptions } from '../io/deadline.js'
import type { Session, SessionLoss } from './session/session.js'

/** Requests of one peer that are being carried out; more are refused as `busy`. */
const requestsRunningMax = 1000

interface Peer {
  readonly session: Session
  readonly calls: CallTable
  requestsRunning: number
  /** When it was last of use to anybody here, in this site's time. */
  usedAt: number
}

export interface CallOptions extends WaitOptions {
  /** How much of the time may go by until there is a session. Milliseconds; all of it unless told. */
  readonly connectMs?: number
}

/** The live sessions of a site, and the requests that go through them in either direction. */
export class Peers {
  readonly #clock: Clock
  readonly #reach: (site: SiteId) => KhazanaError | undefined
  readonly #peers = new Map<SiteId, Peer>()
  readonly #waiting = new Map<SiteId, Set<Resolvers<void>>>()

  /** `reach`: somebody waits for a session with the site; answers why none can come, where that is known. */
  constructor(clock: Clock, reach: (site: SiteId) => KhazanaError | undefined = () => undefined) {
    this.#clock = clock
    this.#reach = reach
  }

  up(session: Session): void {
    this.#peers.set(session.peer.site, {
      session,
      calls: new CallTable(this.#clock, session),
      requestsRunning: 0,
      usedAt: this.#clock.now(),
    })
    const waiting = this.#waiting.get(session.peer.site)
    this.#waiting.delete(session.peer.site)
    for (const arrival of waiting ?? []) arrival.resolve()
  }

  lost(session: Session, { cause, error }: SessionLoss): void {
    const peer = this.#peers.get(session.peer.site)
    if (peer?.session !== session) return
    this.#peers.delete(session.peer.site)
    peer.calls.lost(error, cause === 'parted' ? 'unheard' : 'unknown')
  }

  /** The session with the site is of use now. */
  use(site: SiteId): void {
    const peer = this.#peers.get(site)
    if (peer !== undefined) peer.usedAt = this.#clock.now()
  }

  /** When that was so last. */
  lastUse(site: SiteId): number {
    return this.#peers.get(site)?.usedAt ?? -Infinity
  }

  /** No session with the site will come for now: whoever waits for it hears why. */
  failed(site: SiteId, error: KhazanaError): void {
    const waiting = this.#waiting.get(site)
    this.#waiting.delete(site)
    for (const arrival of waiting ?? []) arrival.reject(error)
  }

  /** Whether a request to the site is open or waits for a session, or one of its own is being carried out. */
  isBusy(site: SiteId): boolean {
    const peer = this.#peers.get(site)
    if (peer !== undefined && (peer.requestsRunning > 0 || peer.calls.isOpen)) return true
    return (this.#waiting.get(site)?.size ?? 0) > 0
  }

  get(site: SiteId): Session | undefined {
    return this.#peers.get(site)?.session
  }

  *nodes(): Generator<Session> {
    for (const { session } of this.#peers.values()) if (isNode(session.peer.site)) yield session
  }

  get nodeCount(): number {
    let nodes = 0
    for (const { session } of this.#peers.values()) if (session.peer.role === 'node') nodes += 1
    return nodes
  }

  get clientCount(): number {
    let clients = 0
    for (const { session } of this.#peers.values()) if (session.peer.role === 'client') clients += 1
    return clients
  }

  /**
   * The peer's answer, as soon as there is a session with it. `pages`: what the call says that goes along. Throws `unreachable`
   * where there is none in time, or can be none.
   */
  async call(
    site: SiteId,
    call: Call,
    options: CallOptions,
    pages: readonly Uint8Array[] = [],
  ): Promise<Result> {
    const { connectMs = Infinity, ...limits } = options
    const wait = waitFrom(this.#clock, limits)
    for (;;) {
      const left = wait()
      const connecting = { ...left, timeoutMs: Math.min(left.timeoutMs, connectMs) }
      const peer = this.#peers.get(site) ?? (await this.#whenUp(site, connecting))
      peer.usedAt = this.#clock.now()
      try {
        return await peer.calls.call(call, wait(), pages)
      } catch (reason) {
        // The session was let go before the peer had heard of the call.
        const loss = peer.session.loss
        if (loss?.cause !== 'parted' || reason !== loss.error) throw reason
      }
    }
  }

  async #whenUp(site: SiteId, options: WaitOptions): Promise<Peer> {
    const waiting = this.#waiting.get(site) ?? new Set<Resolvers<void>>()
    this.#waiting.set(site, waiting)
    const arrival = withResolvers<void>()
    waiting.add(arrival)
    const deadline = Deadline.start(this.#clock, 'connecting', options, (error) => {
      arrival.reject(error.code === 'timeout' ? unreachableNode(site, error) : error)
    })
    const refusal = this.#reach(site)
    if (refusal !== undefined) arrival.reject(refusal)
    try {
      await arrival.promise
    } finally {
      deadline.stop()
      waiting.delete(arrival)
      if (waiting.size === 0 && this.#waiting.get(site) === waiting) this.#waiting.delete(site)
    }
    return this.#peers.get(site) ?? (await this.#whenUp(site, options))
  }

  onAnswer(session: Session, message: Parameters<CallTable['onAnswer']>[0]): void {
    const peer = this.#peers.get(session.peer.site)
    if (peer?.session === session) peer.calls.onAnswer(message)
  }

  /** Carries a peer's request out and answers it. Never rejects. */
  async serve(session: Session, request: Request, execute: () => Promise<Result>): Promise<void> {
    const peer = this.#peers.get(session.peer.site)
    if (peer?.session !== session) return
    const { id } = request
    if (peer.requestsRunning >= requestsRunningMax) {
      session.send({
        kind: 'failure',
        id,
        code: 'busy',
        message: 'too many requests of this peer are running',
      })
      return
    }
    peer.requestsRunning += 1
    peer.usedAt = this.#clock.now()
    try {
      const result = await execute()
      session.send({ kind: 'response', id, result })
    } catch (reason) {
      const error = KhazanaError.from(reason)
      session.send({ kind: 'failure', id, code: error.code, message: error.message })
    } finally {
      peer.requestsRunning -= 1
    }
  }
}

function unreachableNode(site: SiteId, cause: KhazanaError): KhazanaError {
  const node: NodeId | SiteId = site
  return new KhazanaError('unreachable', `node ${node} cannot be reached: is it running?`, { cause })
}
