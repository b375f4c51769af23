import { present } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'

const units: readonly (readonly [name: string, bytes: number])[] = [
  // More than any size: they are understood, to be told so.
  ['YiB', 2 ** 80],
  ['ZiB', 2 ** 70],
  ['EiB', 2 ** 60],
  ['PiB', 2 ** 50],
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
]

/**
 * Bytes from a text such as `4096`, `64KiB`, `1GiB`: a whole number and a binary unit, or none for bytes. 0 to 2^53 - 1.
 * Throws `invalid-argument`; a decimal unit is refused, not guessed, since `64KB` would mean 64000 to some.
 */
export function parseSize(text: string): number {
  const match = /^([0-9]+)([A-Za-z]*)$/.exec(text)
  const name = match?.[2]
  const unitBytes = name === '' ? 1 : units.find(([unit]) => unit === name)?.[1]
  if (match === null || unitBytes === undefined) {
    throw new KhazanaError(
      'invalid-argument',
      `a size is like 4096, 64KiB or 1GiB, not ${shown(text)}${hint(text)}`,
    )
  }
  const bytes = Number(match[1]) * unitBytes
  if (!Number.isSafeInteger(bytes)) {
    throw new KhazanaError(
      'invalid-argument',
      `the size ${shown(text)} is over the largest possible, 8191PiB`,
    )
  }
  return bytes
}

/** The shortest exact text, in the largest unit that divides: `parseSize` gives the same number back. */
export function formatSize(bytes: number): string {
  for (const [name, unitBytes] of units) {
    if (bytes >= unitBytes && bytes % unitBytes === 0) return `${bytes / unitBytes}${name}`
  }
  return String(bytes)
}

/** For the units that people mean. */
function hint(text: string): string {
  const match = /^([0-9]{1,16}) ?([kmgtpezy])(i?b)?$/i.exec(text)
  if (match === null) return ''
  const letter = present(match[2], 'the unit is not optional').toUpperCase()
  return `: for the binary unit write ${present(match[1], 'nor is the number')}${letter}iB`
}
