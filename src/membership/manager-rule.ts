import type { NodeId } from '../address/identity.js'
import { unreachable } from '../stdx/assert.js'

/** What the rule is told. */
export type ManagerEvent =
  /** Who is in the cluster, this node too, in any order. */
  | { readonly kind: 'members'; readonly nodes: readonly NodeId[] }
  /** There is a session with the node (again), or no longer. */
  | { readonly kind: 'reached'; readonly node: NodeId }
  | { readonly kind: 'lost'; readonly node: NodeId }
  /** The time of the last `wait` is over. */
  | { readonly kind: 'alarm' }

export type ManagerEffect =
  /** Keep a session with each of these, and with no others on behalf of the rule. */
  | { readonly kind: 'keep'; readonly nodes: readonly NodeId[] }
  /** This node is the cluster manager from now on. */
  | { readonly kind: 'manager'; readonly node: NodeId }
  /** An `alarm` is wanted after the patience; instead of the one before. */
  | { readonly kind: 'wait' }

/** Nodes that do not answer and are called again and again, so that one that comes back is the manager again. */
const silentKeptMax = 8

/**
 * Who is the cluster manager (paper 3.1), as one node sees it: of the nodes in the cluster, the one with the lowest number
 * that answers it. One that does not answer is passed over after a patience, and called on, so that it has its duty back
 * when it returns.
 *
 * Nothing is agreed upon: nodes that cannot reach each other may take different nodes for the manager, for as long as that
 * lasts. That is allowed, as the duty is one that several can do at a time: each grants address space from a slice and
 * numbers from a pool that are its own, and the rest is hints. A coordinator will take the place of this rule, behind the same
 * events and effects.
 */
export class ManagerRule {
  readonly #self: NodeId
  /** Those before this node, lowest first. */
  #candidates: readonly NodeId[] = []
  readonly #reached = new Set<NodeId>()
  readonly #silent = new Set<NodeId>()
  #manager: NodeId
  #kept: readonly NodeId[] = []
  #waitsFor: NodeId | undefined

  constructor(self: NodeId) {
    this.#self = self
    this.#manager = self
  }

  get manager(): NodeId {
    return this.#manager
  }

  step(event: ManagerEvent): readonly ManagerEffect[] {
    switch (event.kind) {
      case 'members':
        this.#candidates = event.nodes.filter((node) => node < this.#self).sort((a, b) => a - b)
        for (const node of [...this.#silent]) if (!this.#candidates.includes(node)) this.#silent.delete(node)
        break
      case 'reached':
        this.#reached.add(event.node)
        this.#silent.delete(event.node)
        break
      case 'lost':
        this.#reached.delete(event.node)
        break
      case 'alarm':
        if (this.#waitsFor !== undefined && !this.#reached.has(this.#waitsFor))
          this.#silent.add(this.#waitsFor)
        this.#waitsFor = undefined
        break
      default:
        return unreachable(event)
    }
    return this.#settle()
  }

  #settle(): ManagerEffect[] {
    const effects: ManagerEffect[] = []
    const first = this.#candidates.find((node) => !this.#silent.has(node))
    const manager = first ?? this.#self
    const silent = this.#candidates.filter((node) => this.#silent.has(node) && node < manager)
    const kept = [...silent.slice(0, silentKeptMax), ...(first === undefined ? [] : [first])]
    if (kept.join() !== this.#kept.join()) {
      this.#kept = kept
      effects.push({ kind: 'keep', nodes: kept })
    }
    if (manager !== this.#manager) {
      this.#manager = manager
      effects.push({ kind: 'manager', node: manager })
    }
    const awaited = first === undefined || this.#reached.has(first) ? undefined : first
    if (awaited !== this.#waitsFor) {
      this.#waitsFor = awaited
      if (awaited !== undefined) effects.push({ kind: 'wait' })
    }
    return effects
  }
}
