import { assert } from '../src/stdx/assert.js'
import { pageBytes } from './layout.js'

/** What a key holds: a number, and who wrote it, so that each value is written once in a run. */
export interface Cell {
  readonly number: number
  /** Unique in the run. */
  readonly mark: string
}

/** As it stands in the history. */
export function textOf({ number, mark }: Cell): string {
  return `${number}#${mark}`
}

/** The number of a value in the history: 0 where there is none yet, undefined where it is no value of ours. */
export function numberIn(text: string | null): number | undefined {
  if (text === null) return 0
  const match = /^(-?\d{1,15})#/.exec(text)
  return match === null ? undefined : Number(match[1])
}

/** The text stands at both ends of the page, so that a page which is half new and half old shows. */
const copyBytes = 256
const copyOffsets = [0, pageBytes - copyBytes]
const textBytesMax = copyBytes - 1

/** A page that holds the text. */
export function pageOf(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  assert(bytes.length > 0 && bytes.length <= textBytesMax, `a cell has no room for ${text}`)
  const page = new Uint8Array(pageBytes)
  for (const offset of copyOffsets) {
    page[offset] = bytes.length
    page.set(bytes, offset + 1)
  }
  return page
}

/** The text that the page holds; null for one that was never written. What is no page of ours gives a text that says so. */
export function textIn(page: Uint8Array): string | null {
  const [first = null, last = null] = copyOffsets.map((offset) => {
    const length = page[offset] ?? 0
    return length === 0 ? null : new TextDecoder().decode(page.subarray(offset + 1, offset + 1 + length))
  })
  return first === last ? first : `torn: ${first} at its begin, ${last} at its end`
}
