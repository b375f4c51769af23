import type { Address } from '../../address/address.js'
import type { PageRange } from '../../address/page.js'

interface Write {
  readonly fence: bigint
  /** Which lock it was under. */
  readonly lock: object
  readonly by: string
}

/**
 * A system outside global memory, with one thing for each page: it remembers the greatest fence that it has seen of each. Who writes to it here
 * has its lock in order at that moment, so that a fence that is not above those of all locks before breaks the promise.
 */
export class OutsideStore {
  readonly #last = new Map<Address, Map<number, Write>>()

  /** What is wrong with the write, in words; undefined where nothing is. */
  write(region: Address, pages: PageRange, write: Write): string | undefined {
    const last = this.#last.get(region) ?? new Map<number, Write>()
    this.#last.set(region, last)
    let wrong: string | undefined
    for (let page = pages.first; page < pages.first + pages.count; page++) {
      const before = last.get(page)
      if (before !== undefined && before.lock !== write.lock && before.fence >= write.fence) {
        wrong = `${write.by} has fence ${write.fence} for page ${page} of ${region.toString(16)}, and ${before.by} had ${before.fence} before`
      }
      last.set(page, write)
    }
    return wrong
  }
}
