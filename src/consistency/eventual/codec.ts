import { pagesPerRegionMax } from '../../address/page.js'
import type { PageIndex } from '../../address/page.js'
import { unreachable } from '../../stdx/assert.js'
import { isErrorCode } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import { BodyReader, malformed } from '../body-reader.js'
import { BodyWriter } from '../body-writer.js'
import type { MessageCodec } from '../contract.js'
import { stampMax } from './hybrid-clock.js'
import type { Stamp } from './hybrid-clock.js'
import { pagesPerMessageMax } from './message.js'
import type { EventualMessage, HeldPage, PushAnswer, PushedPage, PushResult, StampedPage } from './message.js'

const kinds = ['hold', 'push', 'ack', 'drop', 'update', 'pushed', 'gone'] as const
const results: readonly PushResult[] = ['kept', 'replaced', 'failed']

const textCharsMax = 200
/** UTF-8 needs three bytes a character at most, counted as JavaScript does. */
const textBytesMax = 3 * textCharsMax

/** A message is its kind in one byte, how many pages it is about, what it says of each, and for `gone` two texts. */
export const eventualCodec: MessageCodec<EventualMessage> = {
  encode(message) {
    const body = new BodyWriter()
    body.u8(kinds.indexOf(message.kind))
    body.varint(message.pages.length)
    writePages(body, message)
    if (message.kind === 'gone') {
      body.text(message.code)
      body.text(message.message.slice(0, textCharsMax))
    }
    return body.finish()
  },

  decode(bytes) {
    const body = new BodyReader(bytes)
    const kind = kinds[body.u8()]
    if (kind === undefined) throw malformed('a kind of message that there is not')
    const message = readMessage(body, kind)
    if (message.pages.length === 0) throw malformed('a message about no page')
    body.end()
    return message
  },
}

function writePages(body: BodyWriter, message: EventualMessage): void {
  switch (message.kind) {
    case 'hold':
      for (const { page, stamp } of message.pages) {
        body.varint(page)
        // One more, as 0 is a stamp.
        body.varint(stamp === undefined ? 0 : stamp + 1)
      }
      return
    case 'push':
      for (const { page, stamp, base } of message.pages) {
        body.varint(page)
        body.varint(stamp)
        body.varint(base)
      }
      return
    case 'ack':
    case 'update':
      for (const { page, stamp } of message.pages) {
        body.varint(page)
        body.varint(stamp)
      }
      return
    case 'drop':
    case 'gone':
      for (const page of message.pages) body.varint(page)
      return
    case 'pushed':
      for (const { page, pushed, stamp, result } of message.pages) {
        body.varint(page)
        body.varint(pushed)
        body.varint(stamp)
        body.u8(results.indexOf(result))
      }
      return
    default:
      return unreachable(message)
  }
}

function readMessage(body: BodyReader, kind: EventualMessage['kind']): EventualMessage {
  switch (kind) {
    case 'hold':
      return { kind, pages: readPages(body, readHeld) }
    case 'push':
      return { kind, pages: readPages(body, readPushed) }
    case 'ack':
    case 'update':
      return { kind, pages: readPages(body, readStamped) }
    case 'drop':
      return { kind, pages: readPages(body, readPage) }
    case 'pushed':
      return { kind, pages: readPages(body, readAnswer) }
    case 'gone': {
      const pages = readPages(body, readPage)
      return { kind, pages, code: readCode(body), message: body.text(textBytesMax) }
    }
    default:
      return unreachable(kind)
  }
}

function readPages<T>(body: BodyReader, read: (body: BodyReader) => T): readonly T[] {
  return body.list(pagesPerMessageMax, 'pages', () => read(body))
}

function readPage(body: BodyReader): PageIndex {
  return body.varintUpTo(pagesPerRegionMax - 1, 'a page') as PageIndex
}

function readStamp(body: BodyReader): Stamp {
  return body.varintUpTo(stampMax, 'a stamp') as Stamp
}

function readHeld(body: BodyReader): HeldPage {
  const page = readPage(body)
  const more = body.varintUpTo(stampMax + 1, 'a stamp')
  return { page, stamp: more === 0 ? undefined : ((more - 1) as Stamp) }
}

function readPushed(body: BodyReader): PushedPage {
  return { page: readPage(body), stamp: readStamp(body), base: readStamp(body) }
}

function readStamped(body: BodyReader): StampedPage {
  return { page: readPage(body), stamp: readStamp(body) }
}

function readAnswer(body: BodyReader): PushAnswer {
  const page = readPage(body)
  const pushed = readStamp(body)
  const stamp = readStamp(body)
  const result = results[body.u8()]
  if (result === undefined) throw malformed('a result that there is not')
  return { page, pushed, stamp, result }
}

function readCode(body: BodyReader): ErrorCode {
  const text = body.text(textBytesMax)
  if (!isErrorCode(text)) throw malformed('an error code that there is not')
  return text
}
