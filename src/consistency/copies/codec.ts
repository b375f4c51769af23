import type { LockMode } from '../../address/lock-mode.js'
import { pagesPerRegionMax } from '../../address/page.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import { unreachable } from '../../stdx/assert.js'
import { isErrorCode } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import { BodyReader, malformed } from '../body-reader.js'
import { BodyWriter } from '../body-writer.js'
import type { MessageCodec } from '../contract.js'
import { messagePagesMax, noBytes } from './message.js'
import type { ChangePart, CopiesMessage, CopyStamp, PageChange } from './message.js'

/*
 * A byte for the kind, then the fields in the order of their declaration: numbers as varints, lists with their length
 * before them. Versions known are written one higher, so that `noBytes` is 0.
 */

/** In the order of their bytes, which must not change. */
const kinds = [
  'lock',
  'unlock',
  'fetch',
  'commit',
  'ack',
  'drop',
  'granted',
  'copies',
  'refused',
  'update',
  'committed',
  'uncommitted',
  'invalidate',
] as const satisfies readonly CopiesMessage['kind'][]

const modes: readonly LockMode[] = ['read', 'write', 'write-shared']

/** UTF-8 bytes: tags have at most 256 characters, of at most three bytes each. */
const tagBytesMax = 768
const codeBytesMax = 64
const messageBytesMax = 1024

export const copiesCodec: MessageCodec<CopiesMessage> = {
  encode(message) {
    const writer = new BodyWriter()
    writer.u8(kinds.indexOf(message.kind))
    write(writer, message)
    return writer.finish()
  },
  decode(bytes) {
    const reader = new BodyReader(bytes)
    const message = read(reader)
    reader.end()
    return message
  },
}

function write(writer: BodyWriter, message: CopiesMessage): void {
  switch (message.kind) {
    case 'lock':
      writer.varint(message.serial)
      writeRange(writer, message.range)
      writer.u8(modes.indexOf(message.mode))
      writer.varint(message.offset)
      writer.varint(message.length)
      writer.text(message.tag)
      return writeKnown(writer, message.known)
    case 'unlock':
      return writer.varint(message.serial)
    case 'fetch':
      writer.varint(message.serial)
      writeRange(writer, message.range)
      return writeKnown(writer, message.known)
    case 'commit':
      writer.varint(message.number)
      writer.varint(message.lock)
      writer.varints(message.pages)
      return writeFlag(writer, message.final)
    case 'ack':
      writer.varint(message.serial)
      return writer.varints(message.dropped)
    case 'drop':
      return writer.varints(message.pages)
    case 'granted':
    case 'copies':
      writer.varint(message.serial)
      return writeCopies(writer, message.copies)
    case 'refused':
      writer.varint(message.serial)
      return writeFailure(writer, message)
    case 'update':
      writer.varint(message.serial)
      writeChanges(writer, message.changes)
      return writeFlag(writer, message.final)
    case 'committed':
      writer.varints(message.numbers)
      writeChanges(writer, message.changes)
      return writeFlag(writer, message.final)
    case 'uncommitted':
      writer.varint(message.number)
      return writeFailure(writer, message)
    case 'invalidate':
      writer.varint(message.serial)
      writer.varints(message.pages)
      return writeFlag(writer, message.when === 'unused')
    default:
      return unreachable(message)
  }
}

function read(reader: BodyReader): CopiesMessage {
  const kind = kinds[reader.u8()]
  if (kind === undefined) throw malformed('a message of an unknown kind')
  switch (kind) {
    case 'lock': {
      const serial = reader.varint()
      const range = readRange(reader)
      const mode = modes[reader.u8()]
      if (mode === undefined) throw malformed('a lock of an unknown mode')
      const offset = reader.varint()
      const length = reader.varint()
      const tag = reader.text(tagBytesMax)
      const known = readKnown(reader)
      if (known.length !== 0 && known.length !== range.count) throw malformed('a version known for each page')
      return { kind, serial, range, mode, offset, length, tag, known }
    }
    case 'unlock':
      return { kind, serial: reader.varint() }
    case 'fetch': {
      const serial = reader.varint()
      const range = readRange(reader)
      const known = readKnown(reader)
      if (known.length !== range.count) throw malformed('a version known for each page')
      return { kind, serial, range, known }
    }
    case 'commit':
      return {
        kind,
        number: reader.varint(),
        lock: reader.varint(),
        pages: readPages(reader),
        final: readFlag(reader),
      }
    case 'ack':
      return { kind, serial: reader.varint(), dropped: readPages(reader) }
    case 'drop':
      return { kind, pages: readPages(reader) }
    case 'granted':
    case 'copies':
      return { kind, serial: reader.varint(), copies: readCopies(reader) }
    case 'refused':
      return { kind, serial: reader.varint(), ...readFailure(reader) }
    case 'update':
      return { kind, serial: reader.varint(), changes: readChanges(reader), final: readFlag(reader) }
    case 'committed': {
      const numbers = reader.list(messagePagesMax, 'commits', () => reader.varint())
      return { kind, numbers, changes: readChanges(reader), final: readFlag(reader) }
    }
    case 'uncommitted':
      return { kind, number: reader.varint(), ...readFailure(reader) }
    case 'invalidate': {
      const serial = reader.varint()
      const pages = readPages(reader)
      return { kind, serial, pages, when: readFlag(reader) ? 'unused' : 'now' }
    }
    default:
      return unreachable(kind)
  }
}

function writeFlag(writer: BodyWriter, flag: boolean): void {
  writer.u8(flag ? 1 : 0)
}

function readFlag(reader: BodyReader): boolean {
  const byte = reader.u8()
  if (byte > 1) throw malformed('a flag is 0 or 1')
  return byte === 1
}

function writeRange(writer: BodyWriter, range: PageRange): void {
  writer.varint(range.first)
  writer.varint(range.count)
}

function readRange(reader: BodyReader): PageRange {
  const first = readPage(reader)
  const count = reader.varintUpTo(pagesPerRegionMax - first, 'the length of a range')
  if (count === 0) throw malformed('a range of no pages')
  return { first, count }
}

function readPage(reader: BodyReader): PageIndex {
  return reader.varintUpTo(pagesPerRegionMax - 1, 'a page number') as PageIndex
}

function readPages(reader: BodyReader): PageIndex[] {
  return reader.list(messagePagesMax, 'pages', () => readPage(reader))
}

function writeKnown(writer: BodyWriter, known: readonly number[]): void {
  writer.varints(known.map((version) => version + 1))
}

function readKnown(reader: BodyReader): number[] {
  return reader.list(messagePagesMax, 'versions', () => reader.varint() - 1)
}

function writeCopies(writer: BodyWriter, copies: readonly CopyStamp[]): void {
  writer.varint(copies.length)
  for (const { page, version, hasBytes } of copies) {
    writer.varint(page)
    writer.varint(version)
    writeFlag(writer, hasBytes)
  }
}

function readCopies(reader: BodyReader): CopyStamp[] {
  return reader.list(messagePagesMax, 'copies', () => ({
    page: readPage(reader),
    version: reader.varint() as Version,
    hasBytes: readFlag(reader),
  }))
}

function writeChanges(writer: BodyWriter, changes: readonly PageChange[]): void {
  writer.varint(changes.length)
  for (const { page, base, version, parts } of changes) {
    writer.varint(page)
    writer.varint(base - noBytes)
    writer.varint(version)
    // Commits are numbered from 1.
    writer.varints(parts.map((part) => (part === 'attached' ? 0 : part)))
  }
}

function readChanges(reader: BodyReader): PageChange[] {
  return reader.list(messagePagesMax, 'changes', () => ({
    page: readPage(reader),
    base: reader.varint() + noBytes,
    version: reader.varint() as Version,
    parts: reader.list(messagePagesMax, 'parts', (): ChangePart => {
      const number = reader.varint()
      return number === 0 ? 'attached' : number
    }),
  }))
}

function writeFailure(
  writer: BodyWriter,
  failure: { readonly code: ErrorCode; readonly message: string },
): void {
  writer.text(failure.code)
  // A character has at most three bytes of UTF-8 in a text of 16-bit units.
  writer.text(failure.message.slice(0, messageBytesMax / 3))
}

/** A code that this version does not know is `internal`: newer peers may have others. */
function readFailure(reader: BodyReader): { readonly code: ErrorCode; readonly message: string } {
  const code = reader.text(codeBytesMax)
  return { code: isErrorCode(code) ? code : 'internal', message: reader.text(messageBytesMax) }
}
