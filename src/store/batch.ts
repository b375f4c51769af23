import type { PageIndex, PageRange, Version } from '../address/page.js'
import type { Checksum } from '../io/storage.js'
import type { CommitGroup, PageDamage, PageMend, PageWrite } from './commit-group.js'
import type { Ledger } from './ledger.js'
import { blocksOf, type LogPosition } from './log-place.js'
import type { LogRecord } from './log-record.js'
import { damagedEntryBytes, keyBytes, pageLogBytes, recordBytes } from './record-codec.js'
import type { Segment } from './segment.js'
import type { SpaceId } from './space.js'

/** A record to be written, and the bytes that follow it. */
export interface LogItem {
  readonly record: LogRecord
  readonly payload?: Uint8Array
}

/** A live page that the cleaner read, to be written anew. */
export interface PageMove {
  readonly space: SpaceId
  readonly page: PageIndex
  readonly version: Version
  /** Undefined: what is there is damaged, and that is what is written. */
  readonly bytes: Uint8Array | undefined
  readonly checksum: number
  readonly fromSlot: number
  readonly fromBlock: number
}

/** What the cleaner wants to have written with the next group. */
export interface MoveSet {
  readonly victim: Segment
  readonly pages: readonly PageMove[]
  readonly keys: readonly string[]
  /** This is the last of the victim: its tombstones go too. */
  readonly isLast: boolean
}

export interface BatchContext {
  readonly ledger: Ledger
  readonly checksum: Checksum
  readonly moves: MoveSet | undefined
  readonly retired: readonly Segment[]
  /** Where the group will begin. Its tombstones refer to it, and the layout fills it in. */
  readonly start: LogPosition
}

/** What depends on what there is of the page by then. */
type Amendment =
  | { readonly kind: 'damage'; readonly damage: PageDamage }
  | { readonly kind: 'mend'; readonly mend: PageMend }

/** What there is of a page. */
interface PageState {
  readonly version: Version
  readonly isDamaged: boolean
}

/**
 * Commits that become durable as one group, merged so that the result is the same as if they had been made one after
 * the other. In the log a group's records that something is gone come before what it writes, so a free that came after a
 * write takes the write out of the batch.
 */
export class Batch {
  readonly #pages = new Map<SpaceId, Map<PageIndex, PageWrite>>()
  readonly #puts = new Map<string, Uint8Array>()
  readonly #deletes = new Set<string>()
  readonly #drops = new Set<SpaceId>()
  #frees: { space: SpaceId; range: PageRange }[] = []
  /** In order, behind the last that is written of the page or takes it away. */
  readonly #amendments = new Map<SpaceId, Map<PageIndex, Amendment[]>>()

  merge(group: CommitGroup): void {
    for (const space of group.drops ?? []) {
      this.#pages.delete(space)
      this.#amendments.delete(space)
      this.#frees = this.#frees.filter((free) => free.space !== space)
      this.#drops.add(space)
    }
    for (const free of group.frees ?? []) {
      forget(this.#pages.get(free.space), free.range)
      forget(this.#amendments.get(free.space), free.range)
      this.#frees.push(free)
    }
    for (const write of group.pages ?? []) {
      let pages = this.#pages.get(write.space)
      if (pages === undefined) this.#pages.set(write.space, (pages = new Map<PageIndex, PageWrite>()))
      pages.set(write.page, write)
      if (this.#amendments.size > 0) this.#amendments.get(write.space)?.delete(write.page)
    }
    for (const damage of group.damages ?? []) this.#amend(damage, { kind: 'damage', damage })
    for (const key of group.deletes ?? []) {
      this.#puts.delete(key)
      this.#deletes.add(key)
    }
    for (const put of group.puts ?? []) {
      this.#puts.set(put.key, put.value)
      this.#deletes.delete(put.key)
    }
    for (const mend of group.mends ?? []) this.#amend(mend, { kind: 'mend', mend })
  }

  /**
   * The records in log order. What the cleaner moves comes first, as far as it is still the newest and not replaced
   * here. Tombstones for what is not there are left out.
   */
  items(context: BatchContext): LogItem[] {
    const { ledger, checksum, moves, retired, start } = context
    const items: LogItem[] = []
    if (moves !== undefined) this.#addMoves(items, ledger, moves)
    for (const { slot, sequence } of retired) items.push({ record: { kind: 'retire', slot, sequence } })
    for (const space of this.#drops) {
      if (ledger.pages.table(space) === undefined) continue
      items.push({ record: { kind: 'drop', born: start, space } })
    }
    for (const { space, range } of this.#frees) {
      if (ledger.pages.pagesIn(space, range).length === 0) continue
      items.push({ record: { kind: 'free', born: start, space, first: range.first, count: range.count } })
    }
    for (const key of this.#deletes) {
      if (ledger.metadata.entry(key) === undefined) continue
      items.push({ record: { kind: 'delete', born: start, key } })
    }
    for (const [key, value] of this.#puts) items.push({ record: { kind: 'put', key, value } })
    for (const pages of this.#pages.values()) {
      for (const write of pages.values()) items.push(pageItem(write, checksum))
    }
    for (const [space, pages] of this.#amendments) {
      for (const [page, amendments] of pages) {
        const item = amended(this.#stateOf(space, page, ledger), amendments, checksum)
        if (item !== undefined) items.push(item)
      }
    }
    return items
  }

  #amend({ space, page }: PageDamage, amendment: Amendment): void {
    let pages = this.#amendments.get(space)
    if (pages === undefined) this.#amendments.set(space, (pages = new Map<PageIndex, Amendment[]>()))
    const known = pages.get(page)
    if (known === undefined) pages.set(page, [amendment])
    else known.push(amendment)
  }

  /** As what is merged here leaves it, but for amendments. All that was committed before is in the ledger by now. */
  #stateOf(space: SpaceId, page: PageIndex, ledger: Ledger): PageState | undefined {
    const write = this.#pages.get(space)?.get(page)
    if (write !== undefined) return { version: write.version, isDamaged: false }
    if (this.#replaces(space, page)) return undefined
    const table = ledger.pages.table(space)
    const entry = table?.find(page) ?? -1
    if (table === undefined || entry < 0) return undefined
    return { version: table.versionAt(entry), isDamaged: table.isDamagedAt(entry) }
  }

  #addMoves(items: LogItem[], ledger: Ledger, moves: MoveSet): void {
    for (const move of moves.pages) {
      const { space, page, version, bytes, checksum } = move
      if (!isStillThere(ledger, move) || this.#replaces(space, page)) continue
      if (bytes === undefined) items.push({ record: { kind: 'damaged-page', space, page, version } })
      else
        items.push({
          record: { kind: 'page', space, page, version, bytes: bytes.length, checksum },
          payload: bytes,
        })
    }
    for (const key of moves.keys) {
      const entry = ledger.metadata.entry(key)
      if (entry?.slot !== moves.victim.slot || this.#puts.has(key) || this.#deletes.has(key)) continue
      items.push({ record: { kind: 'put', key, value: entry.value } })
    }
    if (!moves.isLast) return
    for (const tombstone of ledger.tombstonesToMove(moves.victim)) items.push({ record: tombstone })
  }

  #replaces(space: SpaceId, page: PageIndex): boolean {
    if (this.#drops.has(space) || this.#pages.get(space)?.has(page) === true) return true
    return this.#frees.some(
      (free) =>
        free.space === space && page >= free.range.first && page < free.range.first + free.range.count,
    )
  }
}

function pageItem({ space, page, version, bytes }: PageWrite, checksum: Checksum): LogItem {
  const record = {
    kind: 'page',
    space,
    page,
    version,
    bytes: bytes.length,
    checksum: checksum(bytes, 0),
  } as const
  return { record, payload: bytes }
}

/** What is to be written of a page to which this happens, one after the other; undefined: nothing. */
function amended(
  before: PageState | undefined,
  amendments: readonly Amendment[],
  checksum: Checksum,
): LogItem | undefined {
  let state = before
  let item: LogItem | undefined
  for (const amendment of amendments) {
    if (amendment.kind === 'damage') {
      const { space, page, version } = amendment.damage
      if (state?.version === version) continue
      state = { version, isDamaged: true }
      item = { record: { kind: 'damaged-page', space, page, version } }
    } else {
      const { mend } = amendment
      if (state?.version !== mend.version || !state.isDamaged) continue
      state = { version: mend.version, isDamaged: false }
      item = pageItem(mend, checksum)
    }
  }
  return item
}

function forget(pages: Map<PageIndex, unknown> | undefined, range: PageRange): void {
  if (pages === undefined) return
  for (const page of pages.keys()) {
    if (page >= range.first && page < range.first + range.count) pages.delete(page)
  }
}

function isStillThere(ledger: Ledger, move: PageMove): boolean {
  const table = ledger.pages.table(move.space)
  const entry = table?.find(move.page) ?? -1
  return (
    table !== undefined &&
    entry >= 0 &&
    table.slotAt(entry) === move.fromSlot &&
    table.blockAt(entry) === move.fromBlock
  )
}

/** What a group takes in the log at most, if it is written alone. */
export interface LogSize {
  readonly tableBytes: number
  readonly payloadBlocks: number
}

export function sizeOfGroup(group: CommitGroup): LogSize {
  let tableBytes = 0
  let payloadBlocks = 0
  for (const { bytes } of [...(group.pages ?? []), ...(group.mends ?? [])]) {
    tableBytes += pageLogBytes(bytes.length) - bytes.length
    payloadBlocks += blocksOf(bytes.length)
  }
  tableBytes += (group.damages?.length ?? 0) * damagedEntryBytes
  for (const { key, value } of group.puts ?? []) tableBytes += 7 + keyBytes(key) + value.length
  for (const key of group.deletes ?? []) tableBytes += 11 + keyBytes(key)
  tableBytes += (group.frees?.length ?? 0) * 27 + (group.drops?.length ?? 0) * 15
  return { tableBytes, payloadBlocks }
}

/** What a set of moves takes at most. */
export function sizeOfMoves(moves: MoveSet, ledger: Ledger): LogSize {
  let tableBytes = 0
  let payloadBlocks = 0
  for (const { bytes } of moves.pages) {
    tableBytes += pageLogBytes(bytes?.length ?? 0) - (bytes?.length ?? 0)
    payloadBlocks += blocksOf(bytes?.length ?? 0)
  }
  for (const key of moves.keys)
    tableBytes += 7 + keyBytes(key) + (ledger.metadata.entry(key)?.value.length ?? 0)
  if (moves.isLast) {
    for (const tombstone of ledger.tombstones.in(moves.victim.slot)) tableBytes += recordBytes(tombstone)
  }
  return { tableBytes, payloadBlocks }
}
