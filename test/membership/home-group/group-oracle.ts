import type { NodeId } from '../../../src/address/identity.js'
import { contentsOf } from './model-disk.js'
import type { Page } from './model-disk.js'

/** What was promised is broken. */
export class GroupViolation extends Error {
  override readonly name = 'GroupViolation'
}

/** Knows all nodes at once, and what users were told. */
export class GroupOracle {
  #reign = 0
  /** What users have seen. */
  #contents = ''
  /** What it may turn out to be, by the commit that is not over. */
  readonly #open = new Map<number, string>()
  #acknowledged = 0
  acknowledgedCount = 0
  reignCount = 0

  onServe(node: NodeId, reign: number, pages: ReadonlyMap<string, Page>): void {
    if (reign < this.#reign)
      throw new GroupViolation(`node ${node} serves in reign ${reign} after ${this.#reign}`)
    if (reign === this.#reign) return
    const contents = contentsOf(pages)
    if (!this.#isPossible(contents)) {
      const wanted = [this.#contents, ...this.#open.values()].join(' | ')
      throw new GroupViolation(`node ${node} begins reign ${reign} with ${contents}, not ${wanted}`)
    }
    this.#reign = reign
    this.#contents = contents
    this.#open.clear()
    this.#acknowledged = 0
    this.reignCount += 1
  }

  onCommit(commit: number, pages: ReadonlyMap<string, Page>): void {
    this.#open.set(commit, contentsOf(pages))
  }

  onOver(kind: 'acknowledge' | 'fail', node: NodeId, reign: number, commit: number): void {
    if (reign !== this.#reign)
      throw new GroupViolation(`node ${node} answers in reign ${reign}, not ${this.#reign}`)
    if (commit !== this.#acknowledged + 1)
      throw new GroupViolation(`commit ${commit} is answered out of order`)
    this.#acknowledged = commit
    const contents = this.#open.get(commit)
    if (contents === undefined) throw new GroupViolation(`commit ${commit} is answered twice`)
    this.#open.delete(commit)
    if (kind === 'fail') return
    this.#contents = contents
    this.acknowledgedCount += 1
  }

  /** The disk of a member of the record that is in force: whoever takes over next must have all that was acknowledged, and nothing by halves. */
  onMember(node: NodeId, durable: ReadonlyMap<string, Page>): void {
    const contents = contentsOf(durable)
    if (this.#isPossible(contents)) return
    const wanted = [this.#contents, ...this.#open.values()].join(' | ')
    throw new GroupViolation(`node ${node} is a member, with ${contents}, not ${wanted}`)
  }

  #isPossible(contents: string): boolean {
    return contents === this.#contents || [...this.#open.values()].includes(contents)
  }

  /** At most one of them, at any time. */
  onServing(nodes: readonly NodeId[]): void {
    if (nodes.length > 1) throw new GroupViolation(`nodes ${nodes.join(' and ')} serve at the same time`)
  }
}
