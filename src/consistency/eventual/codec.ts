import { pagesPerRegionMax } from '../../address/page.js'
import type { PageIndex } from '../../address/page.js'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError, isErrorCode } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { MessageCodec } from '../contract.js'
import type { Stamp } from './hybrid-clock.js'
import { pagesPerMessageMax } from './message.js'
import type { EventualMessage, HeldPage, PushAnswer, PushedPage, PushResult, StampedPage } from './message.js'

/*
 * A message is its kind in one byte, the number of its pages in one byte, and for each page its number and what is said
 * of it: numbers of six bytes, the highest first, and what is one of few in one byte. `gone` ends with two texts.
 */

const kinds = ['hold', 'push', 'ack', 'drop', 'update', 'pushed', 'gone'] as const
const results: readonly PushResult[] = ['kept', 'replaced', 'failed']

const textBytesMax = 255

export const eventualCodec: MessageCodec<EventualMessage> = {
  encode(message) {
    const bytes = new Writer()
    bytes.u8(kinds.indexOf(message.kind))
    bytes.u8(message.pages.length)
    writeBody(bytes, message)
    return bytes.finish()
  },

  decode(bytes) {
    const reader = new Reader(bytes)
    const kind = kinds[reader.u8()]
    if (kind === undefined) throw malformed('a kind of message that there is not')
    const count = reader.u8()
    if (count < 1 || count > pagesPerMessageMax) throw malformed(`a message of ${count} pages`)
    const message = readBody(reader, kind, count)
    if (!reader.isAtEnd) throw malformed('bytes behind the end of the message')
    return message
  },
}

function writeBody(bytes: Writer, message: EventualMessage): void {
  switch (message.kind) {
    case 'hold':
      for (const { page, stamp } of message.pages) {
        bytes.u48(page)
        bytes.u8(stamp === undefined ? 0 : 1)
        if (stamp !== undefined) bytes.u48(stamp)
      }
      return
    case 'push':
      for (const { page, stamp, base } of message.pages) {
        bytes.u48(page)
        bytes.u48(stamp)
        bytes.u48(base)
      }
      return
    case 'ack':
    case 'update':
      for (const { page, stamp } of message.pages) {
        bytes.u48(page)
        bytes.u48(stamp)
      }
      return
    case 'drop':
      for (const page of message.pages) bytes.u48(page)
      return
    case 'pushed':
      for (const { page, pushed, stamp, result } of message.pages) {
        bytes.u48(page)
        bytes.u48(pushed)
        bytes.u48(stamp)
        bytes.u8(results.indexOf(result))
      }
      return
    case 'gone':
      for (const page of message.pages) bytes.u48(page)
      bytes.text(message.code)
      bytes.text(message.message)
      return
    default:
      return unreachable(message)
  }
}

function readBody(reader: Reader, kind: EventualMessage['kind'], count: number): EventualMessage {
  switch (kind) {
    case 'hold':
      return { kind, pages: readList(count, () => heldPage(reader)) }
    case 'push':
      return { kind, pages: readList(count, () => pushedPage(reader)) }
    case 'ack':
    case 'update':
      return { kind, pages: readList(count, () => stampedPage(reader)) }
    case 'drop':
      return { kind, pages: readList(count, () => reader.page()) }
    case 'pushed':
      return { kind, pages: readList(count, () => pushAnswer(reader)) }
    case 'gone': {
      const pages = readList(count, () => reader.page())
      return { kind, pages, code: errorCode(reader), message: reader.text() }
    }
    default:
      return unreachable(kind)
  }
}

function readList<T>(count: number, read: () => T): readonly T[] {
  const list: T[] = []
  for (let index = 0; index < count; index++) list.push(read())
  return list
}

function heldPage(reader: Reader): HeldPage {
  const page = reader.page()
  const has = reader.u8()
  if (has > 1) throw malformed('neither with a stamp nor without')
  return { page, stamp: has === 1 ? reader.stamp() : undefined }
}

function pushedPage(reader: Reader): PushedPage {
  return { page: reader.page(), stamp: reader.stamp(), base: reader.stamp() }
}

function stampedPage(reader: Reader): StampedPage {
  return { page: reader.page(), stamp: reader.stamp() }
}

function pushAnswer(reader: Reader): PushAnswer {
  const page = reader.page()
  const pushed = reader.stamp()
  const stamp = reader.stamp()
  const result = results[reader.u8()]
  if (result === undefined) throw malformed('a result that there is not')
  return { page, pushed, stamp, result }
}

function errorCode(reader: Reader): ErrorCode {
  const text = reader.text()
  if (!isErrorCode(text)) throw malformed('an error code that there is not')
  return text
}

class Writer {
  readonly #bytes: number[] = []

  u8(value: number): void {
    this.#bytes.push(value & 0xff)
  }

  u48(value: number): void {
    for (let scale = 2 ** 40; scale >= 1; scale /= 256) this.u8(Math.floor(value / scale) % 256)
  }

  /** What is longer than `textBytesMax` is cut. */
  text(text: string): void {
    const room = new Uint8Array(textBytesMax)
    const { written } = new TextEncoder().encodeInto(text, room)
    this.u8(written)
    for (const byte of room.subarray(0, written)) this.u8(byte)
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  u8(): number {
    const byte = this.#bytes[this.#offset]
    if (byte === undefined) throw malformed('the message ends too early')
    this.#offset += 1
    return byte
  }

  stamp(): Stamp {
    return this.#u48() as Stamp
  }

  page(): PageIndex {
    const page = this.#u48()
    if (page >= pagesPerRegionMax) throw malformed('a page that no region has')
    return page as PageIndex
  }

  text(): string {
    const length = this.u8()
    const bytes = this.#bytes.subarray(this.#offset, this.#offset + length)
    if (bytes.length < length) throw malformed('the message ends too early')
    this.#offset += length
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch (cause) {
      throw new KhazanaError('protocol-error', 'a text is not UTF-8', { cause })
    }
  }

  #u48(): number {
    let value = 0
    for (let index = 0; index < 6; index++) value = value * 256 + this.u8()
    return value
  }
}

function malformed(what: string): KhazanaError {
  return new KhazanaError('protocol-error', `not a message of "eventual": ${what}`)
}
