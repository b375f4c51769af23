import type { PageIndex } from '../../address/page.js'

/** Pages of commits that are on this node's disk, or on their way there, and not at all members of its home group. */
export class OpenPages {
  readonly #commits = new Map<PageIndex, number>()
  readonly #waiting = new Map<PageIndex, (() => void)[]>()

  has(page: PageIndex): boolean {
    return this.#commits.has(page)
  }

  begin(pages: Iterable<{ readonly page: PageIndex }>): void {
    for (const { page } of pages) this.#commits.set(page, (this.#commits.get(page) ?? 0) + 1)
  }

  /** Of what has begun; also in a region of which nothing is noted. */
  end(pages: Iterable<{ readonly page: PageIndex }>): void {
    for (const { page } of pages) {
      const rest = (this.#commits.get(page) ?? 0) - 1
      if (rest > 0) this.#commits.set(page, rest)
      else {
        this.#commits.delete(page)
        for (const resolve of this.#waiting.get(page) ?? []) resolve()
        this.#waiting.delete(page)
      }
    }
  }

  /** Resolves when no commit of the page is under way. */
  async whenSettled(page: PageIndex): Promise<void> {
    while (this.#commits.has(page)) {
      await new Promise<void>((resolve) => {
        const waiting = this.#waiting.get(page)
        if (waiting === undefined) this.#waiting.set(page, [resolve])
        else waiting.push(resolve)
      })
    }
  }
}
