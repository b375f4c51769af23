import type { LinkName } from '../../membership/home-group/link-name.js'
import type { SyncMode } from '../../membership/home-group/primary-terms.js'
import type { RestoreProgress } from '../../wire/message.js'
import { MemberStamps } from './comparison.js'
import type { GroupStep } from './group-step.js'

/** Differences that were sent and not taken yet, at most: so the other side, too, holds no more of them, whatever its disk is like. */
const differencesOpenMax = 8

/** What the primary has of one synchronisation with one node: what that node has, and what of the rest it was sent. */
export class Synchronisation {
  readonly name: LinkName
  readonly how: SyncMode
  readonly stamps = new MemberStamps()
  /** All that differs has been sent. */
  isWhole = false
  #total = { pages: 0, bytes: 0 }
  #done = { pages: 0, bytes: 0 }
  /** Sent and not taken, in order. */
  readonly #open: { readonly pages: number; readonly bytes: number }[] = []
  #wake: (() => void) | undefined
  #isOver = false

  constructor(name: LinkName, how: SyncMode) {
    this.name = name
    this.how = how
  }

  /** What it was found to lack. */
  expect(missing: { readonly pages: number; readonly bytes: number }): void {
    this.#total = missing
  }

  onSent({ pages, lost }: GroupStep): void {
    const bytes = pages.reduce((sum, page) => sum + page.bytes.length, 0)
    this.#open.push({ pages: pages.length + lost.length, bytes })
  }

  onTaken(): void {
    const taken = this.#open.shift()
    if (taken === undefined) return
    this.#done = { pages: this.#done.pages + taken.pages, bytes: this.#done.bytes + taken.bytes }
    this.#wake?.()
  }

  /** Resolves when one more difference may be sent, or nothing more is to be. */
  async whenRoom(): Promise<void> {
    while (this.#open.length >= differencesOpenMax && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  end(): void {
    this.#isOver = true
    this.#wake?.()
  }

  /** What was freed or written over meanwhile is not sent, so that it may end before it is all done. */
  get progress(): Omit<RestoreProgress, 'node'> {
    const [done, total] = [this.#done, this.#total]
    return {
      pagesDone: done.pages,
      pagesTotal: Math.max(total.pages, done.pages),
      bytesDone: done.bytes,
      bytesTotal: Math.max(total.bytes, done.bytes),
    }
  }
}
