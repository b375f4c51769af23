import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeRequest } from '../../src/fuse/protocol/decode.js'
import { DirectoryBuilder, DirectoryPlusBuilder } from '../../src/fuse/protocol/directory-builder.js'
import { getI64, getU64, setI64 } from '../../src/fuse/protocol/integers.js'
import { initFlags } from '../../src/fuse/protocol/flags.js'
import type { Wishes } from '../../src/fuse/protocol/negotiate.js'
import { negotiate, offersOf } from '../../src/fuse/protocol/negotiate.js'
import { encodeNotification } from '../../src/fuse/protocol/notifications.js'
import { opcodes } from '../../src/fuse/protocol/opcodes.js'
import { ReplyWriter } from '../../src/fuse/protocol/reply-writer.js'
import { fields, message } from './messages.js'

const header = { unique: 6, node: 5, uid: 1000, gid: 100, pid: 4242 }

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

test('any bytes decode to a request or to the reason why they are none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(typeof decodeRequest(bytes).op, 'string')
    }),
    { numRuns: 2000 },
  )
})

test('a right header with any operation and any body decodes or is malformed, and is never another operation', () => {
  const known = fc.constantFrom(...Object.values(opcodes))
  fc.assert(
    fc.property(known, fc.uint8Array({ maxLength: 200 }), (opcode, body) => {
      const decoded = decodeRequest(message(opcode, body))
      assert.notEqual(decoded.op, 'unknown')
      if (decoded.op !== 'malformed' && decoded.op !== 'unknown') assert.deepEqual(decoded.header, header)
      else assert.equal(decoded.unique, 6)
    }),
    { numRuns: 5000 },
  )
})

test('a request cut short anywhere is malformed', () => {
  const whole = message(opcodes.write, fields('u64 u64 u32 u32 u64 u32 u32', [1, 2, 3, 0, 0, 0, 0], 'abc'))
  assert.equal(decodeRequest(whole).op, 'write')
  for (let length = 0; length < whole.length; length++) {
    const cut = whole.slice(0, length)
    if (length >= 4) new DataView(cut.buffer).setUint32(0, length, true)
    assert.equal(decodeRequest(cut).op, 'malformed', `${length} bytes`)
  }
})

test('a lookup, as the kernel sends it', () => {
  const bytes = Uint8Array.from(
    Buffer.from(
      '2e000000' +
        '01000000' +
        '0600000000000000' +
        '0500000000000000' +
        'e8030000' +
        '64000000' +
        '92100000' +
        '0000' +
        '0000' +
        '68656c6c6f00',
      'hex',
    ),
  )
  assert.deepEqual(decodeRequest(bytes), { op: 'lookup', header, name: utf8('hello') })
})

test('an INIT of Linux 6.18, as it was sent', () => {
  const bytes = Buffer.from(
    '680000001a0000000200000000000000000000000000000000000000000000000000000000000000' +
      '070000002d00000000000200fbffff73fd050000' +
      '00'.repeat(44),
    'hex',
  )
  assert.deepEqual(decodeRequest(bytes), {
    op: 'init',
    header: { unique: 2, node: 0, uid: 0, gid: 0, pid: 0 },
    major: 7,
    minor: 45,
    maxReadahead: 131072,
    flags: 0x73fffffb,
    flags2: 0x5fd,
  })
})

test('a write gives its bytes where they lie, and an owner only where there is one', () => {
  const body = (flags: number) => fields('u64 u64 u32 u32 u64 u32 u32', [9, 4096, 3, flags, 77, 2, 0], 'abc')
  const bytes = message(opcodes.write, body(2))
  const decoded = decodeRequest(bytes)
  assert(decoded.op === 'write')
  assert.deepEqual(
    { ...decoded, data: hex(decoded.data) },
    {
      op: 'write',
      header,
      fh: 9,
      offset: 4096,
      data: '616263',
      flags: 2,
      fromCache: false,
      killSuidGid: false,
      lockOwner: 77n,
    },
  )
  assert.equal(decoded.data.buffer, bytes.buffer)
  const unowned = decodeRequest(message(opcodes.write, body(5)))
  assert(unowned.op === 'write')
  assert.deepEqual([unowned.lockOwner, unowned.fromCache, unowned.killSuidGid], [undefined, true, true])
})

test('a setattr has the fields that are marked, and times before 1970', () => {
  const layout = 'u32 u32 u64 u64 u64 i64 u64 u64 u32 u32 u32 u32 u32 u32 u32 u32'
  const values = [1 | 8 | 16 | 256, 0, 0, 12, 0, -2, 0, 0, 500, 0, 0, 0o100600, 0, 7, 8, 0]
  assert.deepEqual(decodeRequest(message(opcodes.setattr, fields(layout, values))), {
    op: 'setattr',
    header,
    fh: undefined,
    size: 12,
    lockOwner: undefined,
    atime: { seconds: -2, nanoseconds: 500 },
    mtime: 'now',
    ctime: undefined,
    mode: 0o100600,
    uid: undefined,
    gid: undefined,
    killSuidGid: false,
  })
})

test('both forms of rename are one request', () => {
  const old = decodeRequest(message(opcodes.rename, fields('u64', [8], 'a\0b\0')))
  const extended = decodeRequest(message(opcodes.rename2, fields('u64 u32 u32', [8, 2, 0], 'a\0b\0')))
  assert.deepEqual(old, { op: 'rename', header, name: utf8('a'), newParent: 8, newName: utf8('b'), flags: 0 })
  assert.deepEqual(extended, {
    op: 'rename',
    header,
    name: utf8('a'),
    newParent: 8,
    newName: utf8('b'),
    flags: 2,
  })
})

test('a lock to the end of the file keeps all its bits', () => {
  const body = new Uint8Array(48)
  const view = new DataView(body.buffer)
  view.setBigUint64(0, 3n, true)
  view.setBigUint64(8, 0xfedc_ba98_7654_3210n, true)
  view.setBigUint64(24, 0x7fff_ffff_ffff_ffffn, true)
  view.setUint32(32, 1, true)
  view.setUint32(36, 42, true)
  assert.deepEqual(decodeRequest(message(opcodes.setlkw, body)), {
    op: 'setlk',
    header,
    fh: 3,
    owner: 0xfedc_ba98_7654_3210n,
    lock: { start: 0n, end: 0x7fff_ffff_ffff_ffffn, type: 'write', pid: 42 },
    isFlock: false,
    waits: true,
  })
})

test('names are read as they are written, whatever text they hold', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(name, name, (first, second) => {
      const decoded = decodeRequest(message(opcodes.symlink, fields('', [], `${first}\0${second}\0`)))
      assert(decoded.op === 'symlink')
      assert.deepEqual([decoded.name, decoded.target], [utf8(first), utf8(second)])
    }),
  )
})

test('names of files are any bytes, in copies of their own, and those of attributes a character for each byte', () => {
  const bytes = message(opcodes.lookup, Uint8Array.of(0xff, 0))
  const decoded = decodeRequest(bytes)
  assert(decoded.op === 'lookup')
  bytes.fill(1)
  assert.deepEqual(decoded.name, Uint8Array.of(0xff))
  const attribute = decodeRequest(message(opcodes.removexattr, Uint8Array.of(0xff, 0)))
  assert(attribute.op === 'removexattr')
  assert.equal(attribute.name, '\u00ff')
})

test('a count of forgets beyond the message is malformed, and allocates nothing', () => {
  const body = fields('u32 u32 u64 u64', [0xffff_ffff, 0, 1, 1])
  assert.equal(decodeRequest(message(opcodes.batchForget, body)).op, 'malformed')
  const right = decodeRequest(message(opcodes.batchForget, fields('u32 u32 u64 u64', [1, 0, 12, 3])))
  assert.deepEqual(right, { op: 'batchForget', header, forgotten: [{ node: 12, lookups: 3 }] })
})

test('64-bit integers are the same when read again', () => {
  const view = new DataView(new ArrayBuffer(8))
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      setI64(view, 0, value)
      assert.equal(view.getBigInt64(0, true), BigInt(value))
      assert.equal(getI64(view, 0), value)
      if (value >= 0) assert.equal(getU64(view, 0), value)
    }),
  )
  view.setBigUint64(0, 1n << 53n, true)
  assert.equal(getU64(view, 0), -1)
})

test('replies have the bytes that the header file says', () => {
  const writer = new ReplyWriter(1024)
  assert.equal(hex(writer.error(6, 2)), '10000000' + 'feffffff' + '0600000000000000')
  assert.equal(hex(writer.empty(6)), '10000000' + '00000000' + '0600000000000000')
  assert.equal(
    hex(writer.open(6, { fh: 9, flags: 2 })),
    '20000000' + '00000000' + '0600000000000000' + '0900000000000000' + '02000000' + '00000000',
  )
  assert.equal(hex(writer.size(6, 3)), '18000000' + '00000000' + '0600000000000000' + '03000000' + '00000000')
  const time = { seconds: -1, nanoseconds: 5 }
  const attributes = {
    ...{ node: 7, size: 10, blocks: 1, atime: time, mtime: time, ctime: time },
    ...{ mode: 0o100644, nlink: 1, uid: 2, gid: 3, rdev: 0, blockSize: 4096 },
  }
  assert.equal(
    hex(writer.entry(6, { node: 7, generation: 0, entryValidMs: 1500, attributesValidMs: 2000, attributes })),
    '90000000' +
      '00000000' +
      '0600000000000000' +
      '0700000000000000' +
      '0000000000000000' +
      '0100000000000000' +
      '0200000000000000' +
      '0065cd1d' +
      '00000000' +
      '0700000000000000' +
      '0a00000000000000' +
      '0100000000000000' +
      'ffffffffffffffff'.repeat(3) +
      '05000000'.repeat(3) +
      'a4810000' +
      '01000000' +
      '02000000' +
      '03000000' +
      '00000000' +
      '00100000' +
      '00000000',
  )
  assert.equal(writer.attributes(6, { attributesValidMs: 1, attributes }).length, 16 + 104)
  assert.equal(writer.data(6, [Uint8Array.of(1), Uint8Array.of(2, 3)], 3).length, 19)
})

test('directories hold what fits, each record on a multiple of 8, and never more than was asked', () => {
  const names = fc.array(fc.string({ minLength: 1, maxLength: 40 }))
  fc.assert(
    fc.property(names, fc.integer({ min: 0, max: 2000 }), fc.boolean(), (all, size, isPlus) => {
      const builder = isPlus ? new DirectoryPlusBuilder(size) : new DirectoryBuilder(size)
      let count = 0
      for (const name of all) {
        if (!builder.add({ node: 3, name: utf8(name), mode: 0o040755, nextOffset: count + 1 })) break
        count++
      }
      const bytes = builder.finish()
      assert(bytes.length <= size)
      const read: string[] = []
      const prefix = isPlus ? 128 : 0
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      for (let at = 0; at < bytes.length;) {
        const length = view.getUint32(at + prefix + 16, true)
        assert.equal(view.getUint32(at + prefix + 20, true), 4)
        assert.equal(getU64(view, at + prefix + 8), read.length + 1)
        read.push(new TextDecoder().decode(bytes.subarray(at + prefix + 24, at + prefix + 24 + length)))
        at += prefix + Math.ceil((24 + length) / 8) * 8
      }
      assert.deepEqual(
        read,
        all.slice(0, count).map((name) => new TextDecoder().decode(utf8(name))),
      )
    }),
  )
})

test('notifications have the bytes that the header file says', () => {
  assert.equal(
    hex(encodeNotification({ kind: 'inode', node: 7, offset: 0, length: -1 })),
    '28000000' +
      '02000000' +
      '0000000000000000' +
      '0700000000000000' +
      '0000000000000000' +
      'ffffffffffffffff',
  )
  assert.equal(
    hex(encodeNotification({ kind: 'expire', parent: 1, name: utf8('ab') })),
    '23000000' + '03000000' + '0000000000000000' + '0100000000000000' + '02000000' + '01000000' + '616200',
  )
  assert.equal(
    hex(encodeNotification({ kind: 'delete', parent: 1, child: 4, name: utf8('ab') })),
    '2b000000' +
      '06000000' +
      '0000000000000000' +
      '0100000000000000' +
      '0400000000000000' +
      '0200000000000000' +
      '616200',
  )
  assert.equal(hex(encodeNotification({ kind: 'epoch' })), '10000000' + '08000000' + '0000000000000000')
})

test('only what the kernel offers is asked for, and a kernel that is too old is refused', () => {
  const offer = {
    op: 'init',
    header,
    major: 7,
    minor: 45,
    maxReadahead: 131072,
    flags: 0x73fffffb,
    flags2: 0,
  } as const
  const wishes: Wishes = {
    writes: 'kernel',
    readdirplus: 'offered',
    locks: 'missing',
    maxReadaheadBytes: 65536,
    backgroundMax: 64,
  }
  const answer = negotiate(offer, wishes)
  assert(answer !== undefined)
  assert.equal(answer.maxReadahead, 65536)
  assert.notEqual(answer.flags & initFlags.writebackCache, 0)
  assert.equal(answer.flags & (initFlags.flockLocks | initFlags.posixLocks | initFlags.autoInvalidateData), 0)
  const few = negotiate({ ...offer, flags: initFlags.setxattrExtended | initFlags.asyncRead }, wishes)
  assert.equal(few?.flags, initFlags.setxattrExtended | initFlags.asyncRead)
  assert.deepEqual(offersOf({ ...offer, flags2: 8 }), { epochs: true, expiry: true })
  assert.deepEqual(offersOf({ ...offer, minor: 43 }), { epochs: false, expiry: false })
  assert.equal(negotiate({ ...offer, minor: 22 }, wishes), undefined)
  assert.equal(negotiate({ ...offer, flags: 0 }, wishes), undefined)
})
