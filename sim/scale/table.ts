/** Rows of text under a head: the first cell of each says what it is about, the others are figures. */
export interface Table {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Aligned, to be read as it is. */
export function asText({ title, head, rows }: Table): string {
  const widths = widthsOf(head, rows)
  return [
    title,
    '',
    ...[head, ...rows].map((cells) => `  ${aligned(cells, widths).join('  ')}`.trimEnd()),
  ].join('\n')
}

export function asMarkdown({ title, head, rows }: Table): string {
  const widths = widthsOf(head, rows)
  const line = (cells: readonly string[]): string => `| ${aligned(cells, widths).join(' | ')} |`
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [`**${title}**`, '', line(head), line(rule), ...rows.map(line)].join('\n')
}

function widthsOf(head: readonly string[], rows: readonly (readonly string[])[]): number[] {
  return head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)))
}

function aligned(cells: readonly string[], widths: readonly number[]): string[] {
  return widths.map((width, column) => {
    const cell = cells[column] ?? ''
    return column === 0 ? cell.padEnd(width) : cell.padStart(width)
  })
}
