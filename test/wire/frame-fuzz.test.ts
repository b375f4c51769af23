import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { KhazanaError } from '../../src/stdx/errors.js'
import { preludeBytes } from '../../src/wire/frame.js'
import { FrameWriter } from '../../src/wire/frame-writer.js'
import { frameBytesMax } from '../../src/wire/limits.js'
import { messages } from './arbitrary-message.js'
import { commitOf, bytesOf, frameOf, reading } from './frames.js'

/** A small generator with a seed: fuzzing needs many cheap numbers. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Reads in pieces. The outcome is that of the whole stream: how many frames, and whether it was refused. */
function outcomeOf(
  bytes: Uint8Array,
  random: (below: number) => number,
): { frames: number; refused: boolean } {
  const { reader, frames, allocated } = reading(frameBytesMax)
  let refused = false
  try {
    for (let offset = 0; offset < bytes.length;) {
      const length = 1 + random(random(4) === 0 ? 64 : bytes.length)
      reader.push(bytes.subarray(offset, offset + length))
      offset += length
    }
  } catch (reason) {
    if (!(reason instanceof KhazanaError)) throw reason
    assert.ok(reason.code === 'protocol-error' || reason.code === 'wrong-version', reason.code)
    refused = true
  }
  const taken = allocated.reduce((sum, size) => sum + size, 0)
  assert.ok(taken <= bytes.length + 1024 * 1024, `${taken} bytes were taken for ${bytes.length}`)
  return { frames: frames.length, refused }
}

function fuzz(
  cases: number,
  make: (random: (below: number) => number) => Uint8Array,
): {
  readonly frames: number
  readonly refused: number
} {
  const seed = (Math.random() * 2 ** 32) >>> 0
  const total = { frames: 0, refused: 0 }
  for (let index = 0; index < cases; index++) {
    const random = generator(seed + index)
    const bytes = make(random)
    try {
      const { frames, refused } = outcomeOf(bytes, random)
      total.frames += frames
      if (refused) total.refused++
    } catch (cause) {
      throw new Error(`seed ${seed}, case ${index}: ${Buffer.from(bytes).toString('hex').slice(0, 400)}`, {
        cause,
      })
    }
  }
  return total
}

const writer = new FrameWriter()
const valid = fc.sample(messages, { numRuns: 2000, seed: 5 }).map((message) => frameOf(writer, message))
const pick = (random: (below: number) => number): Uint8Array =>
  (valid[random(valid.length)] ?? new Uint8Array()).slice()

describe('the reader of frames gives a message or a typed error', () => {
  it('for 50,000 streams of random bytes', () => {
    const { refused } = fuzz(50_000, (random) => Uint8Array.from({ length: random(200) }, () => random(256)))
    assert.ok(refused > 30_000)
  })

  it('for 50,000 frames with a good prelude and random messages', () => {
    const { frames, refused } = fuzz(50_000, (random) => {
      const length = 1 + random(60)
      const bytes = Uint8Array.from({ length: preludeBytes + length }, () =>
        random(random(2) === 0 ? 4 : 256),
      )
      const view = new DataView(bytes.buffer)
      bytes.set([0x5a, 0x4b, 0, 0])
      view.setUint32(4, bytes.length, true)
      view.setUint32(8, length, true)
      const kind = random(21)
      bytes[preludeBytes] = kind
      bytes.fill(0, 12, 18)
      if (kind >= 16) bytes[12] = 1
      return bytes
    })
    assert.ok(refused > 30_000 && frames > 100, `${refused} refused, ${frames} read`)
  })

  it('for 100,000 valid frames with a few bytes changed', () => {
    const { frames, refused } = fuzz(100_000, (random) => {
      const bytes = pick(random)
      const head = Math.min(bytes.length, 200)
      for (let changes = 1 + random(3); changes > 0; changes--) bytes[random(head)] = random(256)
      return bytes
    })
    assert.ok(refused > 50_000 && frames > 5000, `${refused} refused, ${frames} read`)
  })

  it('for 50,000 streams of frames that are cut, repeated or joined wrongly', () => {
    const { frames } = fuzz(50_000, (random) => {
      const first = pick(random)
      const second = pick(random)
      const cut = random(2) === 0 ? first.length : random(first.length)
      return Buffer.concat([
        first.subarray(0, cut),
        second.subarray(random(4) === 0 ? random(second.length) : 0),
      ])
    })
    assert.ok(frames > 10_000)
  })

  it('for every length a frame can claim, at once and without taking memory', () => {
    const { message, pages } = commitOf([4096])
    const frame = bytesOf(writer, message, pages, 1)
    const lengths = [0, 1, 23, 29, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]
    for (const at of [4, 8]) {
      for (const length of lengths) {
        const bytes = frame.slice()
        new DataView(bytes.buffer).setUint32(at, length, true)
        const { reader, allocated } = reading(frameBytesMax)
        assert.throws(() => reader.push(bytes), { code: 'protocol-error' }, `${length} at ${at}`)
        assert.deepEqual(allocated, [])
      }
    }
  })

  it('for lists that claim more than there is', () => {
    // cm, region, generation, era, acquire with a list of `known` of 65,536 in a message of few bytes.
    const message = [16, ...new Uint8Array(16), 1, 1, 0, 1, 0, 0, 0, 0x80, 0x80, 0x04, 0, 0, 0]
    const bytes = new Uint8Array(preludeBytes + message.length)
    bytes.set([0x5a, 0x4b])
    new DataView(bytes.buffer).setUint32(4, bytes.length, true)
    bytes[8] = message.length
    bytes[12] = 1
    bytes.set(message, preludeBytes)
    assert.throws(() => reading(frameBytesMax).reader.push(bytes), /a list of 65536/)
  })
})
