import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodeId } from '../../src/address/identity.js'
import { LeaseKeeper, lifeKey } from '../../src/node/cluster/lease-keeper.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'
import { Scheduler } from '../../src/testing/scheduler.js'
import { SimCoordinator, schedulerClock } from '../../src/testing/coordinator/sim-coordinator.js'
import { Trace } from '../../src/testing/trace.js'

const leaseMs = 3000
const self = nodeId(7)

class Bed {
  readonly scheduler: Scheduler
  readonly store: SimCoordinator
  readonly log: string[] = []
  readonly keeper: LeaseKeeper

  constructor(seed: number, lossRate = 0) {
    const random = Prng.fromSeed(seed)
    this.scheduler = new Scheduler({
      random: random.fork('scheduler'),
      trace: new Trace(),
      stepsMax: 1_000_000,
      wallClockMsMax: 60_000,
    })
    this.store = new SimCoordinator({
      scheduler: this.scheduler,
      random: random.fork('store'),
      lossRate,
      limits: {},
      bug: undefined,
    })
    const clock = schedulerClock(this.scheduler)
    this.keeper = new LeaseKeeper({
      self,
      incarnation: 1,
      clock,
      logger: { log: () => undefined },
      coordinator: this.store.clientOf(undefined, clock),
      leaseMs,
      held: () => this.log.push('held'),
      renewed: () => undefined,
      lapsed: () => this.log.push('lapsed'),
    })
  }

  async run(test: () => Promise<void>): Promise<void> {
    this.keeper.start()
    await this.scheduler.settle(test(), 600_000)
    this.keeper.stop(new KhazanaError('closed', 'the test is over'))
  }

  isHeld(): boolean {
    return this.keeper.isHeld
  }

  /** Whether the coordinator takes the node for alive. */
  async isAlive(): Promise<boolean> {
    const client = this.store.clientOf(undefined, schedulerClock(this.scheduler))
    const { found } = await client.get(lifeKey(self))
    client.close()
    return found !== undefined
  }

  rest(ms: number): Promise<void> {
    return this.scheduler.delay(undefined, ms, 'test')
  }
}

describe('a node keeps its lease at the coordinator', () => {
  it('for as long as that can be reached', async () => {
    const bed = new Bed(1)
    await bed.run(async () => {
      await bed.rest(20_000)
      assert.deepEqual(bed.log, ['held'])
      assert.ok(bed.isHeld() && (await bed.isAlive()))
    })
  })

  it('from when it asked, however late the answer comes', async () => {
    const bed = new Bed(3)
    const { store, scheduler } = bed
    const clock = schedulerClock(scheduler)
    const client = store.clientOf(undefined, clock)
    const lateMs = 700
    const ends: number[] = []
    const late = <T>(answer: Promise<T>): Promise<T> =>
      answer.then(
        (value) =>
          new Promise<T>((resolve) =>
            clock.after(lateMs, () => {
              resolve(value)
            }),
          ),
      )
    const keeper = new LeaseKeeper({
      ...{ self, incarnation: 1, clock, leaseMs, logger: { log: () => undefined } },
      coordinator: {
        ...{ get: (...of) => client.get(...of), list: (...of) => client.list(...of) },
        ...{ transact: (...of) => client.transact(...of), watch: (...of) => client.watch(...of) },
        ...{
          revoke: (...of) => client.revoke(...of),
          close: () => {
            client.close()
          },
        },
        grantLease: (...of) => late(client.grantLease(...of)),
        keepAlive: (...of) => late(client.keepAlive(...of)),
      },
      held: () => ends.push(keeper.validUntil - clock.now()),
      renewed: () => ends.push(keeper.validUntil - clock.now()),
      lapsed: () => assert.fail('the answers come in time'),
    })
    keeper.start()
    await scheduler.settle(bed.rest(10_000), 600_000)
    keeper.stop(new KhazanaError('closed', 'the test is over'))
    client.close()
    assert.ok(ends.length > 5)
    assert.ok(Math.max(...ends) <= leaseMs - lateMs, `${ends.join(', ')} ms`)
  })

  it('and stops before others may take its place, then begins anew', async () => {
    const bed = new Bed(2)
    await bed.run(async () => {
      await bed.rest(1000)
      const mend = bed.store.cutOff()
      await bed.rest(leaseMs + 500)
      assert.deepEqual(bed.log, ['held', 'lapsed'])
      assert.equal(bed.isHeld(), false)
      mend()
      await bed.rest(2000)
      assert.deepEqual(bed.log, ['held', 'lapsed', 'held'])
      assert.ok(bed.isHeld() && (await bed.isAlive()))
    })
  })

  it('so that the coordinator takes it for alive while it holds the lease, over 200 seeds of losses and silence', async () => {
    let lapses = 0
    for (let seed = 1; seed <= 200; seed++) {
      const bed = new Bed(seed, 0.2)
      const random = Prng.fromSeed(seed)
      await bed.run(async () => {
        for (let round = 0; round < 20; round++) {
          const mend = random.chance(0.2) ? bed.store.cutOff() : undefined
          await bed.rest(random.exponential(1500))
          mend?.()
          const wasHeld = bed.isHeld()
          const isAlive = await bed.isAlive()
          assert.ok(isAlive || !(wasHeld && bed.isHeld()), `seed ${seed}`)
        }
      })
      lapses += bed.log.filter((word) => word === 'lapsed').length
    }
    assert.ok(lapses > 20, `only ${lapses} lapses`)
  })
})
