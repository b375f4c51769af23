import type { Address } from '../../address/address.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import { RangeSet } from '../../address/range-set.js'
import type { GroupRegion } from '../../wire/group-message.js'
import type { TransferredPage } from '../../wire/transfer-message.js'
import type { GroupStep, PageContent } from './group-step.js'

/** All that was held of one region. */
interface Held {
  region: GroupRegion | undefined
  /** What was there before is no more: the record, and all pages. */
  isEnded: boolean
  readonly frees: RangeSet
  readonly pages: Map<PageIndex, PageContent>
  readonly lost: Map<PageIndex, TransferredPage>
}

/**
 * Changes that are to be put on the disk as one, with the outcome that they would have had one after the other. What is in there comes
 * to no more than the last of each page.
 */
export class HeldChanges {
  readonly #regions = new Map<Address, Held>()
  /** Bytes of pages. */
  bytes = 0

  add({ address, region, isEnd, frees, pages, lost }: GroupStep): void {
    const held = this.#heldOf(address)
    if (isEnd) this.#end(held)
    for (const range of frees) this.#free(held, range)
    for (const content of pages) this.#write(held, content)
    for (const one of lost) this.#lose(held, one)
    if (region !== undefined) held.region = region
  }

  /** In the order in which the regions came up. */
  *all(): Generator<GroupStep> {
    for (const [address, { region, isEnded, frees, pages, lost }] of this.#regions) {
      yield {
        address,
        region,
        isEnd: isEnded,
        frees: [...frees].map(({ first, count }) => ({ first: first as PageIndex, count })),
        pages: [...pages.values()],
        lost: [...lost.values()],
      }
    }
  }

  #heldOf(address: Address): Held {
    const known = this.#regions.get(address)
    if (known !== undefined) return known
    const held: Held = {
      region: undefined,
      isEnded: false,
      frees: new RangeSet(),
      pages: new Map(),
      lost: new Map(),
    }
    this.#regions.set(address, held)
    return held
  }

  #end(held: Held): void {
    held.isEnded = true
    held.region = undefined
    for (const range of [...held.frees]) held.frees.remove(range.first, range.count)
    for (const { bytes } of held.pages.values()) this.bytes -= bytes.length
    held.pages.clear()
    held.lost.clear()
  }

  /** Frees go before writes where they are made durable together, so what was written before is taken back here. */
  #free(held: Held, range: PageRange): void {
    held.frees.add(range.first, range.count)
    const isIn = (page: PageIndex): boolean => page >= range.first && page < range.first + range.count
    for (const page of [...held.pages.keys()]) if (isIn(page)) this.#takeBack(held, page)
    for (const page of [...held.lost.keys()]) if (isIn(page)) held.lost.delete(page)
  }

  #write(held: Held, content: PageContent): void {
    this.bytes += content.bytes.length - (held.pages.get(content.page)?.bytes.length ?? 0)
    held.pages.set(content.page, content)
    held.lost.delete(content.page)
  }

  #lose(held: Held, lost: TransferredPage): void {
    this.#takeBack(held, lost.page)
    held.lost.set(lost.page, lost)
  }

  #takeBack(held: Held, page: PageIndex): void {
    this.bytes -= held.pages.get(page)?.bytes.length ?? 0
    held.pages.delete(page)
  }
}
