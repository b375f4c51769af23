import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { nodeId } from '../../src/address/identity.js'
import type { NodeId, SiteId } from '../../src/address/identity.js'
import { RegionFinder } from '../../src/node/location/region-finder.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { Member, Result } from '../../src/wire/message.js'
import { errorOf } from './census.js'
import { FakeClock } from './fake-world.js'

const members: readonly Member[] = [1, 2, 3].map((number) => ({
  node: nodeId(number),
  name: `node-${number}`,
  listen: '',
  revision: 1,
  state: 'in',
}))

/** A cluster whose nodes know of no region, seen from node 9: the manager, node 1, answers only when it is told to. */
class Bed {
  readonly clock = new FakeClock()
  readonly asked: SiteId[] = []
  isDead = true
  readonly finder: RegionFinder

  constructor() {
    this.finder = new RegionFinder({
      self: nodeId(9),
      clock: this.clock,
      peers: { get: () => undefined, call: (site, _call, wait) => this.#call(site, wait.timeoutMs ?? 0) },
      whereabouts: () => ({ kind: 'unknown' }),
      members: {
        manager: nodeId(1),
        members,
        leftCount: 0,
        find: (node: NodeId) => members.find((member) => member.node === node),
      },
      searchMap: () => Promise.resolve([]),
      tellManager: () => undefined,
    })
  }

  async #call(site: SiteId, timeoutMs: number): Promise<Result> {
    this.asked.push(site)
    if (site !== 1 || !this.isDead) return { op: 'whereis', whereabouts: { kind: 'unknown' } }
    await new Promise<void>((resolve) => this.clock.after(timeoutMs, resolve))
    throw new KhazanaError('unreachable', 'it is dead')
  }

  /** The codes that so many searches end with that begin at once, and how often the manager was asked. */
  async search(count: number): Promise<{ readonly codes: readonly unknown[]; readonly asked: number }> {
    this.asked.length = 0
    const searches = Array.from({ length: count }, (_, index) =>
      errorOf(this.finder.findOnce(addressFrom(BigInt(index) << 32n), { timeoutMs: 20_000 })),
    )
    await this.clock.advance(20_000 / 8)
    const codes = new Set((await Promise.all(searches)).map((error) => error?.code))
    return { codes: [...codes], asked: this.asked.filter((site) => site === 1).length }
  }
}

describe('many searches that meet a dead node', () => {
  it('ask it, one at a time, once it is known to be silent', async () => {
    const bed = new Bed()
    assert.deepEqual(await bed.search(50), { codes: ['unreachable'], asked: 50 })
    assert.deepEqual(await bed.search(50), { codes: ['unreachable'], asked: 1 })
    assert.deepEqual(await bed.search(50), { codes: ['unreachable'], asked: 1 }, 'and again')
  })

  it('find out that it is back', async () => {
    const bed = new Bed()
    await bed.search(1)
    bed.isDead = false
    assert.deepEqual(await bed.search(1), { codes: ['no-such-region'], asked: 1 })
    assert.deepEqual(await bed.search(20), { codes: ['no-such-region'], asked: 20 })
    bed.isDead = true
    await bed.search(1)
    bed.finder.heard(nodeId(1))
    assert.equal((await bed.search(20)).asked, 20)
  })
})
