import type { PageIndex } from '../../address/page.js'
import type { CommitId } from '../../consistency/contract.js'
import { present } from '../../stdx/assert.js'
import type { FrameTable } from './frame-table.js'

/**
 * What a node has committed and not heard of: should the home be lost, it may have to be committed again. The bytes are those that were sent, so
 * that there is no copy of them; as many as there are commits on their way, which is bounded where they begin.
 */
export class KeptCommits {
  readonly #kept = new Map<CommitId, ReadonlyMap<PageIndex, Uint8Array>>()

  /** Keeps the frames as they are. */
  keep(commit: CommitId, pages: readonly PageIndex[], frames: FrameTable): void {
    const bytes = new Map<PageIndex, Uint8Array>()
    for (const page of pages) {
      const frame = present(frames.get(page), 'a page that was written is in memory')
      frame.isEscaped = true
      bytes.set(page, frame.bytes)
    }
    this.#kept.set(commit, bytes)
  }

  restore(commit: CommitId, pages: readonly PageIndex[], frames: FrameTable): void {
    const bytes = this.#kept.get(commit)
    for (const page of pages) {
      frames.setShared(page, present(bytes?.get(page), 'what may be committed again is kept'))
    }
  }

  forget(commit: CommitId): void {
    if (this.#kept.size > 0) this.#kept.delete(commit)
  }
}
