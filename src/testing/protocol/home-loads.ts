import type { PageRange } from '../../address/page.js'
import { demand } from './contract-violation.js'
import type { HomeStorage } from './home-storage.js'
import type { ProtocolSection } from './protocol-section.js'
import type { SiteMemory } from './site-memory.js'

/** Who wants pages in memory. */
export type Load =
  | { readonly kind: 'manager'; readonly load: number; readonly range: PageRange }
  | { readonly kind: 'section'; readonly section: ProtocolSection }

interface LoadFailure {
  readonly code: 'damaged' | 'not-allocated'
  readonly message: string
}

/** At most so many pages are loaded at once. */
const loadPagesMax = 64

/** What the home brings from its disk to memory, one after the other, when the world says so. */
export class HomeLoads {
  /** Of the home, for complaints. */
  readonly #name: string
  #queue: Load[] = []

  constructor(name: string) {
    this.#name = name
  }

  /** Loads that have not ended. */
  get waiting(): number {
    return this.#queue.length
  }

  /** The manager wants the pages. */
  ask(load: number, range: PageRange): void {
    demand(
      range.count >= 1 && range.count <= loadPagesMax,
      `${this.#name} loads ${range.count} pages at once`,
    )
    const isUnderWay = this.#queue.some((other) => other.kind === 'manager' && other.load === load)
    demand(!isUnderWay, `${this.#name} starts load ${load} while one of that number is under way`)
    this.#queue.push({ kind: 'manager', load, range })
  }

  /** A section, which is granted, needs its pages. */
  askFor(section: ProtocolSection): void {
    const isLoading = this.#queue.some((load) => load.kind === 'section' && load.section === section)
    if (!isLoading) this.#queue.push({ kind: 'section', section })
  }

  /** The oldest ends. Undefined where there is none. `failing`: the disk cannot read the pages. */
  end(
    outcome: 'loaded' | 'failing',
    storage: HomeStorage,
    memory: SiteMemory,
  ): { readonly load: Load; readonly failure: LoadFailure | undefined } | undefined {
    const load = this.#queue.shift()
    if (load === undefined) return undefined
    const range = load.kind === 'manager' ? load.range : load.section.range
    return { load, failure: bring(range, outcome, storage, memory) }
  }

  /** The process has died. */
  clear(): void {
    this.#queue = []
  }
}

function bring(
  range: PageRange,
  outcome: 'loaded' | 'failing',
  storage: HomeStorage,
  memory: SiteMemory,
): LoadFailure | undefined {
  if (!storage.isAllocated(range)) return { code: 'not-allocated', message: 'the pages have no storage' }
  if (outcome === 'failing') return { code: 'damaged', message: 'a page cannot be read' }
  for (let page = range.first; page < range.first + range.count; page++) {
    if (!memory.frames.has(page)) memory.set(page, storage.bytesOf(page))
  }
  return undefined
}
