import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Khazana, KhazanaError } from '../../src/index.js'
import type { Region } from '../../src/index.js'

/** What a caller without types may pass. */
const untyped = (value: unknown): never => value as never

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return KhazanaError.from(error).code
  }
}

describe('a change of protocol at the public interface', () => {
  let dir = ''
  let khazana: Khazana
  let clients: Khazana[]
  let region: Region
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'khz-'))
    khazana = await Khazana.open({ dir })
    clients = await Promise.all([1, 2].map(() => Khazana.connect(join(dir, 'khazana.sock'))))
    region = await khazana.reserve(8192)
    await region.allocate()
  })
  after(async () => {
    for (const client of clients) await client.close()
    await khazana.close()
    await rm(dir, { recursive: true })
  })

  it('that a lock keeps up is over when it times out: others go on at once, and it does not happen later', async () => {
    const [one, other] = await Promise.all(clients.map((client) => client.region(region.address)))
    assert.ok(one !== undefined && other !== undefined)
    const held = await one.lock('write', { offset: 0, length: 1 })
    const change = codeOf(other.setAttributes({ consistency: 'release' }, { timeoutMs: 400 }))
    const waiting = one.lock('write', { offset: 4096, length: 1 }, { timeoutMs: 5000 })
    assert.equal(await change, 'timeout')
    const elsewhere = await waiting
    assert.equal(held.isOpen, true)
    held.write(0, Uint8Array.of(7))
    await held.unlock()
    await elsewhere.unlock()
    const protocol = (await other.refresh()).protocol
    assert.equal(protocol, 'crew')
    assert.equal((await other.setAttributes({ consistency: 'release' })).protocol, 'release')
    const lock = await one.lock('read', { offset: 0, length: 1 })
    assert.equal(lock.read(0, 1)[0], 7)
    await lock.unlock()
  })

  it('is not made by a slip of the pen', async () => {
    const slips: (() => Promise<unknown>)[] = [
      () => region.setAttributes(untyped({ consistancy: 'release' })),
      () => khazana.reserve(4096, untyped({ consistancy: 'release' })),
      () => region.lock('read', undefined, untyped({ stalness: 'fresh' })),
      () => region.lock('read', undefined, untyped(null)),
    ]
    for (const slip of slips) assert.equal(await codeOf(slip()), 'invalid-argument')
    assert.throws(() => region.tryLock('read', undefined, untyped({ tags: 'x' })), {
      code: 'invalid-argument',
    })
  })
})
