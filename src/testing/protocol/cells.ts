import { assert } from '../../stdx/assert.js'
import { ContractViolation } from './contract-violation.js'
import type { ProtocolSection } from './protocol-section.js'

/** Bytes of a cell. */
export const cellBytes = 4
/** Values of a cell are 1 to this; 0: never written. */
export const cellValueMax = 255

/**
 * Cells are what tests read and write: registers, a few bytes each, at the begin of a page, in steps that leave bytes
 * between them. All bytes of a value are the same, so that two values differ in every byte: patches of two writers of one
 * cell leave one of both, and what is a mixture of two values, or of two pages, shows.
 */
export function cellOffset(pageSize: number, page: number, cell: number): number {
  const at = cell * cellBytes * 2
  assert(cell >= 0 && at + cellBytes <= pageSize, `a page has no cell ${cell}`)
  return page * pageSize + at
}

/** Throws a `ContractViolation` where the cell holds a mixture. */
export function readCell(section: ProtocolSection, page: number, cell: number): number {
  const bytes = section.read(cellOffset(section.request.pageSize, page, cell), cellBytes)
  return valueOf(bytes, `${section.name} sees cell ${cell} of page ${page}`)
}

/** As `readCell`, of a page's bytes. `where` is for the complaint. */
export function cellOf(frame: Uint8Array, cell: number, where: string): number {
  const at = cellOffset(frame.length, 0, cell)
  return valueOf(frame.subarray(at, at + cellBytes), `${where} has cell ${cell}`)
}

export function writeCell(section: ProtocolSection, page: number, cell: number, value: number): void {
  assert(value >= 1 && value <= cellValueMax, `no value of a cell: ${value}`)
  section.write(cellOffset(section.request.pageSize, page, cell), new Uint8Array(cellBytes).fill(value))
}

function valueOf(bytes: Uint8Array, what: string): number {
  const value = bytes[0] ?? 0
  if (bytes.every((byte) => byte === value)) return value
  throw new ContractViolation(`${what} as a mixture of two values: ${[...bytes].join(' ')}`)
}
