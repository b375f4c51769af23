import { assert } from '../stdx/assert.js'
import { ByteWriter } from './byte-writer.js'
import { frameMark, payloadLogMax, payloadLogMin, preludeBytes, sequenceMax, zeroPageMark } from './frame.js'
import { headerBytesMax, payloadBytesMax, payloadsMax } from './limits.js'
import { message as messageLayout } from './message-layout.js'
import type { Message } from './message.js'
import { isSequenced, payloadCount } from './payloads.js'
import { KhazanaError } from '../stdx/errors.js'
import { isZeroPage } from '../stdx/zero-page.js'

const slabBytes = 64 * 1024

/** A frame as it is sent: its head, then its pages, which are those given to `encode`, without those that were never written. */
export interface EncodedFrame {
  readonly head: Uint8Array
  readonly pages: readonly Uint8Array[]
  /** Of all of it. */
  readonly bytes: number
}

/** Makes frames. Heads are views of a shared slab, pages are referred to: nothing is copied. */
export class FrameWriter {
  readonly #writer = new ByteWriter(slabBytes)

  /**
   * `sequence` is the message's number, 0 for one outside of the stream. The pages must be as many as the message
   * says, each a power of two from 4 KiB to 1 MiB long. Throws `invalid-argument` for a message over `limits.ts`.
   */
  encode(
    message: Message,
    pages: readonly Uint8Array[],
    sequence: number,
    acknowledged: number,
  ): EncodedFrame {
    assert(isSequenced(message) ? sequence > 0 : sequence === 0, 'the stream has numbers, nothing else has')
    assert(sequence <= sequenceMax && acknowledged <= sequenceMax, 'message numbers fit 48 bits')
    assert(payloadCount(message) === pages.length, 'a frame carries the pages that its message names')
    const writer = this.#writer
    writer.begin()
    writer.skip(preludeBytes)
    messageLayout.write(writer, message)
    const messageBytes = writer.length - preludeBytes
    let payloadBytes = 0
    let zeros = 0
    for (const page of pages) {
      const log = logOfLength(page)
      if (isZeroPage(page)) {
        writer.u8(log | zeroPageMark)
        zeros += 1
      } else {
        writer.u8(log)
        payloadBytes += page.length
      }
    }
    checkLimits(messageBytes, payloadBytes, pages.length)
    const bytes = writer.length + payloadBytes
    writer.patchU16(0, frameMark)
    writer.patchU16(2, pages.length)
    writer.patchU32(4, bytes)
    writer.patchU32(8, messageBytes)
    writer.patchU48(12, sequence)
    writer.patchU48(18, acknowledged)
    const sent = zeros === 0 ? pages : pages.filter((page) => !isZeroPage(page))
    return { head: writer.finish(), pages: sent, bytes }
  }
}

function logOfLength(page: Uint8Array): number {
  const log = 31 - Math.clz32(page.length)
  assert(page.length === 2 ** log && log >= payloadLogMin && log <= payloadLogMax, 'a payload is one page')
  return log
}

function checkLimits(messageBytes: number, payloadBytes: number, payloads: number): void {
  if (messageBytes > headerBytesMax || payloadBytes > payloadBytesMax || payloads > payloadsMax) {
    throw new KhazanaError(
      'invalid-argument',
      `a message of ${messageBytes} bytes with ${payloads} pages of together ${payloadBytes} bytes is too large`,
    )
  }
}
