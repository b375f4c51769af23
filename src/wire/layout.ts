import { addressSpaceEnd, addressFrom, type Address } from '../address/address.js'
import { assert } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import { malformed, type ByteReader } from './byte-reader.js'
import type { ByteWriter } from './byte-writer.js'

/**
 * How a value of type `T` lies in bytes: declared once, and from it both directions follow. `read` gives a value that
 * is exactly a `T` within its stated bounds, or throws `protocol-error`. `write` throws `invalid-argument` for texts
 * and lists over their bounds, and asserts all other bounds.
 */
export interface Layout<T> {
  readonly write: (writer: ByteWriter, value: T) => void
  readonly read: (reader: ByteReader) => T
}

/** One layout for each field. They lie in the order of declaration. */
export type Fields<T> = { readonly [Name in keyof T]-?: Layout<T[Name]> }

/** The member of the union `T` that the tag names, without its tag. */
type Variant<T, Tag extends keyof T, Name> = T extends unknown
  ? Name extends T[Tag]
    ? Omit<T, Tag>
    : never
  : never

/** For each member of the union `T`, its number on the wire, which never changes, and its fields. */
export type Variants<T, Tag extends keyof T> = {
  readonly [Name in T[Tag] & string]: readonly [number: number, fields: Fields<Variant<T, Tag, Name>>]
}

/** A whole number from `min` to `max`: the fewer above `min`, the shorter. */
export function integer<T extends number = number>(min: number, max: number): Layout<T> {
  return {
    write: (writer, value) => {
      assert(value >= min && value <= max, 'a number that is sent is within its range')
      writer.varint(value - min)
    },
    read: (reader) => {
      const value = reader.varint() + min
      if (value > max) throw malformed(`${value} is not from ${min} to ${max}`)
      return value as T
    },
  }
}

/** From 0 to 2^53 - 1. */
export const count: Layout<number> = integer(0, Number.MAX_SAFE_INTEGER)

/** A number of milliseconds, 0 or more; it may have a fraction. */
export const milliseconds: Layout<number> = {
  write: (writer, value) => {
    assert(Number.isFinite(value) && value >= 0, 'a duration that is sent is finite and not negative')
    writer.float(value)
  },
  read: (reader) => {
    const value = reader.float()
    if (!Number.isFinite(value) || value < 0) throw malformed(`${value} is no duration`)
    return value
  },
}

/** 0 or more; may be infinite. */
export const anyFloat: Layout<number> = {
  write: (writer, value) => {
    assert(value >= 0, 'an amount that is sent is not negative')
    writer.float(value)
  },
  read: (reader) => {
    const value = reader.float()
    if (!(value >= 0)) throw malformed(`${value} is no amount`)
    return value
  },
}

export const flag: Layout<boolean> = {
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read: (reader) => {
    const value = reader.u8()
    if (value > 1) throw malformed(`${value} is neither true nor false`)
    return value === 1
  },
}

export const address: Layout<Address> = {
  write: (writer, value) => writer.address(value),
  read: (reader) => reader.address(),
}

/** Bytes of global memory: 0 to 2^128 - 1. */
export const extent: Layout<bigint> = {
  write: (writer, value) => {
    assert(value >= 0n && value < addressSpaceEnd, 'an extent that is sent fits global memory')
    writer.address(addressFrom(value))
  },
  read: (reader) => reader.address(),
}

/** Bytes of any length up to a bound. */
export function bytes(lengthMax: number): Layout<Uint8Array> {
  return {
    write: (writer, value) => {
      checkLength(value.length, lengthMax)
      writer.varint(value.length)
      writer.bytes(value)
    },
    read: (reader) => {
      const length = reader.varint()
      if (length > lengthMax || length > reader.remaining) throw malformed(`${length} bytes`)
      return reader.bytes(length)
    },
  }
}

export function text(bytesMax: number): Layout<string> {
  return {
    write: (writer, value) => writer.text(value, bytesMax),
    read: (reader) => reader.text(bytesMax),
  }
}

/** Text for people that may be cut where it is too long. */
export function clippedText(bytesMax: number): Layout<string> {
  // No UTF-16 unit takes more than three bytes.
  const lengthMax = Math.floor(bytesMax / 3)
  return {
    write: (writer, value) => {
      writer.text(value.length > lengthMax ? value.slice(0, lengthMax) : value, bytesMax)
    },
    read: (reader) => reader.text(bytesMax),
  }
}

/** Text of the form that `parse` takes; what `parse` throws says what is wrong. */
export function parsedText<T extends string>(bytesMax: number, parse: (text: string) => T): Layout<T> {
  return {
    write: (writer, value) => writer.text(value, bytesMax),
    read: (reader) => {
      const value = reader.text(bytesMax)
      try {
        return parse(value)
      } catch (cause) {
        throw new KhazanaError('protocol-error', KhazanaError.from(cause).message, { cause })
      }
    },
  }
}

/** One of these, sent as its place among them: new ones go last. */
export function choice<const T extends string | number>(values: readonly T[]): Layout<T> {
  return {
    write: (writer, value) => {
      const index = values.indexOf(value)
      assert(index >= 0, 'a choice that is sent is one of those listed')
      writer.u8(index)
    },
    read: (reader) => {
      const value = values[reader.u8()]
      if (value === undefined) throw malformed(`not one of ${values.join(', ')}`)
      return value
    },
  }
}

export function optional<T>(layout: Layout<T>): Layout<T | undefined> {
  return {
    write: (writer, value) => {
      writer.u8(value === undefined ? 0 : 1)
      if (value !== undefined) layout.write(writer, value)
    },
    read: (reader) => (flag.read(reader) ? layout.read(reader) : undefined),
  }
}

/** Every element takes a byte at least, so that what is read is never longer than its message. */
export function list<T>(layout: Layout<T>, lengthMax: number): Layout<readonly T[]> {
  return {
    write: (writer, values) => {
      checkLength(values.length, lengthMax)
      writer.varint(values.length)
      for (const value of values) layout.write(writer, value)
    },
    read: (reader) => {
      const length = reader.varint()
      if (length > lengthMax || length > reader.remaining) throw malformed(`a list of ${length}`)
      const values: T[] = []
      for (let index = 0; index < length; index++) values.push(layout.read(reader))
      return values
    },
  }
}

/** Texts by name; each name once. */
export function dictionary(
  name: Layout<string>,
  value: Layout<string>,
  sizeMax: number,
): Layout<Readonly<Record<string, string>>> {
  return {
    write: (writer, entries) => {
      const names = Object.keys(entries)
      checkLength(names.length, sizeMax)
      writer.varint(names.length)
      for (const each of names) {
        name.write(writer, each)
        value.write(writer, entries[each] ?? '')
      }
    },
    read: (reader) => {
      const size = reader.varint()
      if (size > sizeMax) throw malformed(`${size} names, where ${sizeMax} are the most`)
      const entries = new Map<string, string>()
      for (let index = 0; index < size; index++) entries.set(name.read(reader), value.read(reader))
      if (entries.size !== size) throw malformed('a name is there twice')
      // Unlike assignment, this makes `__proto__` a name like any other.
      return Object.fromEntries(entries)
    },
  }
}

export function record<T extends object>(fields: Fields<T>): Layout<T> {
  return fieldsAfter<T>(fields, undefined)
}

/** A layout whose values must also pass a check: it names what is wrong, if anything is. */
export function checked<T>(layout: Layout<T>, fault: (value: T) => string | undefined): Layout<T> {
  return {
    write: (writer, value) => {
      assert(fault(value) === undefined, 'a value that is sent is consistent')
      layout.write(writer, value)
    },
    read: (reader) => {
      const value = layout.read(reader)
      const message = fault(value)
      if (message !== undefined) throw malformed(message)
      return value
    },
  }
}

/** A discriminated union: one byte for its member, then the member's fields. */
export function union<T extends object, Tag extends keyof T & string>(
  tag: Tag,
  variants: Variants<T, Tag>,
): Layout<T> {
  const byName = new Map<T[Tag], Member<T>>()
  const byNumber: (Member<T> | undefined)[] = []
  for (const name of Object.keys(variants) as (T[Tag] & string)[]) {
    const [number, fields] = variants[name]
    assert(byNumber[number] === undefined, 'each member of a union has a number of its own')
    // Without its tag a variant lacks nothing but the constant.
    const layout = fieldsAfter(fields as unknown as Fields<T>, { name: tag, value: name })
    const member = { number, layout }
    byName.set(name, member)
    byNumber[number] = member
  }
  return {
    write: (writer, value) => {
      const member = byName.get(value[tag])
      assert(member !== undefined, 'a message that is sent is one of the closed set')
      writer.u8(member.number)
      member.layout.write(writer, value)
    },
    read: (reader) => {
      const number = reader.u8()
      const member = byNumber[number]
      if (member === undefined) throw malformed(`unknown ${tag} ${number}`)
      return member.layout.read(reader)
    },
  }
}

/** A record, with the constant field that its union's tag is, if it is a member of one. */
function fieldsAfter<T extends object>(fields: Fields<T>, constant: Constant<T> | undefined): Layout<T> {
  const names = Object.keys(fields) as (keyof T & string)[]
  const parts = names.map((name) => ({ name, layout: fields[name] }))
  return {
    write: (writer, value) => {
      for (const { name, layout } of parts) layout.write(writer, value[name])
    },
    read: (reader) => {
      // Complete once the loop has ended: `Fields` has every name of `T`.
      const value = {} as T
      if (constant !== undefined) value[constant.name] = constant.value
      for (const { name, layout } of parts) value[name] = layout.read(reader)
      return value
    },
  }
}

interface Member<T> {
  readonly number: number
  readonly layout: Layout<T>
}

interface Constant<T> {
  readonly name: keyof T
  readonly value: T[keyof T]
}

function checkLength(length: number, lengthMax: number): void {
  if (length > lengthMax) {
    throw new KhazanaError('invalid-argument', `a list of ${length}, where ${lengthMax} is the most`)
  }
}
