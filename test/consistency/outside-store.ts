import assert from 'node:assert/strict'
import type { PageIndex } from '../../src/address/page.js'
import { pagesIn } from './crew-section.js'
import type { Section } from './crew-section.js'

/**
 * A system outside, which sections write to while they have the right to: a thing for each page. Nobody has lost the right without
 * knowing it here, so each who writes must have a greater fence than all who wrote before.
 */
export class OutsideStore {
  readonly #last = new Map<PageIndex, { readonly fence: number; readonly section: Section }>()

  /** Throws where the fence is not above those of others. */
  write(section: Section, fence: number): void {
    for (const page of pagesIn(section.range)) {
      const last = this.#last.get(page)
      if (last !== undefined && last.section !== section) {
        const before = `${last.section.name} had fence ${last.fence}`
        assert(
          fence > last.fence,
          `${section.name} has fence ${fence} for page ${page}, and ${before} before it`,
        )
      }
      this.#last.set(page, { fence, section })
    }
  }
}
