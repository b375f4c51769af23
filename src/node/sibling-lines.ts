import type { NodeId, SiteId } from '../address/identity.js'

/** Transfers to one node, since they were last forgotten, that went by the home for want of a session with it. */
const missesForSession = 8
/** Nodes of which that is counted. */
const siblingsMax = 1024
/** Sessions with nodes, of any use, beside which none is made for transfers alone. */
const sessionsBesideMax = 64

export interface SiblingLinesOptions {
  readonly sessionCount: () => number
  readonly want: (node: NodeId) => void
}

/**
 * When a session with another node is worth it for tokens alone that go straight from one to the other. Without one they go by
 * the home, which costs a message more; a session costs renewals for as long as it lasts. So only pairs between which
 * pages go to and fro get one, and no node gets many: else a page that all nodes write would connect all with all.
 */
export class SiblingLines {
  readonly #options: SiblingLinesOptions
  readonly #misses = new Map<SiteId, number>()

  constructor(options: SiblingLinesOptions) {
    this.#options = options
  }

  /** A token went by the home. */
  missed(sibling: SiteId): void {
    const known = this.#misses.get(sibling)
    if (known === undefined && this.#misses.size >= siblingsMax) return
    const misses = (known ?? 0) + 1
    this.#misses.set(sibling, misses)
    const { sessionCount, want } = this.#options
    if (misses >= missesForSession && sessionCount() < sessionsBesideMax) {
      this.#misses.delete(sibling)
      want(sibling as NodeId)
    }
  }

  /** What is long ago does not count. */
  forget(): void {
    this.#misses.clear()
  }
}
