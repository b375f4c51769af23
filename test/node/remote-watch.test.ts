import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import { nodeId } from '../../src/address/identity.js'
import { withResolvers } from '../../src/io/deadline.js'
import type { Resolvers } from '../../src/io/deadline.js'
import { RemoteWatch } from '../../src/node/watch/remote-watch.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { Result, WatchNews } from '../../src/wire/message.js'
import { FakeClock, fakeRandom, settle } from './fake-world.js'
import { RecordingSink, change } from './watch-fixture.js'

const home = nodeId(2)
const target = { address: 4096n as Address, generation: 1, range: { offset: 0, length: 4096 } }

/** A site that is asked, under the test's hand. */
class Asked {
  readonly clock = new FakeClock()
  readonly sink = new RecordingSink()
  /** Requests that were made, in order. */
  readonly calls: Resolvers<Result>[] = []
  readonly open = new Set<number>()
  readonly watch: RemoteWatch
  #number = 0

  constructor() {
    this.watch = new RemoteWatch(
      {
        clock: this.clock,
        random: fakeRandom(),
        where: () => Promise.resolve(home),
        watchHere: () => assert.fail('nothing is homed here'),
        learned: () => undefined,
        call: (_site, _call, { signal }) => {
          const answer = withResolvers<Result>()
          if (this.calls.length === 0) {
            signal?.addEventListener('abort', () => {
              this.calls.at(-1)?.reject(new KhazanaError('aborted', 'given up'))
            })
          }
          this.calls.push(answer)
          return answer.promise
        },
        open: () => {
          this.open.add(++this.#number)
          return this.#number
        },
        close: (number) => this.open.delete(number),
      },
      target,
      this.sink,
    )
    void this.watch.run(1000, 'new')
  }

  async answer(): Promise<void> {
    await settle()
    this.calls.at(-1)?.resolve({ op: 'watch' })
    await settle()
  }

  async refuse(code: ConstructorParameters<typeof KhazanaError>[0]): Promise<void> {
    await settle()
    this.calls.at(-1)?.reject(new KhazanaError(code, 'no'))
    await settle()
  }

  tell(version: number): void {
    this.watch.onNews(home, { kind: 'changes', changes: [change(0, version)] })
  }
}

describe('a watch that is kept at another site', () => {
  it('is ready when the site has registered it, and hands on what that tells', async () => {
    const asked = new Asked()
    await asked.answer()
    await asked.watch.ready
    asked.tell(1)
    asked.watch.onNews(home, { kind: 'dropped', count: 4 })
    asked.watch.onNews(nodeId(9), { kind: 'dropped', count: 5 })
    assert.deepEqual(asked.sink.told, ['1', '[4]'])
  })

  it('registers anew after a loss, and tells of it when the new registration stands, not before', async () => {
    const asked = new Asked()
    await asked.answer()
    asked.tell(1)
    asked.watch.onLost(nodeId(9))
    await settle()
    assert.equal(asked.calls.length, 1)
    asked.watch.onLost(home)
    await settle()
    assert.deepEqual([asked.calls.length, asked.sink.told], [2, ['1']])
    await asked.answer()
    asked.tell(5)
    assert.deepEqual(asked.sink.told, ['1', '[?]', '5'])
    assert.deepEqual([...asked.open], [2])
  })

  it('takes a notice that overtakes the answer as one', async () => {
    const asked = new Asked()
    await asked.answer()
    asked.watch.onLost(home)
    await settle()
    asked.tell(7)
    await asked.answer()
    assert.deepEqual(asked.sink.told, ['[?]', '7'])
  })

  it('goes on trying, at a bounded pace, for as long as it takes', async () => {
    const asked = new Asked()
    await asked.answer()
    asked.watch.onLost(home)
    const codes = ['unreachable', 'busy', 'outcome-unknown', 'timeout', 'closed'] as const
    for (let attempt = 0; attempt < 50; attempt++) {
      await asked.refuse(codes[attempt % codes.length] ?? 'busy')
      const before = asked.calls.length
      await asked.clock.advance(5)
      assert.equal(asked.calls.length, before, 'not at once')
      await asked.clock.advance(2000)
      assert.equal(asked.calls.length, before + 1)
    }
    await asked.answer()
    assert.deepEqual(asked.sink.told, ['[?]'])
    assert.equal(asked.open.size, 1)
  })

  it('ends where the region is no more, whether it is told or finds out', async () => {
    const told = new Asked()
    await told.answer()
    told.watch.onNews(home, { kind: 'ended', code: 'no-such-region', message: 'it was unreserved' })
    told.tell(1)
    const found = new Asked()
    await found.answer()
    found.watch.onLost(home)
    await found.refuse('no-such-region')
    for (const { sink, open, clock, calls } of [told, found]) {
      const before = calls.length
      await clock.advance(60_000)
      assert.deepEqual([sink.told, open.size, calls.length], [['no-such-region'], 0, before])
    }
  })

  it('says no to who began it where the first answer is no, and tells nothing', async () => {
    for (const code of ['no-such-region', 'busy', 'unreachable'] as const) {
      const asked = new Asked()
      const refused = assert.rejects(asked.watch.ready, { code })
      await asked.refuse(code)
      await refused
      await asked.clock.advance(60_000)
      assert.deepEqual([asked.sink.told, asked.open.size, asked.calls.length], [[], 0, 1])
    }
  })

  it('asks once more where the first answer was lost with its connection', async () => {
    const asked = new Asked()
    await asked.refuse('outcome-unknown')
    await asked.clock.advance(100)
    await asked.answer()
    await asked.watch.ready
    assert.deepEqual(asked.sink.told, [])
  })

  it('can be ended at any time, and then lets go of its number', async () => {
    const news: WatchNews = { kind: 'changes', changes: [change(0, 1)] }
    const asking = new Asked()
    await settle()
    const standing = new Asked()
    await standing.answer()
    const pausing = new Asked()
    await pausing.answer()
    pausing.watch.onLost(home)
    await pausing.refuse('unreachable')
    for (const { watch, sink, open, clock } of [asking, standing, pausing]) {
      watch.stop()
      watch.onNews(home, news)
      await clock.advance(60_000)
      assert.deepEqual([sink.told, open.size], [[], 0])
    }
    await assert.rejects(asking.watch.ready, { code: 'aborted' })
  })
})
