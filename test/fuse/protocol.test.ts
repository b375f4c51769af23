import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DirentBuilder, encodeAttributes, encodeEntry } from '../../src/fuse/protocol/replies.js'
import type { FuseAttributes } from '../../src/fuse/protocol/replies.js'
import { opcodes } from '../../src/fuse/protocol/opcodes.js'
import type { Opcode } from '../../src/fuse/protocol/opcodes.js'
import { readBody, readHeader } from '../../src/fuse/protocol/request.js'
import { KhazanaError } from '../../src/stdx/errors.js'

const names = Object.keys(opcodes) as Opcode[]

/** A request with that body. */
function requestOf(op: Opcode, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(40 + body.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length, true)
  view.setUint32(4, opcodes[op], true)
  view.setBigUint64(8, 7n, true)
  view.setBigUint64(16, 42n, true)
  view.setUint32(24, 1000, true)
  view.setUint32(28, 100, true)
  view.setUint32(32, 4321, true)
  bytes.set(body, 40)
  return bytes
}

describe('requests of the kernel', () => {
  it('of any bytes are a request, or a typed error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 200 }), (op, body) => {
        try {
          assert.equal(readBody(op, requestOf(op, body)).op, op)
        } catch (reason) {
          assert.ok(reason instanceof KhazanaError && reason.code === 'protocol-error', String(reason))
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('say who asks and about what', () => {
    const bytes = requestOf('lookup', Uint8Array.from([0x61, 0xff, 0]))
    assert.deepEqual(readHeader(bytes), {
      op: 'lookup',
      opcode: 1,
      unique: 7n,
      node: 42,
      uid: 1000,
      gid: 100,
      pid: 4321,
    })
    assert.deepEqual(readBody('lookup', bytes), { op: 'lookup', name: Uint8Array.from([0x61, 0xff]) })
    assert.equal(readHeader(requestOf('getattr', new Uint8Array(16))).op, 'getattr')
    assert.throws(() => readHeader(bytes.subarray(0, 41)), { code: 'protocol-error' })
  })

  it('to write have their bytes where they came, without a copy', () => {
    const body = new Uint8Array(43)
    const view = new DataView(body.buffer)
    view.setBigUint64(0, 5n, true)
    view.setBigUint64(8, 2n ** 40n, true)
    view.setUint32(16, 3, true)
    view.setUint32(20, 4, true)
    view.setUint32(32, 0o2001, true)
    body.set([1, 2, 3], 40)
    const bytes = requestOf('write', body)
    const request = readBody('write', bytes)
    assert.deepEqual(request, {
      op: 'write',
      handle: 5,
      offset: 2 ** 40,
      flags: 0o2001,
      killsSetId: true,
      bytes: Uint8Array.of(1, 2, 3),
    })
    assert.ok(request.op === 'write' && request.bytes.buffer === bytes.buffer)
  })

  it('to change attributes say which', () => {
    const body = new Uint8Array(88)
    const view = new DataView(body.buffer)
    view.setUint32(0, 1 | 8 | 16 | 128 | 32, true)
    view.setBigUint64(16, 10n, true)
    view.setBigInt64(40, -1n, true)
    view.setUint32(60, 999_999_999, true)
    view.setUint32(68, 0o644, true)
    const expected = {
      mode: 0o644,
      size: 10,
      accessed: 'now',
      modified: { seconds: -1, nanoseconds: 999_999_999 },
      killsSetId: false,
    }
    assert.deepEqual(readBody('setattr', requestOf('setattr', body)), { op: 'setattr', changes: expected })
  })
})

describe('answers to the kernel', () => {
  const time = { seconds: -2, nanoseconds: 5 }
  const attributes: FuseAttributes = {
    ...{ ino: 2 ** 33 + 1, size: 2 ** 40, blocks: 8, accessed: time, modified: time, changed: time },
    ...{ mode: 0o100644, links: 1, uid: 2, gid: 3, device: 4, blockSize: 4096 },
  }

  it('have the sizes and places that the kernel expects', () => {
    const bytes = encodeAttributes(attributes, 3)
    const view = new DataView(bytes.buffer)
    assert.equal(bytes.length, 104)
    assert.equal(view.getBigUint64(16, true), 2n ** 33n + 1n)
    assert.equal(view.getBigUint64(24, true), 2n ** 40n)
    assert.equal(view.getBigInt64(40, true), -2n)
    assert.equal(view.getUint32(76, true), 0o100644)
    const entry = encodeEntry({ node: 9, generation: 0, attributes, entryValid: 1, attributesValid: 2 })
    assert.equal(entry.length, 128)
    assert.deepEqual(entry.subarray(40), bytes.subarray(16))
  })

  it('list as many names as fit, each on a boundary of 8 bytes', () => {
    const builder = new DirentBuilder(100)
    const added = ['a', 'name of a file', 'b', 'c'].map((name, index) =>
      builder.add(new TextEncoder().encode(name), index + 1, 0o100000, index + 1),
    )
    assert.deepEqual(
      added,
      [true, true, false, false].map((fits, index) => (index === 2 ? builder.bytes.length === 104 : fits)),
    )
    const view = new DataView(builder.bytes.buffer)
    assert.equal(builder.bytes.length % 8, 0)
    assert.equal(view.getUint32(16, true), 1)
    assert.equal(view.getUint32(20, true), 8, 'the kind of a file')
    assert.equal(view.getBigUint64(32, true), 2n)
  })
})
