import { nodeId } from '../../address/identity.js'
import type { NodeId } from '../../address/identity.js'
import type { Coordinator, Entry, Revision } from '../../coordinator/coordinator.js'
import type { Clock } from '../../io/clock.js'
import type { Random } from '../../io/random.js'
import { KhazanaError } from '../../stdx/errors.js'
import { pause } from '../pause.js'
import { backoffMs } from '../session/backoff.js'

const prefix = 'node/'

export interface LivingNodesOptions {
  readonly clock: Clock
  readonly random: Random
  readonly coordinator: Coordinator
  readonly signal: AbortSignal
  /** One has come or gone. */
  readonly changed: () => void
}

/** Who lives, as the coordinator says: a moment behind. */
export class LivingNodes {
  readonly #options: LivingNodesOptions
  readonly #keys = new Map<NodeId, number>()
  #isKnown = false
  #isStarted = false

  constructor(options: LivingNodesOptions) {
    this.#options = options
  }

  /** Whether the coordinator has been heard at all: before, nobody is known to be gone. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  /** The revision at which its key was put; undefined where it is gone. */
  keyOf(node: NodeId): number | undefined {
    return this.#keys.get(node)
  }

  all(): readonly NodeId[] {
    return [...this.#keys.keys()]
  }

  /** Idempotent. */
  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    void this.#follow()
  }

  /** Never rejects. */
  async #follow(): Promise<void> {
    const { clock, random, signal } = this.#options
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#followFrom(await this.#list())
        attempt = 0
      } catch (reason) {
        if (KhazanaError.from(reason).code === 'closed') return
        await pause(clock, backoffMs(attempt, random), signal)
      }
    }
  }

  async #list(): Promise<Revision> {
    const { coordinator, signal, changed } = this.#options
    const { found, revision } = await coordinator.list(prefix, { signal })
    this.#keys.clear()
    for (const entry of found) this.#put(entry)
    this.#isKnown = true
    changed()
    return (revision + 1) as Revision
  }

  /** Until the history is gone. */
  async #followFrom(from: Revision): Promise<void> {
    const { coordinator, signal, changed } = this.#options
    const watch = coordinator.watch(prefix, from)
    try {
      for (;;) {
        const event = await watch.next({ signal }).catch((reason: unknown) => {
          if (KhazanaError.from(reason).code !== 'timeout') throw reason
          return undefined
        })
        if (event === undefined) continue
        if (event.kind === 'compacted') return
        for (const change of event.changes) {
          if (change.kind === 'put') this.#put(change.entry)
          else this.#keys.delete(nodeOf(change.key))
        }
        changed()
      }
    } finally {
      watch.close()
    }
  }

  #put({ key, modified }: Entry): void {
    this.#keys.set(nodeOf(key), modified)
  }
}

function nodeOf(key: string): NodeId {
  return nodeId(Number(key.slice(prefix.length)))
}
