import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Khazana, KhazanaError, parseAddress } from '../../src/index.js'
import type { ErrorCode, LockContext, Region } from '../../src/index.js'

/** What a caller without types may pass. */
const untyped = (value: unknown): never => value as never

async function refused(work: () => unknown, code: ErrorCode): Promise<void> {
  await assert.rejects(
    async () => {
      await work()
    },
    (error) => error instanceof KhazanaError && error.code === code && error.message.length > 10,
  )
}

describe('bad input to the library is refused in words', () => {
  let dir = ''
  let khazana: Khazana
  let client: Khazana
  let region: Region
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'khz-'))
    khazana = await Khazana.open({ dir })
    client = await Khazana.connect(join(dir, 'khazana.sock'))
    region = await khazana.reserve(64 * 1024)
    await region.allocate({ offset: 0, length: 32 * 1024 })
  })
  after(async () => {
    await client.close()
    await khazana.close()
    await rm(dir, { recursive: true })
  })

  it('sizes, page sizes and attributes that no region can have', async () => {
    for (const each of [khazana, client]) {
      for (const size of [0, -1, NaN, 1.5, 2 ** 53, untyped('4096')]) {
        await refused(() => each.reserve(size), 'invalid-argument')
      }
      for (const pageSize of [0, 4095, 2 ** 21]) {
        await refused(() => each.reserve(4096, { pageSize }), 'invalid-argument')
      }
      await refused(() => each.reserve(4096, { minReplicas: 0 }), 'invalid-argument')
      await refused(() => each.reserve(4096, { minReplicas: 2 }), 'unreachable')
      await refused(() => each.reserve(4096, { minReplicas: 8 }), 'unsupported')
      await refused(() => each.reserve(4096, { protocol: 'nonesuch' }), 'unsupported')
      await refused(() => each.region(untyped(5)), 'invalid-argument')
      await refused(() => each.region(parseAddress('::dead:0')), 'no-such-region')
    }
    await refused(() => region.setAttributes({ minReplicas: untyped('2') }), 'invalid-argument')
  })

  it('ranges outside of the region, without storage, or of parts of pages', async () => {
    const lock = (offset: unknown, length: unknown) => () =>
      region.lock('read', { offset: untyped(offset), length: untyped(length) })
    await refused(lock(-1, 4), 'invalid-argument')
    await refused(lock(0, NaN), 'invalid-argument')
    await refused(lock(0, 0.5), 'invalid-argument')
    await refused(lock(0, 65 * 1024), 'out-of-range')
    await refused(lock(32 * 1024, 1), 'not-allocated')
    await refused(() => region.lock('read', untyped(null)), 'invalid-argument')
    await refused(() => region.lock(untyped('scribble')), 'invalid-argument')
    await refused(() => region.free({ offset: 100, length: 4096 }), 'invalid-argument')
    await refused(() => region.allocate({ offset: 0, length: 100 }), 'invalid-argument')
  })

  it('waits that are none', async () => {
    await refused(() => region.lock('read', { offset: 0, length: 1 }, { timeoutMs: -1 }), 'invalid-argument')
    const held = await region.lock('write', { offset: 0, length: 1 })
    await refused(
      () => region.lock('read', { offset: 0, length: 1 }, { signal: untyped('stop') }),
      'invalid-argument',
    )
    await refused(() => region.lock('read', { offset: 0, length: 1 }, { timeoutMs: 20 }), 'timeout')
    const abort = new AbortController()
    const aborted = refused(
      () => region.lock('read', { offset: 0, length: 1 }, { signal: abort.signal }),
      'aborted',
    )
    abort.abort()
    await aborted
    held.discard()
    // Nothing was left behind by those who gave up.
    region.tryLock('write', { offset: 0, length: 1 })?.discard()
  })

  it('lock contexts used against their kind, beyond their range, or after their end', async () => {
    const reader: LockContext = await region.lock('read', { offset: 4096, length: 4096 })
    await refused(() => reader.write(4096, new Uint8Array(1)), 'wrong-mode')
    await refused(() => reader.read(0, 1), 'out-of-range')
    await refused(() => reader.read(4096, 4097), 'out-of-range')
    await refused(() => reader.read(4096, 8, untyped('buffer')), 'invalid-argument')
    await refused(() => reader.map(8191, 2), 'out-of-range')
    const ending = reader.unlock()
    assert.equal(reader.unlock(), ending)
    await ending
    await refused(() => reader.read(4096, 1), 'context-closed')
    await reader.unlock()
    const writer = await region.lock('write', { offset: 0, length: 4096 })
    await refused(() => writer.write(0, untyped('5')), 'invalid-argument')
    writer.discard()
    await refused(() => writer.write(0, new Uint8Array(1)), 'context-closed')
    // Whoever asks again waits for the same flush, and is not told earlier.
    const durable = await region.lock('write', { offset: 0, length: 4096 })
    durable.write(0, new Uint8Array(1))
    const flushed = durable.unlock()
    assert.equal(durable.unlock(), flushed)
    await flushed
  })

  it('endpoints and settings that make no sense', async () => {
    await refused(() => Khazana.connect(untyped(5)), 'invalid-argument')
    await refused(() => Khazana.connect('nowhere'), 'invalid-argument')
    await refused(() => Khazana.connect(join(dir, 'no.sock')), 'unreachable')
    const other = join(dir, 'other')
    await refused(() => Khazana.open({ dir: other, leaseMs: NaN }), 'invalid-argument')
    await refused(() => Khazana.open({ dir: other, memoryBytesMax: 1 }), 'invalid-argument')
    await refused(() => Khazana.open({ dir: other, diskBytesMax: 1 }), 'invalid-argument')
    await refused(() => Khazana.open({ dir, exclusive: true }), 'directory-in-use')
  })

  it('regions and processes that are over', async () => {
    const short = await client.reserve(4096)
    await short.allocate()
    const lock = await short.lock('write')
    await lock.unlock()
    await short.unreserve()
    await refused(() => short.lock('read'), 'no-such-region')
    const gone = await Khazana.connect(join(dir, 'khazana.sock'))
    const view = await gone.region(region.address)
    const held = await view.lock('read', { offset: 0, length: 1 })
    await gone.close()
    await refused(() => held.read(0, 1), 'context-broken')
    await refused(() => view.lock('read', { offset: 0, length: 1 }), 'closed')
    await refused(() => gone.reserve(4096), 'closed')
  })
})
