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

/** All entries, and all that is remembered of their history, fit into one message of `headerBytesMax` each. */
const limits = { entryBytesMax: 640 * 1024, historyBytesMax: 512 * 1024 }

export interface CoordinatorDeskOptions {
  readonly self: NodeId
  /** Who keeps the coordinator: the node that founded the cluster. */
  readonly host: NodeId
  /** Whether the cluster's coordinator is this one, and none of its own. */
  readonly isInUse: boolean
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
  readonly #server: CoordinatorServer | undefined

  /** Where this node keeps the coordinator, it serves from now on, and every lease lives for a whole time. Throws `bad-format`. */
  constructor(options: CoordinatorDeskOptions) {
    this.#options = options
    const { self, host, isInUse, clock, store } = options
    if (self === host && isInUse) this.#server = CoordinatorServer.start({ clock, storage: store, limits })
  }

  /** Whether this node keeps it. */
  get isHost(): boolean {
    return this.#server !== undefined
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
      const why =
        self === host ? 'the cluster has an external one: start all nodes with it' : `node ${host} does`
      throw new KhazanaError('unsupported', `node ${self} does not keep the coordinator: ${why}`)
    }
    const request = requestOf(question)
    return answerOf(request, await server.ask(request, wait))
  }
}
