import type { Address } from '../../address/address.js'
import type { LockMode } from '../../address/lock-mode.js'
import { mayWrite } from '../../address/lock-mode.js'
import type { PageRange } from '../../address/page.js'
import { unreachable } from '../../stdx/assert.js'
import { findConflict } from '../protocol/mutual-exclusion.js'
import type { Held } from '../protocol/mutual-exclusion.js'

/** A lock, as far as it may exclude others. */
export interface SectionClaim {
  readonly region: Address
  readonly pages: PageRange
  readonly mode: LockMode
  readonly tag: string
  /**
   * Whom such a lock keeps out. `everybody`: readers and writers. `writers`: other writers. `by-tag` and `writers-by-tag`: the
   * same, of the object that the tag names. `nobody`: what other sites do is not its affair.
   */
  readonly excludes: 'everybody' | 'writers' | 'by-tag' | 'writers-by-tag' | 'nobody'
}

/** A section that is being recorded. */
export interface OpenSection {
  /** What was locked could be used just now. */
  used(): void
}

type Draft = { -readonly [K in keyof Held<SectionClaim>]: Held<SectionClaim>[K] }

/**
 * When which locks were held, in the order in which things happened. A section counts from its grant until its lock was seen
 * in order for the last time: a right that is lost unnoticed, while its holder sleeps, is no right.
 */
export class SectionLog {
  readonly #sections: Draft[] = []
  #order = 0

  begin(name: string, claim: SectionClaim): OpenSection {
    const section: Draft = { name, claim, from: this.#next(), until: this.#order }
    this.#sections.push(section)
    return {
      used: () => {
        section.until = this.#next()
      },
    }
  }

  /** Two that were held at once, and must not be, in words; undefined where there are none. */
  conflict(): string | undefined {
    const found = findConflict(this.#sections, isExcluded)
    if (found === undefined) return undefined
    const [a, b] = found.map(({ name, claim }) => {
      const { first, count } = claim.pages
      const tag = claim.tag === '' ? '' : ` of ${claim.tag}`
      return `${name} (${claim.mode}${tag}, pages ${first} to ${first + count - 1} of ${claim.region.toString(16)})`
    })
    return `${a} and ${b} were in their sections at one time`
  }

  #next(): number {
    this.#order += 1
    return this.#order
  }
}

function isExcluded(a: SectionClaim, b: SectionClaim): boolean {
  if (a.region !== b.region) return false
  switch (a.excludes) {
    case 'everybody':
      return overlap(a.pages, b.pages) && (mayWrite(a.mode) || mayWrite(b.mode))
    case 'writers':
      return overlap(a.pages, b.pages) && a.mode === 'write' && b.mode === 'write'
    case 'by-tag':
      return a.tag === b.tag && (mayWrite(a.mode) || mayWrite(b.mode))
    case 'writers-by-tag':
      return a.tag === b.tag && a.mode === 'write' && b.mode === 'write'
    case 'nobody':
      return false
    default:
      return unreachable(a.excludes)
  }
}

function overlap(a: PageRange, b: PageRange): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count
}
