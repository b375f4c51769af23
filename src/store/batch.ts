import type { PageIndex, PageRange, Version } from '../address/page.js'
import type { Checksum } from '../io/storage.js'
import type { CommitGroup, PageMend, PageWrite } from './commit-group.js'
import type { Ledger } from './ledger.js'
import { blocksOf, type LogPosition } from './log-place.js'
import type { LogRecord } from './log-record.js'
import { keyBytes, pageLogBytes, recordBytes } from './record-codec.js'
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
  readonly #mends: PageMend[] = []

  merge(group: CommitGroup): void {
    for (const space of group.drops ?? []) {
      this.#pages.delete(space)
      this.#frees = this.#frees.filter((free) => free.space !== space)
      this.#drops.add(space)
    }
    for (const free of group.frees ?? []) {
      this.#forget(free.space, free.range)
      this.#frees.push(free)
    }
    for (const write of group.pages ?? []) {
      let pages = this.#pages.get(write.space)
      if (pages === undefined) this.#pages.set(write.space, (pages = new Map<PageIndex, PageWrite>()))
      pages.set(write.page, write)
    }
    for (const key of group.deletes ?? []) {
      this.#puts.delete(key)
      this.#deletes.add(key)
    }
    for (const put of group.puts ?? []) {
      this.#puts.set(put.key, put.value)
      this.#deletes.delete(put.key)
    }
    if (group.mends !== undefined) this.#mends.push(...group.mends)
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
    for (const mend of this.#mends) {
      if (this.#replaces(mend.space, mend.page) || !isToMend(ledger, mend)) continue
      items.push(pageItem(mend, checksum))
    }
    return items
  }

  #forget(space: SpaceId, range: PageRange): void {
    const pages = this.#pages.get(space)
    if (pages === undefined) return
    for (const page of pages.keys()) {
      if (page >= range.first && page < range.first + range.count) pages.delete(page)
    }
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

/** All that was committed before is in the ledger by now. */
function isToMend(ledger: Ledger, { space, page, version }: PageMend): boolean {
  const table = ledger.pages.table(space)
  const entry = table?.find(page) ?? -1
  return table !== undefined && entry >= 0 && table.isDamagedAt(entry) && table.versionAt(entry) === version
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
