import { KhazanaError } from '../../stdx/errors.js'
import type { LockContext } from '../../node/replica/lock-context.js'

/** Where a key of the history lives: the same value is written into each of some pages, in one section. */
export interface Cell {
  readonly key: string
  readonly offset: number
  /** Pages one after the other, each of which holds the value whole. */
  readonly pages: number
  readonly pageSize: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Writes the value into all pages of the cell, at the end of each, so that a torn page shows too. */
export function writeCell(lock: LockContext, cell: Cell, value: string): void {
  const text = encoder.encode(value)
  const bytes = new Uint8Array(2 + text.length)
  new DataView(bytes.buffer).setUint16(0, text.length)
  bytes.set(text, 2)
  for (let page = 0; page < cell.pages; page++) {
    const start = cell.offset + page * cell.pageSize
    lock.write(start, bytes)
    lock.write(start + cell.pageSize - bytes.length, bytes)
  }
}

/** The value, null where nothing was written. Throws `damaged` where the pages do not agree: a section was torn. */
export function readCell(lock: LockContext, cell: Cell): string | null {
  const values = new Set<string>()
  for (let page = 0; page < cell.pages; page++) {
    const start = cell.offset + page * cell.pageSize
    const length = new DataView(lock.read(start, 2).buffer).getUint16(0)
    values.add(decoder.decode(lock.read(start + 2, length)))
    values.add(decoder.decode(lock.read(start + cell.pageSize - length, length)))
  }
  if (values.size !== 1) {
    throw new KhazanaError(
      'damaged',
      `${cell.key} holds parts of several sections: ${[...values].join(' | ')}`,
    )
  }
  const [value = ''] = values
  return value === '' ? null : value
}
