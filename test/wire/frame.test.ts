import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { preludeBytes } from '../../src/wire/frame.js'
import { FrameWriter } from '../../src/wire/frame-writer.js'
import { frameBytesMax, handshakeBytesMax, headerBytesMax } from '../../src/wire/limits.js'
import type { Message } from '../../src/wire/message.js'
import { isZeroPage, zeroPage } from '../../src/stdx/zero-page.js'
import { messages } from './arbitrary-message.js'
import { bytesOf, commitOf, frameOf, pageOf, reading } from './frames.js'

const protocolError = { code: 'protocol-error' }

/** Gives the bytes to the reader in pieces of these sizes, each in memory that is spoilt afterwards. */
function feed(push: (chunk: Uint8Array) => void, bytes: Uint8Array, sizes: readonly number[]): void {
  let offset = 0
  for (let turn = 0; offset < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    const chunk = bytes.slice(offset, offset + size)
    push(chunk)
    chunk.fill(0xcc)
    offset += size
  }
}

describe('frames in a stream', () => {
  it('are read as they were written, however the stream is cut', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 20_000 })), {
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(fc.array(messages, { minLength: 1, maxLength: 6 }), sizes, (list, cuts) => {
        const writer = new FrameWriter()
        const stream = Uint8Array.from(Buffer.concat(list.map((message) => frameOf(writer, message))))
        const { reader, frames } = reading(frameBytesMax)
        feed((chunk) => reader.push(chunk), stream, cuts)
        assert.deepStrictEqual(
          frames.map((frame) => frame.message),
          list,
        )
        const again = frames.map((frame) => bytesOf(writer, frame.message, frame.pages, frame.sequence))
        assert.ok(Buffer.concat(again).equals(stream), 'pages and numbers too')
      }),
      { numRuns: 1500 },
    )
  })

  it('carry their number, and the acknowledgement, of 48 bits', () => {
    const { reader, frames } = reading(frameBytesMax)
    const { message } = commitOf([])
    const encoded = new FrameWriter().encode(message, [], 2 ** 48 - 1, 2 ** 47 + 5)
    reader.push(encoded.head)
    assert.equal(frames[0]?.sequence, 2 ** 48 - 1)
    assert.equal(frames[0].acknowledged, 2 ** 47 + 5)
  })

  it('refer to the pages that are sent, and copy those that arrive once, into buffers of their own', () => {
    const { message, pages } = commitOf([4096, 65_536])
    const encoded = new FrameWriter().encode(message, pages, 1, 0)
    assert.ok(encoded.pages.every((page, index) => page === pages[index]))
    const { reader, frames, allocated } = reading(frameBytesMax)
    for (const chunk of [encoded.head, ...encoded.pages]) reader.push(chunk)
    assert.deepEqual(allocated, [4096, 65_536])
    assert.deepEqual(frames[0]?.pages, pages)
    assert.ok(frames[0].pages.every((page, index) => page.buffer !== pages[index]?.buffer))
  })

  it('carry no bytes of pages that were never written, wherever these are among the others', () => {
    for (let pattern = 0; pattern < 32; pattern++) {
      const isZero = (index: number): boolean => (pattern & (1 << index)) !== 0
      const { message } = commitOf([4096, 4096, 4096, 4096, 4096])
      const pages = Array.from({ length: 5 }, (_, index) =>
        isZero(index) ? zeroPage(4096) : pageOf(4096, index),
      )
      const encoded = new FrameWriter().encode(message, pages, 1, 0)
      const sent = pages.filter((page) => !isZeroPage(page))
      assert.equal(encoded.bytes, encoded.head.length + 4096 * sent.length)
      const { reader, frames, allocated } = reading(frameBytesMax)
      for (const chunk of [encoded.head, ...encoded.pages]) reader.push(chunk)
      assert.equal(allocated.length, sent.length)
      assert.deepEqual(frames[0]?.pages, pages)
      assert.deepEqual(
        frames[0].pages.map((page) => isZeroPage(page)),
        pages.map((page) => isZeroPage(page)),
      )
    }
  })

  it('carry all bytes of a page that only happens to be all zeros', () => {
    const { message } = commitOf([8192])
    const encoded = new FrameWriter().encode(message, [new Uint8Array(8192)], 1, 0)
    assert.equal(encoded.bytes, encoded.head.length + 8192)
  })

  it('keep what was encoded while others are encoded after it', () => {
    const writer = new FrameWriter()
    const heads: Uint8Array[] = []
    for (let renewal = 0; renewal < 5000; renewal++) {
      heads.push(writer.encode({ kind: 'renew', renewal }, [], 0, renewal).head)
    }
    const { reader, frames } = reading(frameBytesMax)
    for (const head of heads) reader.push(head)
    assert.deepEqual(
      frames.map((frame) => frame.acknowledged),
      heads.map((_, index) => index),
    )
  })

  it('take no more memory than has arrived of them, but one page', () => {
    const { message, pages } = commitOf(Array.from({ length: 16 }, () => 1024 * 1024))
    const bytes = bytesOf(new FrameWriter(), message, pages, 1)
    const { reader, allocated } = reading(frameBytesMax)
    const arrived = 3 * 1024 * 1024
    reader.push(bytes.subarray(0, arrived))
    const taken = allocated.reduce((sum, size) => sum + size, 0)
    assert.ok(taken <= arrived + 1024 * 1024, `${taken} bytes for ${arrived}`)
  })

  it('are refused by their first bytes where they are too long', () => {
    const { message, pages } = commitOf([4096])
    const bytes = bytesOf(new FrameWriter(), message, pages, 1)
    const { reader, allocated } = reading(handshakeBytesMax)
    assert.throws(() => reader.push(bytes.subarray(0, preludeBytes)), protocolError)
    assert.deepEqual(allocated, [])
  })

  it('are refused where their lengths do not agree', () => {
    const { message, pages } = commitOf([4096])
    const valid = bytesOf(new FrameWriter(), message, pages, 1)
    const messageBytes = valid[8] ?? 0
    const spoilt: readonly (readonly [string, number, number])[] = [
      ['the mark', 0, 0],
      ['fewer pages', 2, 0],
      ['more pages', 2, 2],
      ['a longer frame', 4, (valid[4] ?? 0) + 1],
      ['a shorter frame', 4, (valid[4] ?? 0) - 1],
      ['a longer message', 8, messageBytes + 1],
      ['a shorter message', 8, messageBytes - 1],
      ['no number', 12, 0],
      ['a page of 2 KiB', preludeBytes + messageBytes, 11],
      ['a page of 8 KiB', preludeBytes + messageBytes, 13],
      ['a page of 2 MiB', preludeBytes + messageBytes, 21],
    ]
    for (const [what, at, value] of spoilt) {
      const bytes = valid.slice()
      assert.notEqual(bytes[at], value, what)
      bytes[at] = value
      assert.throws(() => reading(frameBytesMax).reader.push(bytes), protocolError, what)
    }
  })

  it('are refused where bytes are left of a message', () => {
    const valid = new FrameWriter().encode({ kind: 'renew', renewal: 1 }, [], 0, 0).head
    const bytes = new Uint8Array(valid.length + 1)
    bytes.set(valid)
    bytes[4] = bytes.length
    bytes[8] = (valid[8] ?? 0) + 1
    assert.throws(() => reading(frameBytesMax).reader.push(bytes), /1 bytes are left of a message/)
  })

  it('are not made of what no reader would take', () => {
    const writer = new FrameWriter()
    const members = Array.from({ length: 4096 }, (_, index) => ({
      node: index + 1,
      name: 'n'.repeat(256),
      listen: '',
      revision: 1,
      state: 'in',
    }))
    const large = { kind: 'members', members, known: undefined } as unknown as Message
    assert.throws(() => writer.encode(large, [], 1, 0), { code: 'invalid-argument' })
    assert.ok(4096 * 256 >= headerBytesMax)
    const { message, pages } = commitOf([4096])
    assert.throws(() => writer.encode(message, [], 1, 0), { name: 'AssertionError' })
    assert.throws(() => writer.encode(message, [new Uint8Array(5000)], 1, 0), { name: 'AssertionError' })
    assert.throws(() => writer.encode(message, [...pages, ...pages], 1, 0), { name: 'AssertionError' })
    assert.throws(() => writer.encode({ kind: 'goodbye' }, [], 1, 0), { name: 'AssertionError' })
    // And goes on after each of these as if nothing had been.
    const { reader, frames } = reading(frameBytesMax)
    reader.push(writer.encode({ kind: 'goodbye' }, [], 0, 0).head)
    assert.deepEqual(frames[0]?.message, { kind: 'goodbye' })
  })

  it('are not received any more once stopped, not even out of the same chunk', () => {
    const writer = new FrameWriter()
    const stream = Buffer.concat([1, 2, 3].map((renewal) => frameOf(writer, { kind: 'renew', renewal })))
    const { reader, frames } = reading(frameBytesMax)
    const push = frames.push.bind(frames)
    frames.push = (frame) => {
      reader.stop()
      return push(frame)
    }
    reader.push(stream)
    assert.equal(frames.length, 1)
  })
})
