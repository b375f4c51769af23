import assert from 'node:assert/strict'
import { pageIndex, type Version } from '../../src/address/page.js'
import type { Address } from '../../src/address/address.js'
import { FrameReader, type Frame } from '../../src/wire/frame-reader.js'
import type { FrameWriter } from '../../src/wire/frame-writer.js'
import type { Message, SequencedMessage } from '../../src/wire/message.js'
import { isSequenced, payloadCount } from '../../src/wire/payloads.js'
import { zeroPage } from '../../src/stdx/zero-page.js'

/** A commit of pages of these sizes, and their bytes, which tell the pages apart. */
export function commitOf(sizes: readonly number[]): { message: SequencedMessage; pages: Uint8Array[] } {
  const message: SequencedMessage = {
    kind: 'cm',
    region: 0x14000n as Address,
    generation: 1,
    era: 1,
    body: {
      kind: 'commit',
      commit: 1,
      final: true,
      pages: sizes.map((_, index) => ({ page: pageIndex(index), version: 1 as Version, hasBytes: true })),
      together: undefined,
    },
  }
  return { message, pages: sizes.map((size, index) => pageOf(size, index + 1)) }
}

export function pageOf(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + seed * 17 + (index >> 8)) & 0xff)
}

/** Any message in a frame, with as many small pages as it names, of which every third was never written. */
export function frameOf(writer: FrameWriter, message: Message): Uint8Array {
  const pages = Array.from({ length: payloadCount(message) }, (_, index) =>
    index % 3 === 1 ? zeroPage(4096) : pageOf(4096, index),
  )
  return bytesOf(writer, message, pages, isSequenced(message) ? 1 : 0)
}

export function bytesOf(
  writer: FrameWriter,
  message: Message,
  pages: readonly Uint8Array[],
  sequence: number,
): Uint8Array {
  const frame = writer.encode(message, pages, sequence, 0)
  const bytes = Buffer.concat([frame.head, ...frame.pages])
  assert.equal(bytes.length, frame.bytes)
  return new Uint8Array(bytes)
}

export interface Reading {
  readonly frames: Frame[]
  readonly reader: FrameReader
  /** The sizes of all page buffers that were asked for. */
  readonly allocated: number[]
}

export function reading(frameBytesMax: number): Reading {
  const frames: Frame[] = []
  const allocated: number[] = []
  const reader = new FrameReader({
    frameBytesMax,
    allocate: (bytes) => {
      allocated.push(bytes)
      // Full of what must be overwritten.
      return new Uint8Array(bytes).fill(0xee)
    },
    receive: (frame) => frames.push(frame),
  })
  return { frames, reader, allocated }
}
