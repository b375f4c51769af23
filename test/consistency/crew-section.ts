import type { LockMode } from '../../src/address/lock-mode.js'
import type { PageIndex, PageRange } from '../../src/address/page.js'
import type { LockId } from '../../src/consistency/contract.js'
import type { Value } from './crew-disk.js'

/** What a section came to. `failed`: it never happened. `unknown`: it may have. */
export type Outcome = 'done' | 'failed' | 'unknown'

/** One critical section of an application: from asking for the lock until it knows what became of it. */
export interface Section {
  /** For people. */
  readonly name: string
  readonly range: PageRange
  readonly mode: LockMode
  /** What it writes, if it gets so far; none: the lock ends by a plain release. */
  readonly writes: ReadonlyMap<PageIndex, Value>
  /** Takes storage away instead of using the bytes. Only at the home. */
  readonly isSeizure: boolean
  /** `ending`: the lock is released, its outcome is not known yet. */
  state: 'waiting' | 'granted' | 'open' | 'ending' | Outcome
  lock: LockId | undefined
  /** Set while `granted`: the section ends as soon as it is complete. */
  isGivenUp: boolean
  /** What the pages held when it began. */
  seen: ReadonlyMap<PageIndex, Value>
  /** Once it was asked for. */
  fence: number | undefined
}

export function pagesIn(range: PageRange): PageIndex[] {
  return Array.from({ length: range.count }, (_, offset) => (range.first + offset) as PageIndex)
}

export function covers(range: PageRange, page: PageIndex): boolean {
  return page >= range.first && page < range.first + range.count
}
