import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { NumberedValues } from './numbered-values.js'

/** Where a key of the history lives: the same value is written into each of its slots, in one section. */
export interface Cell {
  readonly key: string
  /** What is locked for it: bytes from the start of the region, among which may be slots of others. */
  readonly offset: number
  readonly length: number
  /** Each holds the value whole, and none reaches over the end of a page. */
  readonly slots: readonly Slot[]
  readonly form: CellForm
}

export interface Slot {
  readonly offset: number
  readonly length: number
}

/**
 * How a slot holds a value. `text`: the value itself, at its start and at its end, so that a torn slot shows. `number`: every
 * byte is the value's number, so that any two values differ in every byte, and patches of several writers, one on top of the
 * other, never make a mixture. `set`: the values are those whose bits are set; a value is added, and none goes.
 */
export type CellForm =
  | { readonly kind: 'text' }
  | { readonly kind: 'number'; readonly values: NumberedValues }
  | { readonly kind: 'set'; readonly values: NumberedValues }

/** Numbers of a cell of the form `number`: what a byte can say beside "never written". */
export const numbersMax = 255

/** What bytes are read from: a lock, or a copy of the pages. */
export interface ByteSource {
  /** A copy. */
  read(offset: number, length: number): Uint8Array
}

export interface ByteTarget extends ByteSource {
  write(offset: number, bytes: Uint8Array): void
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Puts the value into all slots of the cell; one of a `set` is added to what is there. */
export function writeCell(target: ByteTarget, { slots, form }: Cell, value: string): void {
  for (const slot of slots) {
    switch (form.kind) {
      case 'text':
        writeText(target, slot, value)
        break
      case 'number':
        target.write(slot.offset, new Uint8Array(slot.length).fill(form.values.numberOf(value)))
        break
      case 'set':
        addBit(target, slot, form.values.numberOf(value) - 1)
        break
      default:
        unreachable(form)
    }
  }
}

/**
 * The value, null where nothing was written; of a `set`, its values, with a blank between them. Throws `internal` where the
 * slots do not agree: a section was torn, which nothing excuses.
 */
export function readCell(source: ByteSource, { key, slots, form }: Cell): string | null {
  const values = new Set<string>()
  for (const slot of slots) for (const value of valuesOf(source, slot, form)) values.add(value)
  if (values.size !== 1) {
    throw new KhazanaError('internal', `${key} holds parts of several sections: ${[...values].join(' | ')}`)
  }
  const [value = ''] = values
  return value === '' ? null : value
}

/** All that a slot says; an empty text is nothing. */
function valuesOf(source: ByteSource, slot: Slot, form: CellForm): readonly string[] {
  switch (form.kind) {
    case 'text':
      return readText(source, slot)
    case 'number':
      return [...new Set(source.read(slot.offset, slot.length))].map((byte) =>
        byte === 0 ? '' : form.values.valueOf(byte),
      )
    case 'set':
      return [
        bitsOf(source.read(slot.offset, slot.length))
          .map((bit) => form.values.valueOf(bit + 1))
          .join(' '),
      ]
    default:
      return unreachable(form)
  }
}

function writeText(target: ByteTarget, { offset, length }: Slot, value: string): void {
  const text = encoder.encode(value)
  const bytes = new Uint8Array(2 + text.length)
  new DataView(bytes.buffer).setUint16(0, text.length)
  bytes.set(text, 2)
  target.write(offset, bytes)
  target.write(offset + length - bytes.length, bytes)
}

function readText(source: ByteSource, slot: Slot): string[] {
  const length = new DataView(source.read(slot.offset, 2).buffer).getUint16(0)
  if (length + 2 > slot.length) return [`a text of ${length} bytes`, 'no room for it']
  const first = decoder.decode(source.read(slot.offset + 2, length))
  return [first, decoder.decode(source.read(slot.offset + slot.length - length, length))]
}

function addBit(target: ByteTarget, { offset }: Slot, bit: number): void {
  const at = offset + Math.floor(bit / 8)
  const [byte = 0] = target.read(at, 1)
  target.write(at, Uint8Array.of(byte | (1 << (bit % 8))))
}

function bitsOf(bytes: Uint8Array): number[] {
  const bits: number[] = []
  bytes.forEach((byte, index) => {
    for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) bits.push(index * 8 + bit)
  })
  return bits
}
