import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { Releases, releasesMax } from '../../src/node/releases/releases.js'
import type { Release } from '../../src/node/releases/release.js'
import { concerns } from '../../src/node/releases/release.js'
import type { ReleaseBug } from '../../src/node/releases/release-bug.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { ErrorCode } from '../../src/stdx/errors.js'
import type { CommitGroup } from '../../src/store/store.js'
import { codeOf, errorOf } from './census.js'
import { FakeClock, recordingLogger, settle } from './fake-world.js'
import type { LogEntry } from './fake-world.js'

const address = addressFrom(0x10000n)
const free: Release = { op: 'free', address, generation: 3, offset: 4096, length: 8192 }
const unreserve: Release = { op: 'unreserve', address, generation: 3 }

/** Keeps metadata: what is committed is durable when the test says so. */
class Disk {
  readonly stored = new Map<string, Uint8Array>()
  isStuck = false
  failure: KhazanaError | undefined
  readonly #waiting: (() => void)[] = []

  list(prefix: string): [string, Uint8Array][] {
    return [...this.stored].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1))
  }

  async commit({ puts = [], deletes = [] }: CommitGroup): Promise<void> {
    if (this.isStuck) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.failure !== undefined) throw this.failure
    for (const { key, value } of puts) this.stored.set(key, value)
    for (const key of deletes) this.stored.delete(key)
  }

  flush(): void {
    this.isStuck = false
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** A node's releases, and what the home of their regions says to each attempt. */
class Bench {
  readonly clock = new FakeClock()
  readonly log: LogEntry[] = []
  readonly attempts: Release[] = []
  readonly disk: Disk
  readonly releases: Releases
  answer: () => Promise<void> = () => Promise.resolve()

  constructor(disk = new Disk(), bug?: ReleaseBug) {
    this.disk = disk
    this.releases = new Releases({
      store: disk,
      clock: this.clock,
      logger: recordingLogger(this.log),
      attempt: (release) => {
        this.attempts.push(release)
        return this.answer()
      },
      bug,
    })
    this.releases.load()
    this.releases.start()
  }

  refuse(code: ErrorCode): void {
    this.answer = () => Promise.reject(new KhazanaError(code, 'the home says so'))
  }

  allow(): void {
    this.answer = () => Promise.resolve()
  }
}

describe('releases that a node keeps', () => {
  it('are tried until they are done, and their records go', async () => {
    const bench = new Bench()
    bench.refuse('unreachable')
    await bench.releases.keep(free)
    await bench.clock.advance(60_000)
    assert.equal(bench.releases.count, 1)
    assert.equal(bench.disk.stored.size, 1)
    assert.ok(bench.attempts.length > 5 && bench.attempts.length < 15, `${bench.attempts.length} attempts`)
    bench.allow()
    await bench.clock.advance(30_000)
    assert.equal(bench.releases.count, 0)
    assert.equal(bench.disk.stored.size, 0)
    const { length } = bench.attempts
    await bench.clock.advance(100_000)
    assert.equal(bench.attempts.length, length)
  })

  it('are gone on with after a restart, each as it was', async () => {
    const bench = new Bench()
    bench.refuse('timeout')
    await bench.releases.keep(free)
    await bench.releases.keep(unreserve)
    await settle()
    bench.releases.stop(new KhazanaError('closed', 'the node was closed'))
    const next = new Bench(bench.disk)
    await settle()
    assert.deepEqual(next.attempts, [free, unreserve])
    assert.equal(bench.disk.stored.size, 0)
    // Numbers that are in use are not given again.
    bench.disk.stored.clear()
  })

  it('are durable before that is said, also to whoever asks for the same meanwhile', async () => {
    const promised = async (bug?: ReleaseBug): Promise<boolean[]> => {
      const bench = new Bench(new Disk(), bug)
      bench.disk.isStuck = true
      const answers = [false, false]
      void bench.releases.keep(free).then(() => (answers[0] = true))
      void bench.releases.keep({ ...free }).then(() => (answers[1] = true))
      await settle()
      const early = [...answers]
      bench.disk.flush()
      await settle()
      assert.deepEqual(answers, [true, true])
      return early
    }
    assert.deepEqual(await promised(), [false, false])
    assert.deepEqual(await promised('answer-before-durable'), [true, false])
  })

  it('are none where they could not be made durable', async () => {
    const bench = new Bench()
    bench.disk.failure = new KhazanaError('no-space', 'full')
    assert.equal(await codeOf(bench.releases.keep(free)), 'no-space')
    assert.equal(bench.releases.count, 0)
    bench.disk.failure = undefined
    await bench.clock.advance(1000)
    assert.deepEqual(bench.attempts, [])
    await bench.releases.whenClear(free, { timeoutMs: 10 })
  })

  it('end where the region is no more, or never had that', async () => {
    for (const code of ['no-such-region', 'invalid-argument', 'out-of-range'] as const) {
      const bench = new Bench()
      bench.refuse(code)
      await bench.releases.keep(free)
      await settle()
      assert.equal(bench.releases.count, 0, code)
      assert.equal(bench.disk.stored.size, 0, code)
      const warnings = bench.log.filter(({ level }) => level === 'warn')
      assert.equal(warnings.length, code === 'no-such-region' ? 0 : 1)
    }
  })

  it('are at most so many: more are refused as busy, and what is kept already is not one more', async () => {
    const bench = new Bench()
    bench.refuse('unreachable')
    for (let page = 0; page < releasesMax; page++) await bench.releases.keep({ ...free, offset: page * 4096 })
    assert.equal(await codeOf(bench.releases.keep(unreserve)), 'busy')
    await bench.releases.keep({ ...free, offset: 0 })
    assert.equal(bench.releases.count, releasesMax)
    bench.allow()
    await bench.clock.advance(60_000)
    assert.equal(bench.releases.count, 0)
    await bench.releases.keep(unreserve)
  })

  it('are tried once more where they are asked for again during an attempt', async () => {
    const bench = new Bench()
    const ends: (() => void)[] = []
    bench.answer = () => new Promise((resolve) => ends.push(resolve))
    await bench.releases.keep(free)
    await settle()
    await bench.releases.keep(free)
    ends.shift()?.()
    await settle()
    assert.equal(bench.attempts.length, 2)
    assert.equal(bench.releases.count, 1)
    ends.shift()?.()
    await settle()
    assert.equal(bench.releases.count, 0)
  })

  it('are kept anew where they are asked for again while the record of what is done is being deleted', async () => {
    const bench = new Bench()
    bench.refuse('unreachable')
    await bench.releases.keep(free)
    bench.allow()
    bench.disk.isStuck = true
    await bench.clock.advance(1000)
    assert.equal(bench.attempts.length, 2)
    const again = bench.releases.keep(free)
    bench.refuse('unreachable')
    bench.disk.flush()
    await again
    await settle()
    assert.equal(bench.releases.count, 1)
    assert.equal(bench.disk.stored.size, 1)
    bench.allow()
    await bench.clock.advance(1000)
    assert.equal(bench.releases.count, 0)
    assert.equal(bench.disk.stored.size, 0)
  })

  it('let nobody on that they are in the way of, until their records are gone', async () => {
    const bench = new Bench()
    bench.refuse('unreachable')
    await bench.releases.keep(free)
    await bench.clock.advance(20_000)
    const whole = { address, generation: 3, offset: 0, length: 1 << 20 }
    await bench.releases.whenClear({ ...whole, length: 4096 }, {})
    await bench.releases.whenClear({ ...whole, offset: 12_288 }, {})
    await bench.releases.whenClear({ ...whole, generation: 4 }, {})
    const failed = errorOf(bench.releases.whenClear(whole, { timeoutMs: 500 }))
    await bench.clock.advance(600)
    assert.equal((await failed)?.code, 'timeout')
    assert.match((await failed)?.message ?? '', /the home says so/)
    bench.allow()
    bench.disk.isStuck = true
    let isClear = false
    void bench.releases.whenClear(whole, {}).then(() => (isClear = true))
    // Whoever waits has it tried at once.
    await bench.clock.advance(300)
    assert.equal(isClear, false)
    bench.disk.flush()
    await settle()
    assert.equal(isClear, true)
  })

  it('end the wait of all when the node is closed, and are taken by nobody then', async () => {
    const bench = new Bench()
    bench.refuse('unreachable')
    await bench.releases.keep(unreserve)
    const waiting = codeOf(bench.releases.whenClear({ address, generation: 0, offset: 0, length: 1 }, {}))
    bench.releases.stop(new KhazanaError('closed', 'the node was closed'))
    assert.equal(await waiting, 'closed')
    assert.equal(await codeOf(bench.releases.keep(free)), 'closed')
    const { length } = bench.attempts
    await bench.clock.advance(100_000)
    assert.equal(bench.attempts.length, length)
    assert.equal(bench.disk.stored.size, 1)
  })

  it('are handed over one by one, and stay where nobody takes them', async () => {
    const bench = new Bench()
    bench.refuse('unreachable')
    await bench.releases.keep(free)
    await bench.releases.keep(unreserve)
    const taken: Release[] = []
    const hand = (release: Release): Promise<void> => {
      if (taken.length === 1) return Promise.reject(new KhazanaError('busy', 'no more'))
      taken.push(release)
      return Promise.resolve()
    }
    assert.equal(await codeOf(bench.releases.handOver(hand)), 'busy')
    assert.deepEqual(taken, [free])
    assert.equal(bench.releases.count, 1)
    assert.equal(bench.disk.stored.size, 1)
    assert.equal(new Bench(bench.disk).releases.count, 1)
  })

  it('name their region by its generation', async () => {
    const bench = new Bench()
    assert.equal(await codeOf(bench.releases.keep({ ...unreserve, generation: 0 })), 'invalid-argument')
    assert.equal(concerns(unreserve, { address, generation: 0, offset: 0, length: 1 }), true)
    assert.equal(concerns(unreserve, { address, generation: 4, offset: 0, length: 1 }), false)
  })
})
