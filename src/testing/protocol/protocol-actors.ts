import { mayWrite } from '../../address/lock-mode.js'
import type { LockMode } from '../../address/lock-mode.js'
import type { Staleness } from '../../address/lock-terms.js'
import type { PageIndex } from '../../address/page.js'
import { present } from '../../stdx/assert.js'
import type { Prng } from '../../stdx/prng.js'
import { HistoryRecorder } from '../history.js'
import type { OpenOperation, Operation } from '../history.js'
import { cellBytes, cellOf, cellOffset, cellValueMax, readCell, writeCell } from './cells.js'
import { boundOf } from './protocol-claims.js'
import type { ProtocolClaims } from './protocol-claims.js'
import type { ProtocolSection } from './protocol-section.js'
import type { ProtocolWorld } from './protocol-world.js'

/** Cells of a page that are read and written. */
export const cellsPerPage = 3

/** A cell that a section reads or writes. */
interface Errand {
  readonly page: number
  readonly cell: number
  readonly operation: OpenOperation
  /** What it writes; undefined where it only reads. */
  readonly value: number | undefined
  seen: string | null | undefined
  /** Values are to be merged, the larger stands, and a larger one was there already: so it was not written. */
  isVain: boolean
}

/** What an application wants of a lock. */
export interface Wish {
  readonly site: string
  readonly mode: LockMode
  readonly first: number
  readonly count: number
  /** Cells to write, by `cellKey`; all others are read. */
  readonly written: ReadonlySet<string>
  readonly staleness?: Staleness | undefined
  /** The lock is on this cell of the first page, by its bytes. Undefined: on whole pages. */
  readonly only?: number | undefined
}

/** `p2c1`: what histories call a cell. */
export function cellKey(page: number, cell: number): string {
  return `p${page}c${cell}`
}

/**
 * The applications of a random run: they ask for locks, read and write cells under them, and write down what they asked and
 * saw. Every value of a cell is written once.
 */
export class ProtocolActors<M> {
  readonly #world: ProtocolWorld<M>
  readonly #claims: ProtocolClaims
  readonly #prng: Prng
  readonly #recorder: HistoryRecorder
  readonly #errands = new Map<ProtocolSection, readonly Errand[]>()
  /** Of each operation, in the order of asking: how stale what it saw may be. */
  readonly #bounds: Staleness[] = []
  readonly #lastValues = new Map<string, number>()
  /** Sites as they were before they died. */
  readonly #dead = new Set<string>()
  readonly #seizures = new Map<
    ProtocolSection,
    readonly { readonly value: number; readonly operation: OpenOperation }[]
  >()

  /** What pages without storage read as when they have some again. */
  readonly #fills = new Map<PageIndex, Uint8Array>()

  constructor(world: ProtocolWorld<M>, claims: ProtocolClaims, prng: Prng) {
    this.#world = world
    this.#claims = claims
    this.#prng = prng
    this.#recorder = new HistoryRecorder(() => world.now)
  }

  /** Sections that are not over, in the order of asking. */
  get busy(): readonly ProtocolSection[] {
    return [...this.#errands.keys(), ...this.#seizures.keys()]
  }

  inState(state: ProtocolSection['state']): ProtocolSection[] {
    return this.busy.filter((section) => section.state === state)
  }

  /** Some application at the site asks for some lock. */
  ask(site: string): ProtocolSection {
    const prng = this.#prng
    const first = prng.below(this.#world.pages)
    const mode = this.#drawMode()
    if (this.#claims.conflicts === true && prng.chance(0.7)) {
      const only = prng.below(cellsPerPage)
      const written = new Set(mayWrite(mode) ? [cellKey(first, only)] : [])
      return this.visit({ site, mode, first, count: 1, written, only })
    }
    const count = prng.chance(0.7) ? 1 : prng.int(1, this.#world.pages - first)
    const written = new Set<string>()
    if (mayWrite(mode) && prng.chance(0.9)) {
      for (let left = prng.int(1, 2); left > 0; left--) {
        written.add(cellKey(first + prng.below(count), prng.below(cellsPerPage)))
      }
    }
    return this.visit({ site, mode, first, count, written, staleness: this.#drawStaleness() })
  }

  #drawMode(): LockMode {
    const isOften = this.#claims.writes === 'shared' && this.#prng.chance(0.6)
    if (isOften || this.#prng.chance(0.05)) return 'write-shared'
    return this.#prng.pick(['read', 'write'])
  }

  #drawStaleness(): Staleness | undefined {
    if (this.#claims.reads !== 'bounded' || !this.#prng.chance(0.3)) return undefined
    return this.#prng.pick([
      { ms: 0, versions: 0 },
      { ms: 50, versions: Infinity },
      { ms: Infinity, versions: 1 },
    ])
  }

  visit(wish: Wish): ProtocolSection {
    const { site, mode, first, count, only, staleness } = wish
    const process = this.#processOf(site)
    const bound = tighter(boundOf(this.#claims, mode), staleness)
    const cells = only === undefined ? Array.from({ length: cellsPerPage }, (_, cell) => cell) : [only]
    const errands: Errand[] = []
    // Where parcels are whole pages, a write is one of the whole page: what it leaves as it was is part of what it says.
    const isWhole = this.#world.protocol.writes === 'pages'
    for (let page = first; page < first + count; page++) {
      const isTouched = isWhole && cells.some((cell) => wish.written.has(cellKey(page, cell)))
      for (const cell of cells) {
        const key = cellKey(page, cell)
        const value = isTouched || wish.written.has(key) ? this.#nextValue(key) : undefined
        const operation =
          value === undefined
            ? this.#recorder.read(process, key)
            : this.#recorder.write(process, key, String(value))
        this.#bounds.push(bound)
        errands.push({ page, cell, operation, value, seen: undefined, isVain: false })
      }
    }
    const bytes =
      only === undefined ? {} : { offset: cellOffset(this.#world.pageSize, first, only), length: cellBytes }
    const section = this.#world.lock(site, mode, first, count, { terms: { ...bytes, staleness } })
    this.#errands.set(section, errands)
    this.over(section)
    return section
  }

  /** An open section does what it came for, and ends. */
  finish(section: ProtocolSection): void {
    const errands = this.#errands.get(section)
    if (errands === undefined || section.state !== 'open') return
    for (const errand of errands) {
      const seen = readCell(section, errand.page, errand.cell)
      errand.seen = seen === 0 ? null : String(seen)
      errand.isVain = this.#claims.merge === true && errand.value !== undefined && errand.value < seen
      if (errand.value !== undefined && !errand.isVain) {
        writeCell(section, errand.page, errand.cell, errand.value)
      }
    }
    this.#world.unlock(section)
  }

  /** Writes down what became of a section that is over. */
  over(section: ProtocolSection): void {
    if (!section.isOver) return
    for (const { operation, value, seen, isVain } of this.#errands.get(section) ?? []) {
      if (isVain) operation.failed()
      else if (section.state === 'done' && seen !== undefined) {
        if (value === undefined) operation.read(seen)
        else operation.wrote(seen)
      } else if (section.state === 'unknown' && value !== undefined) operation.unknown(seen)
      else operation.failed()
    }
    this.#errands.delete(section)
    for (const { operation } of this.#seizures.get(section) ?? []) {
      if (section.state === 'done') operation.wrote()
      else operation.failed()
    }
    this.#seizures.delete(section)
  }

  /**
   * The home asks for pages, to take their storage away. What they read as when they have storage again is a value of its
   * own for each cell, as if the freeing had written it: so it shows where something of before comes back.
   */
  seize(first: number, count: number): ProtocolSection {
    const marks = []
    for (let page = first; page < first + count; page++) {
      for (let cell = 0; cell < cellsPerPage; cell++) {
        const key = cellKey(page, cell)
        const value = this.#nextValue(key)
        marks.push({ value, operation: this.#recorder.write('freeing', key, String(value)) })
        this.#bounds.push(boundOf(this.#claims, 'read'))
      }
    }
    const section = this.#world.seize(first, count)
    this.#seizures.set(section, marks)
    this.over(section)
    return section
  }

  /** Ends an open seizure: the pages have no storage until `allocate`. */
  free(section: ProtocolSection): void {
    const marks = this.#seizures.get(section)
    if (marks === undefined || section.state !== 'open') return
    for (const page of section.pages()) {
      const bytes = new Uint8Array(this.#world.pageSize)
      for (let cell = 0; cell < cellsPerPage; cell++) {
        const mark = marks[(page - section.range.first) * cellsPerPage + cell]
        const at = cellOffset(bytes.length, 0, cell)
        bytes.fill(mark?.value ?? 0, at, at + cellBytes)
      }
      this.#fills.set(page, bytes)
    }
    this.#world.free(section)
  }

  /** All pages that were freed have storage again. */
  allocate(): void {
    for (const [page, bytes] of this.#fills) this.#world.allocate(page, 1, () => bytes)
    this.#fills.clear()
  }

  /** The site is about to die: what it had accepted may be lost with it, where that is all that is promised. */
  dies(site: string): void {
    this.#dead.add(this.#processOf(site))
  }

  #processOf(site: string): string {
    return `${site}.${this.#world.site(site).incarnation}`
  }

  #nextValue(key: string): number {
    const value = (this.#lastValues.get(key) ?? 0) + 1
    this.#lastValues.set(key, Math.min(value, cellValueMax))
    return value
  }

  /** Whether the cells can take more values. */
  get hasValuesLeft(): boolean {
    return Math.max(0, ...this.#lastValues.values()) < cellValueMax - 10
  }

  /** All that was asked, and what came of it. */
  history(): readonly Operation[] {
    const operations = this.#recorder.operations()
    if (this.#claims.unlockMeans === 'durable') return operations
    return operations.map((one) =>
      one.op === 'write' && this.#dead.has(one.process)
        ? { ...one, complete: null, completeOrder: null }
        : one,
    )
  }

  /** How stale what each operation of `history` saw may be. */
  boundsOf(history: readonly Operation[]): ReadonlyMap<Operation, Staleness> {
    return new Map(
      history.map((operation, index) => [
        operation,
        present(this.#bounds[index], 'each operation has a bound'),
      ]),
    )
  }
}

/** What the cells of some pages hold, by key. */
export function valuesOf(
  frames: ReadonlyMap<PageIndex, Uint8Array>,
  where: string,
): Map<string, string | null> {
  const values = new Map<string, string | null>()
  for (const [page, frame] of frames) {
    for (let cell = 0; cell < cellsPerPage; cell++) {
      const value = cellOf(frame, cell, `page ${page} at ${where}`)
      values.set(cellKey(page, cell), value === 0 ? null : String(value))
    }
  }
  return values
}

function tighter(bound: Staleness, demanded: Staleness | undefined): Staleness {
  if (demanded === undefined) return bound
  return { ms: Math.min(bound.ms, demanded.ms), versions: Math.min(bound.versions, demanded.versions) }
}
