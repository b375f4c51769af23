import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PageIndex, Version } from '../../src/address/page.js'
import { PageCopy } from '../../src/node/home/page-copy.js'
import type { PageChunk } from '../../src/node/home/page-copy.js'
import { RegionWatchers } from '../../src/node/watch/region-watchers.js'
import { founder } from '../../src/address/identity.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { spaceId } from '../../src/store/space.js'

const pageSize = 256 * 1024
const space = spaceId(7)

/** Pages of a region by number, each with its version. */
class Bench {
  readonly pages = new Map<number, number>()
  readonly watchers = new RegionWatchers()
  /** What the other side has. */
  readonly there = new Map<number, number>()
  readonly chunks: number[] = []
  inFlight = 0
  inFlightMax = 0
  damaged: number | undefined
  onSend: (chunk: PageChunk) => void = () => undefined
  readonly copy: PageCopy

  constructor(count: number) {
    for (let page = 0; page < count; page++) this.pages.set(page, 1)
    this.copy = new PageCopy({
      store: {
        pagesOf: () =>
          [...this.pages]
            .map(([page, version]) => ({ page: page as PageIndex, version: version as Version }))
            .values(),
        read: (_space, page) => {
          if (page === this.damaged) return Promise.reject(new KhazanaError('damaged', 'it cannot be read'))
          const version = this.pages.get(page) as Version
          return Promise.resolve({ version, bytes: new Uint8Array(1) })
        },
      },
      space,
      pageSize,
      pageCount: 100,
      watchers: this.watchers,
      send: async (chunk) => {
        this.inFlight += 1
        this.inFlightMax = Math.max(this.inFlightMax, this.inFlight)
        this.chunks.push(chunk.pages.length)
        this.onSend(chunk)
        await new Promise((resolve) => setImmediate(resolve))
        for (const { page, version } of chunk.pages) this.there.set(page, version)
        this.inFlight -= 1
      },
    })
  }

  write(page: number): void {
    const version = (this.pages.get(page) ?? 0) + 1
    this.pages.set(page, version)
    this.watchers.committed([{ page: page as PageIndex, version: version as Version }], founder)
  }
}

describe('a copy of a region`s pages', () => {
  it('is made a few at a time, and is whole', async () => {
    const bench = new Bench(11)
    await bench.copy.copy()
    assert.deepEqual(bench.there, bench.pages)
    assert.deepEqual(bench.chunks, [4, 4, 3])
    assert.equal(bench.inFlightMax, 2)
    assert.deepEqual([bench.copy.pagesDone, bench.copy.pagesTotal], [11, 11])
    await bench.copy.finish()
    assert.equal(bench.chunks.length, 3)
  })

  it('has what was written meanwhile, and sends nothing else again', async () => {
    const bench = new Bench(8)
    let sent = 0
    bench.onSend = () => {
      sent += 1
      if (sent === 2) for (const page of [0, 7, 9]) bench.write(page)
    }
    await bench.copy.copy()
    bench.write(3)
    await bench.copy.finish()
    assert.deepEqual(bench.there, bench.pages)
    assert.deepEqual(bench.chunks, [4, 4, 4])
  })

  it('gives up catching up with whoever writes as fast, until all is at rest', async () => {
    const bench = new Bench(8)
    bench.onSend = () => {
      for (let page = 0; page < 8; page++) bench.write(page)
    }
    await bench.copy.copy()
    assert.ok(bench.chunks.length <= 12)
    bench.onSend = () => undefined
    await bench.copy.finish()
    assert.deepEqual(bench.there, bench.pages)
    bench.copy.stop()
    bench.write(1)
    await bench.copy.finish()
    assert.notDeepEqual(bench.there, bench.pages)
  })

  it('fails as reading or sending does', async () => {
    const bench = new Bench(8)
    bench.damaged = 6
    await assert.rejects(bench.copy.copy(), { code: 'damaged' })
    const other = new Bench(8)
    other.onSend = () => {
      throw new KhazanaError('no-space', 'there is no room')
    }
    await assert.rejects(other.copy.copy(), { code: 'no-space' })
  })
})
