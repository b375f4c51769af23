import { isNode } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { Clock } from '../io/clock.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Call, Request, Result } from '../wire/message.js'
import { CallTable } from './calls/call-table.js'
import { Deadline, withResolvers } from './deadline.js'
import type { WaitOptions } from './deadline.js'
import type { Session } from './session/session.js'

/** Requests of one peer that are being carried out; more are refused as `busy`. */
const requestsRunningMax = 1000

interface Peer {
  readonly session: Session
  readonly calls: CallTable
  requestsRunning: number
}

/** The live sessions of a site, and the requests that go through them in either direction. */
export class Peers {
  readonly #clock: Clock
  readonly #peers = new Map<SiteId, Peer>()
  readonly #waiting = new Map<SiteId, Set<() => void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  up(session: Session): void {
    this.#peers.set(session.peer.site, {
      session,
      calls: new CallTable(this.#clock, session),
      requestsRunning: 0,
    })
    const waiting = this.#waiting.get(session.peer.site)
    this.#waiting.delete(session.peer.site)
    for (const wake of waiting ?? []) wake()
  }

  lost(session: Session, error: KhazanaError): void {
    const peer = this.#peers.get(session.peer.site)
    if (peer?.session !== session) return
    this.#peers.delete(session.peer.site)
    peer.calls.lost(error)
  }

  get(site: SiteId): Session | undefined {
    return this.#peers.get(site)?.session
  }

  *nodes(): Generator<Session> {
    for (const { session } of this.#peers.values()) if (isNode(session.peer.site)) yield session
  }

  get clientCount(): number {
    let clients = 0
    for (const { session } of this.#peers.values()) if (session.peer.role === 'client') clients += 1
    return clients
  }

  /**
   * The peer's answer, as soon as there is a session with it. `pages`: what the call says that goes along. Throws `unreachable`
   * where there is none in time.
   */
  async call(
    site: SiteId,
    call: Call,
    options: WaitOptions,
    pages: readonly Uint8Array[] = [],
  ): Promise<Result> {
    const peer = this.#peers.get(site) ?? (await this.#whenUp(site, options))
    return peer.calls.call(call, options, pages)
  }

  async #whenUp(site: SiteId, options: WaitOptions): Promise<Peer> {
    const waiting = this.#waiting.get(site) ?? new Set<() => void>()
    this.#waiting.set(site, waiting)
    const arrival = withResolvers<void>()
    waiting.add(arrival.resolve)
    const deadline = Deadline.start(this.#clock, 'connecting', options, (error) => {
      arrival.reject(error.code === 'timeout' ? unreachableNode(site, error) : error)
    })
    try {
      await arrival.promise
    } finally {
      deadline.stop()
      waiting.delete(arrival.resolve)
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
