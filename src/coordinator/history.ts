import type { Changes, KeyChange, Revision } from './coordinator.js'
import type { ChangesAnswer } from './request.js'

export interface HistoryLimits {
  readonly historyRevisionsMax: number
  /** Of keys and values. */
  readonly historyBytesMax: number
}

/** Bytes of news in one answer; one revision is answered whole in any case. */
const newsBytesMax = 1024 * 1024

/** The latest changes of a store, as many as its limits let it keep: what watches are told. */
export class History {
  readonly #limits: HistoryLimits
  readonly #changes: { readonly change: Changes; readonly bytes: number }[] = []
  #bytes = 0
  /** All changes from this revision on are known. */
  #first: Revision
  #next: Revision

  /** `revision`: the one that holds; nothing is known of how it came about. */
  constructor(limits: HistoryLimits, revision: Revision) {
    this.#limits = limits
    this.#first = this.#next = (revision + 1) as Revision
  }

  /** The first revision that can be told of. */
  get first(): Revision {
    return this.#first
  }

  add(revision: Revision, changes: readonly KeyChange[]): void {
    const bytes = changes.reduce((sum, change) => sum + bytesOf(change), 0)
    this.#changes.push({ change: { kind: 'changes', revision, changes }, bytes })
    this.#bytes += bytes
    this.#next = (revision + 1) as Revision
    const { historyRevisionsMax, historyBytesMax } = this.#limits
    while (this.#changes.length > historyRevisionsMax || this.#bytes > historyBytesMax) {
      this.#bytes -= this.#changes.shift()?.bytes ?? 0
      this.#first = this.#changes[0]?.change.revision ?? this.#next
    }
  }

  /** What happened to keys that begin so, from there on. Undefined where nothing has. */
  since(prefix: string, from: Revision): ChangesAnswer | undefined {
    if (from < this.#first) return { kind: 'compacted', revision: this.#first }
    const news: Changes[] = []
    let bytes = 0
    for (const { change, bytes: size } of this.#changes.slice(Math.max(0, this.#indexOf(from)))) {
      const changes = change.changes.filter((one) => keyOf(one).startsWith(prefix))
      if (changes.length === 0) continue
      if (news.length > 0 && bytes + size > newsBytesMax) {
        return { kind: 'news', news, next: change.revision }
      }
      news.push({ ...change, changes })
      bytes += size
    }
    return news.length === 0 ? undefined : { kind: 'news', news, next: this.#next }
  }

  /** Where a watch goes on that has been told all there is. */
  nextAfter(from: Revision): Revision {
    return from > this.#next ? from : this.#next
  }

  /** Revisions have no gaps: each that was given to a change is here. */
  #indexOf(revision: Revision): number {
    return revision - (this.#changes[0]?.change.revision ?? revision)
  }
}

export function keyOf(change: KeyChange): string {
  return change.kind === 'put' ? change.entry.key : change.key
}

function bytesOf(change: KeyChange): number {
  return keyOf(change).length + (change.kind === 'put' ? change.entry.value.length : 0)
}
