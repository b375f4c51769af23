import type { NodeId } from '../../address/identity.js'
import { CoordinatorServer } from '../../coordinator/coordinator-server.js'
import type { AnswerTo, ChangesRequest, Request } from '../../coordinator/request.js'
import type { Clock } from '../../io/clock.js'
import type { WaitOptions } from '../../io/deadline.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Store } from '../../store/store.js'
import type { CoordinatorAnswer, CoordinatorQuestion } from '../../wire/coordinator-message.js'
import { expectResult } from '../calls/result.js'
import type { Peers } from '../peers.js'
import { answerFrom, answerOf, questionOf, requestOf } from './coordinator-words.js'

export interface CoordinatorDeskOptions {
  readonly self: NodeId
  /** Who keeps the coordinator: the node that founded the cluster. */
  readonly host: NodeId
  readonly clock: Clock
  readonly store: Pick<Store, 'list' | 'commit'>
  readonly peers: Pick<Peers, 'call'>
}

/**
 * The embedded coordinator of a cluster, as a node sees it: the one that keeps it serves it from its own store, the others ask that one. DESIGN 7: while
 * the host is down there is no coordinator.
 */
export class CoordinatorDesk {
  readonly #options: CoordinatorDeskOptions
  #server: CoordinatorServer | undefined

  constructor(options: CoordinatorDeskOptions) {
    this.#options = options
  }

  /** Takes the coordinator into service, where this node keeps it. Every lease lives for a whole time from now on. Throws `bad-format`. */
  start(): void {
    const { self, host, clock, store } = this.#options
    if (self !== host) return
    this.#server = CoordinatorServer.start({ clock, storage: store })
  }

  /** Idempotent. */
  close(): void {
    this.#server?.close()
  }

  /** For `ServedAccess`. Throws as `StoreAccess` says. */
  async ask<R extends Request | ChangesRequest>(request: R, wait: WaitOptions): Promise<AnswerTo<R>> {
    const { host, peers } = this.#options
    if (this.#server !== undefined) return this.#server.ask(request, wait)
    const call = { op: 'coordinate', question: questionOf(request) } as const
    const { answer } = expectResult('coordinate', await peers.call(host, call, wait))
    return answerFrom(request, answer)
  }

  /** Another node asks. Throws `unsupported` where this node does not keep the coordinator, and as `StoreAccess` says. */
  async serve(question: CoordinatorQuestion, wait: WaitOptions): Promise<CoordinatorAnswer> {
    const server = this.#server
    if (server === undefined) {
      const { self, host } = this.#options
      throw new KhazanaError('unsupported', `node ${self} does not keep the coordinator: node ${host} does`)
    }
    const request = requestOf(question)
    return answerOf(request, await server.ask(request, wait))
  }
}
