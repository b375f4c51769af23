import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import { withResolvers } from '../../src/io/deadline.js'
import { PeerWatch } from '../../src/node/watch/peer-watch.js'
import { PeerWatches, clientWatchesMax } from '../../src/node/watch/peer-watches.js'
import type { WatchSink } from '../../src/node/watch/watch-sink.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { changesMax } from '../../src/wire/limits.js'
import { FakeSession, change, changesOf, turn } from './watch-fixture.js'

function watchOf(fake: FakeSession): PeerWatch {
  return new PeerWatch(fake.as('client'), 7, () => undefined)
}

function call(watch: number): {
  op: 'watch'
  address: Address
  generation: number
  offset: number
  length: number
  watch: number
} {
  return { op: 'watch', address: 4096n as Address, generation: 1, offset: 0, length: 4096, watch }
}

describe('what a peer is sent of the changes it watches', () => {
  it('is one message for all changes of one turn, in their order', async () => {
    const session = new FakeSession()
    const watch = watchOf(session)
    watch.changes([change(0, 1), change(1, 2)])
    watch.changes([change(0, 3)])
    assert.deepEqual(session.told, [])
    await turn()
    assert.deepEqual(session.told, ['1 2 3'])
    watch.changes([change(0, 4)])
    await turn()
    assert.deepEqual(session.told, ['1 2 3', '4'])
  })

  it('is cut into messages that the wire can carry', async () => {
    const session = new FakeSession()
    const all = changesOf(0, 1, changesMax * 2 + 5)
    watchOf(session).changes(all)
    await turn()
    const sent = session.news.map((news) => (news.kind === 'changes' ? news.changes : []))
    assert.deepEqual(
      sent.map(({ length }) => length),
      [changesMax, changesMax, 5],
    )
    assert.deepEqual(sent.flat(), all)
  })

  it('is nothing while it does not take messages, and then how many it missed', async () => {
    const session = new FakeSession()
    const watch = watchOf(session)
    watch.changes([change(0, 1)])
    // The first goes out: it came before.
    session.block()
    for (let version = 2; version <= 100_001; version++) watch.changes([change(0, version)])
    await turn()
    assert.deepEqual(session.told, ['1'])
    session.unblock()
    // Until it is told of the loss, what comes is part of it: nothing overtakes.
    watch.changes([change(0, 100_002)])
    await turn()
    watch.changes([change(0, 100_003)])
    await turn()
    assert.deepEqual(session.told, ['1', '[100001]', '100003'])
  })

  it('is only the beginning of a large commit where it stops taking messages in the middle of it', async () => {
    const session = new FakeSession()
    const watch = watchOf(session)
    session.onSend = () => session.block()
    watch.changes(changesOf(0, 1, changesMax * 40))
    await turn()
    assert.equal(session.news.length, 1)
    session.unblock()
    await turn()
    assert.deepEqual(session.told.slice(1), [`[${changesMax * 39}]`])
  })

  it('keeps a loss on the way here in its place, and unknown where part of it is', async () => {
    const session = new FakeSession()
    const watch = watchOf(session)
    watch.changes([change(0, 1)])
    watch.dropped(3)
    watch.changes([change(0, 5)])
    await turn()
    assert.deepEqual(session.told, ['1', '[3]', '5'])
    session.block()
    watch.changes([change(0, 6)])
    watch.dropped(undefined)
    watch.changes([change(0, 9)])
    session.unblock()
    await turn()
    assert.deepEqual(session.told.slice(3), ['[?]'])
  })

  it('ends with the region, after all that came before', async () => {
    const session = new FakeSession()
    const watch = watchOf(session)
    watch.changes([change(0, 1)])
    session.block()
    watch.changes([change(0, 2)])
    watch.ended(new KhazanaError('no-such-region', 'it was unreserved'))
    watch.changes([change(0, 3)])
    session.unblock()
    await turn()
    assert.deepEqual(session.told, ['1', '[1]', 'no-such-region'])
  })
})

describe('the watches of peers', () => {
  interface Opened {
    readonly sink: WatchSink
    stopped: number
  }

  function table(ready: Promise<void> = Promise.resolve()): { watches: PeerWatches; opened: Opened[] } {
    const opened: Opened[] = []
    const watches = new PeerWatches((_target, sink) => {
      const one = { sink, stopped: 0 }
      opened.push(one)
      return { ready, stop: () => (one.stopped += 1) }
    })
    return { watches, opened }
  }

  it('are bounded for each session, and make room when they end', async () => {
    const { watches } = table()
    const session = new FakeSession().as('client')
    for (let watch = 1; watch <= clientWatchesMax; watch++) await watches.serve(session, call(watch))
    await assert.rejects(watches.serve(session, call(0)), { code: 'busy' })
    await watches.serve(session, { op: 'unwatch', watch: 5 })
    await watches.serve(session, call(0))
    await assert.rejects(watches.serve(session, call(9999)), { code: 'busy' })
    await watches.serve(new FakeSession().as('client'), call(1))
    const node = new FakeSession().as('node')
    for (let watch = 0; watch <= clientWatchesMax; watch++) await watches.serve(node, call(watch))
    assert.equal(watches.count, 2 * clientWatchesMax + 2)
  })

  it('are over with their session, and with it alone', async () => {
    const { watches, opened } = table()
    const [a, b] = [new FakeSession(), new FakeSession()]
    await watches.serve(a.as('client'), call(1))
    await watches.serve(b.as('client'), call(1))
    a.lose()
    watches.lost(a.as('client'))
    assert.deepEqual(
      opened.map(({ stopped }) => stopped),
      [1, 0],
    )
    for (const { sink } of opened) sink.changes([change(0, 1)])
    await turn()
    assert.deepEqual([a.told, b.told, watches.count], [[], ['1'], 1])
    await assert.rejects(watches.serve(a.as('client'), call(2)), { code: 'unreachable' })
  })

  it('can be ended, or lost, before they have begun', async () => {
    const never = withResolvers<void>()
    const { watches, opened } = table(never.promise)
    const session = new FakeSession()
    const asked = watches.serve(session.as('client'), call(1))
    await watches.serve(session.as('client'), { op: 'unwatch', watch: 1 })
    assert.equal(opened[0]?.stopped, 1)
    never.reject(new KhazanaError('aborted', 'the watch was ended'))
    await assert.rejects(asked, { code: 'aborted' })
    assert.equal(watches.count, 0)
  })

  it('leave nothing behind where the region is not to be had', async () => {
    const watches = new PeerWatches(() => {
      throw new KhazanaError('no-such-region', 'nobody reserved it')
    })
    await assert.rejects(watches.serve(new FakeSession().as('client'), call(1)), { code: 'no-such-region' })
    assert.equal(watches.count, 0)
  })

  it('refuses a number that is in use, and ends one that is not known without a word', async () => {
    const { watches, opened } = table()
    const session = new FakeSession().as('client')
    await watches.serve(session, call(1))
    await assert.rejects(watches.serve(session, call(1)), { code: 'protocol-error' })
    assert.deepEqual(await watches.serve(session, { op: 'unwatch', watch: 77 }), { op: 'unwatch' })
    assert.deepEqual([opened.length, opened[0]?.stopped, watches.count], [1, 0, 1])
  })
})
