import type { Measured } from './run.js'

export function asJson({ results, skipped }: Measured): string {
  const rows = results.map(({ name, value, unit, limit, ratio, messagesPerOperation = null }) => ({
    name,
    value,
    unit,
    limit,
    ratio,
    messagesPerOperation,
  }))
  return JSON.stringify({ rows, skipped })
}

const headings = ['', 'median', 'p99', 'unit', 'limit', 'times slower', 'messages per op']

/** For people: columns, the numbers to the right; below what was not measured, and why. */
export function asTable({ results, skipped }: Measured): string {
  const lines = results.map(({ name, value, unit, limit, ratio, p99, messagesPerOperation }) => [
    name,
    shown(value),
    p99 === undefined ? '' : shown(p99),
    unit,
    limit ?? '',
    ratio === null ? '' : ratio.toFixed(2),
    messagesPerOperation?.toFixed(2) ?? '',
  ])
  const table = [headings, ...lines]
  const widths = headings.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)))
  const notes = skipped.map(({ name, reason }) => `skipped ${name}: ${reason}`)
  return [...table.map((line) => lineOf(line, widths)), ...notes].join('\n')
}

function lineOf(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => padded(cell, column, widths[column] ?? 0))
    .join('  ')
    .trimEnd()
}

function padded(cell: string, column: number, width: number): string {
  const isNumber = column === 1 || column === 2 || column >= 5
  return isNumber ? cell.padStart(width) : cell.padEnd(width)
}

/** Three digits that say something. */
function shown(value: number): string {
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
