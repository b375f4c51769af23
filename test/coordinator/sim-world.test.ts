import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../../src/stdx/prng.js'
import { SimCoordinator, schedulerClock } from '../../src/testing/coordinator/sim-coordinator.js'
import { after, bytes, nextChanges } from '../../src/testing/coordinator/scene-tools.js'
import { SimWorld } from '../../src/testing/sim-world.js'
import { MemoryDisk } from '../testing/memory-disk.js'

test('a process of a simulated world holds a lease while it lives, and others hear when it has died', async () => {
  const world = new SimWorld({ seed: 1, makeDisk: () => new MemoryDisk() })
  const { scheduler } = world
  const coordinator = new SimCoordinator({ scheduler, random: Prng.fromSeed(1) })
  const service = world.addMachine('a').install('holder', async ({ clock }, process) => {
    const own = coordinator.clientOf(process, clock)
    const lease = await own.grantLease(1_000)
    await own.transact({ puts: [{ key: 'alive/a', value: bytes(process.name), lease: lease.id }] })
    for (;;) {
      await process.delay(300, 'keep alive')
      await own.keepAlive(lease.id)
    }
  })
  service.start()
  const clock = schedulerClock(scheduler)
  const observer = coordinator.clientOf(undefined, clock)
  const story = async (): Promise<void> => {
    const watch = observer.watch('alive/', after((await observer.list('')).revision))
    assert.deepEqual((await nextChanges(watch)).said, ['+alive/a a/holder#1'])
    await assert.rejects(watch.next({ timeoutMs: 10_000 }), { code: 'timeout' })
    const diedAt = clock.now()
    service.kill()
    assert.deepEqual((await nextChanges(watch)).said, ['-alive/a'])
    const tookMs = clock.now() - diedAt
    assert.ok(tookMs > 600 && tookMs < 1_100, `${tookMs} ms`)
  }
  await scheduler.settle(story(), 60_000)
})
