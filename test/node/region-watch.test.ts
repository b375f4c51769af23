import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultAttributes } from '../../src/address/attributes.js'
import type { Address } from '../../src/address/address.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { clientSiteMin, nodeId, relayedSite } from '../../src/address/identity.js'
import type { SiteId } from '../../src/address/identity.js'
import { EventBuffer } from '../../src/node/watch/event-buffer.js'
import { RegionWatch } from '../../src/node/watch/region-watch.js'
import { RegionWatchers } from '../../src/node/watch/region-watchers.js'
import type { WatchEvent } from '../../src/node/watch/watch.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'
import { RecordingSink, change, changesOf } from './watch-fixture.js'

const descriptor: RegionDescriptor = {
  address: 0x10000n as Address,
  size: 1024 * 4096,
  pageSize: 4096,
  home: nodeId(3),
  generation: 1,
  revision: 1,
  era: 1,
  attributes: defaultAttributes,
}

function watchOf(bufferMax: number): { watch: RegionWatch; ends: () => number } {
  let ends = 0
  const watch = new RegionWatch(descriptor, bufferMax, () => (ends += 1))
  return { watch, ends: () => ends }
}

/** All that can be taken without waiting: versions, and losses in brackets. */
function drain(buffer: EventBuffer): string {
  const taken: string[] = []
  for (let event = buffer.shift(); event !== undefined; event = buffer.shift()) taken.push(brief(event))
  return taken.join(' ')
}

function brief(event: WatchEvent): string {
  return event.kind === 'change' ? String(event.version) : `[${event.count ?? '?'}]`
}

describe('events that wait to be taken', () => {
  function fill(max: number, events: string): EventBuffer {
    const buffer = new EventBuffer(max)
    for (const text of events.split(' ')) {
      const loss = /^\[(.*)\]$/.exec(text)?.[1]
      if (loss !== undefined) buffer.push({ kind: 'dropped', count: loss === '?' ? undefined : Number(loss) })
      else buffer.push(changeEvent(Number(text)))
    }
    return buffer
  }

  function changeEvent(version: number): WatchEvent {
    const { address } = descriptor
    return { kind: 'change', address, offset: 0, length: 4096, version, by: { node: nodeId(1) } }
  }

  it('stay in their order while they are not too many', () => {
    assert.equal(drain(fill(5, '1 2 [3] 6 7')), '1 2 [3] 6 7')
  })

  it('lose the oldest where they are too many; the loss is the next to be taken', () => {
    assert.equal(drain(fill(3, '1 2 3 4 5')), '[2] 3 4 5')
    assert.equal(drain(fill(1, '1 2 3')), '[2] 3')
  })

  it('lose what was lost before, too, and know when nobody knows how much', () => {
    assert.equal(drain(fill(3, '1 [4] 6 7 8 9')), '[6] 7 8 9')
    assert.equal(drain(fill(2, '[?] 6 7 8')), '[?] 7 8')
    assert.equal(drain(fill(4, '1 [2] [3] 7')), '1 [5] 7')
    assert.equal(drain(fill(4, '1 [2] [?] 7')), '1 [?] 7')
  })

  it('add up to all that came, whatever is taken when', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = Prng.fromSeed(seed)
      const max = random.int(1, 8)
      const buffer = new EventBuffer(max)
      let came = 0
      let next = 1
      const taken: WatchEvent[] = []
      const take = (): void => {
        const event = buffer.shift()
        if (event !== undefined) taken.push(event)
      }
      for (let step = 0; step < 100; step++) {
        if (random.chance(0.3)) take()
        else if (random.chance(0.1)) {
          const count = random.int(1, 3)
          buffer.push({ kind: 'dropped', count })
          came += count
          next += count
        } else {
          buffer.push(changeEvent(next))
          came += 1
          next += 1
        }
      }
      const before = taken.length
      for (let event = buffer.shift(); event !== undefined; event = buffer.shift()) taken.push(event)
      assert.ok(taken.length - before <= max + 1, `seed ${seed}: ${taken.length - before} waited, of ${max}`)
      // Each event stands for the versions after the last one: nothing is missing, twice, or out of its place.
      let version = 0
      for (const event of taken) {
        version += event.kind === 'change' ? 1 : (event.count ?? NaN)
        if (event.kind === 'change') assert.equal(event.version, version, `seed ${seed}`)
      }
      assert.equal(version, came, `seed ${seed}`)
    }
  })
})

describe('a watch', () => {
  it('tells where a page lies, and who wrote it in words that mean the same everywhere', async () => {
    const { watch } = watchOf(10)
    const direct = clientSiteMin + 4
    watch.changes([change(2, 8, 3), change(0, 1, direct), change(0, 2, 5)])
    const relayed = relayedSite(nodeId(2), (clientSiteMin + 9) as SiteId)
    watch.changes([change(0, 3, relayed)])
    const all = [await watch.next(), await watch.next(), await watch.next(), await watch.next()]
    assert.deepEqual(all[0]?.value, {
      kind: 'change',
      address: 0x12000n,
      offset: 8192,
      length: 4096,
      version: 8,
      by: { node: 3 },
    })
    const writers = all.map(({ value }) => (value?.kind === 'change' ? value.by : undefined))
    assert.deepEqual(writers, [{ node: 3 }, { node: 3, client: 4 }, { node: 5 }, { node: 2, client: 9 }])
  })

  it('refuses pages that the region has not: no home speaks of such', () => {
    const { watch } = watchOf(10)
    watch.changes([change(1023, 1)])
    for (const page of [1024, 2 ** 40 - 1]) {
      assert.throws(() => watch.changes([change(page, 1)]), { code: 'protocol-error' })
    }
  })

  it('answers those who wait in their order', async () => {
    const { watch } = watchOf(1)
    const taken = Promise.all([watch.next(), watch.next(), watch.next()])
    watch.changes(changesOf(0, 1, 2))
    watch.dropped(undefined)
    assert.deepEqual(
      (await taken).map(({ value }) => (value === undefined ? '' : brief(value))),
      ['1', '2', '[?]'],
    )
  })

  it('is over for those who wait when it is left, and tells so once', async () => {
    const { watch, ends } = watchOf(10)
    const waiting = watch.next()
    await watch.return()
    assert.deepEqual(await waiting, { done: true, value: undefined })
    watch.changes([change(0, 1)])
    assert.deepEqual(await watch.next(), { done: true, value: undefined })
    await watch[Symbol.asyncDispose]()
    assert.equal(ends(), 1)
  })

  it('gives what came before the end of the region, then throws', async () => {
    const { watch, ends } = watchOf(10)
    watch.changes([change(0, 1)])
    watch.ended(new KhazanaError('no-such-region', 'it was unreserved'))
    const seen: string[] = []
    await assert.rejects(
      async () => {
        for await (const event of watch) seen.push(brief(event))
      },
      { code: 'no-such-region' },
    )
    assert.deepEqual([seen, ends()], [['1'], 1])
  })

  it('forgets what waits when it is aborted, and throws at once', async () => {
    const { watch, ends } = watchOf(10)
    const waiting = watch.next()
    watch.changes(changesOf(0, 1, 3))
    assert.equal((await waiting).done, false)
    watch.abort(new KhazanaError('aborted', 'enough'))
    await assert.rejects(watch.next(), { code: 'aborted' })
    assert.equal(ends(), 1)
  })
})

describe('those who watch a region at its home', () => {
  const pages = (first: number, count: number) => ({ first, count }) as Parameters<RegionWatchers['add']>[0]

  it('are told of their own pages alone, and of who wrote them', () => {
    const watchers = new RegionWatchers()
    const all: number[][] = []
    const low = new RecordingSink()
    const high = new RecordingSink()
    watchers.add(pages(0, 2), low)
    const stop = watchers.add(pages(2, 2), high)
    watchers.add(pages(0, 9), {
      changes: (changes) => all.push(...changes.map(({ page, version, by }) => [page, version, by])),
      dropped: () => assert.fail('nothing is lost here'),
      ended: () => undefined,
      moved: () => undefined,
    })
    const { page, version } = change(1, 1)
    watchers.committed([{ page, version }, change(2, 2, 9), change(3, 3)], nodeId(4))
    stop()
    watchers.committed([change(2, 5), change(4, 6)], nodeId(4))
    watchers.end(new KhazanaError('no-such-region', 'it was unreserved'))
    watchers.committed([change(1, 7)], nodeId(4))
    assert.deepEqual(low.told, ['1', 'no-such-region'])
    assert.deepEqual(high.told, ['2 3'])
    assert.deepEqual(all, [
      [1, 1, 4],
      [2, 2, 9],
      [3, 3, 1],
      [2, 5, 1],
      [4, 6, 1],
    ])
  })
})
