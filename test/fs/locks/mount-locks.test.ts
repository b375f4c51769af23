import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesOf, mountAt, plainFile } from '../mounts.js'
import { flock, outcome, posix, withMounts } from './lock-fixture.js'

/** What is given back at one mount is had at another after that: a page is made durable, 4 ms on the simulated disk, and some messages go. Milliseconds. */
const handOverMsMax = 30

describe('locks on files', () => {
  it('hold between mounts, and tell whose is in the way', async () => {
    await withMounts(2, async ({ file, mounts, mount }) => {
      await mount(1).setLock(file, posix(1, 'write', 10, 19))
      assert.equal(await outcome(() => mount(2).setLock(file, posix(1, 'read', 15, 15))), 'EAGAIN')
      const found = await mount(2).testLock(file, posix(1, 'read', 0))
      assert.deepEqual(found, { type: 'write', start: 10n, end: 19n, pid: 1001, isOfThisMount: false })
      assert.equal((await mount(1).testLock(file, posix(2, 'read', 0)))?.isOfThisMount, true)
      assert.equal(await mount(1).testLock(file, posix(1, 'write', 0)), undefined, 'its own')
      assert.equal(await outcome(() => mount(2).setLock(file, posix(1, 'read', 20))), 'done')
      assert.equal(await outcome(() => mount(2).setLock(file, flock(1, 'write'))), 'done', 'of another kind')
      assert.equal(await outcome(() => mount(1).setLock(file, flock(1, 'read'))), 'EAGAIN')
      await mount(1).releaseLocks(file, 'posix', 1n)
      assert.equal(await outcome(() => mount(2).setLock(file, posix(1, 'write'))), 'done')
      for (const fs of mounts) await fs.unmount()
    })
  })

  it('are given over as soon as they are given back', async () => {
    await withMounts(3, async ({ cluster, file, mount }) => {
      for (const request of [posix(1, 'write'), flock(1, 'write')]) {
        await mount(1).setLock(file, request)
        for (const [from, to] of [
          [1, 2],
          [2, 3],
          [3, 1],
          [1, 3],
        ] as const) {
          const had = mount(to).setLockWait(file, request)
          await cluster.pause(500)
          const start = cluster.now()
          await mount(from).releaseLocks(file, request.kind, 1n)
          await had
          const ms = cluster.now() - start
          assert.ok(ms < handOverMsMax, `from ${from} to ${to} in ${ms} ms`)
        }
        await mount(3).releaseLocks(file, request.kind, 1n)
      }
    })
  })

  it('cost no message and no wait where nobody else has to do with them', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      await mount(2).setLock(file, posix(1, 'write'))
      await cluster.pause(100)
      for (let round = 0; round < 200; round++) {
        assert.ok(!(mount(2).setLock(file, posix(1, 'write', 0, 9)) instanceof Promise), `round ${round}`)
        assert.ok(!(mount(2).releaseLocks(file, 'posix', 1n) instanceof Promise))
        if (round % 10 === 0) await cluster.pause(20)
      }
    })
  })

  it('are not kept from one mount by another that takes them again and again', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      const rounds = [0, 0]
      const work = async (number: number): Promise<void> => {
        while (cluster.now() < end) {
          await mount(number).setLockWait(file, flock(1, 'write'))
          rounds[number - 1] = (rounds[number - 1] ?? 0) + 1
          await cluster.pause(1)
          await mount(number).releaseLocks(file, 'flock', 1n)
        }
      }
      const end = cluster.now() + 5000
      await Promise.all([work(1), work(2)])
      for (const count of rounds) assert.ok(count > 50, `${rounds.join(' and ')} times`)
    })
  })

  it('that are kept for moments go from one mount to the other without the disk', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      const turns: number[] = []
      const end = cluster.now() + 2000
      const work = async (number: number): Promise<void> => {
        while (cluster.now() < end) {
          await mount(number).setLockWait(file, posix(1, 'write'))
          if (turns.at(-1) !== number) turns.push(number)
          await cluster.pause(0.5)
          await mount(number).releaseLocks(file, 'posix', 1n)
          await cluster.pause(0.1)
        }
      }
      await Promise.all([work(1), work(2)])
      // To write the table down takes 4 ms.
      assert.ok(turns.length > 2000 / 4, `${turns.length} times in 2 s`)
    })
  })

  it("that are kept for longer than that stand in nobody else's way", async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      const waits: number[] = []
      for (let round = 0; round < 20; round++) {
        await mount(1).setLockWait(file, posix(1, 'write', 0, 9))
        const start = cluster.now()
        await mount(2).setLockWait(file, posix(1, 'write', 10, 19))
        assert.equal(await outcome(() => mount(2).setLock(file, posix(2, 'write', 0, 9))), 'EAGAIN')
        waits.push(cluster.now() - start)
        await mount(1).releaseLocks(file, 'posix', 1n)
        await mount(2).releaseLocks(file, 'posix', 1n)
      }
      const [median = Infinity] = waits.sort((a, b) => a - b).slice(waits.length / 2)
      assert.ok(median < handOverMsMax, `${waits.join(' ')} ms`)
    })
  })

  it('of several mounts on parts of a file do not hold each other up', async () => {
    await withMounts(3, async ({ cluster, file, mount }) => {
      const waits: number[] = []
      const end = cluster.now() + 3000
      const work = async (number: number): Promise<void> => {
        while (cluster.now() < end) {
          const start = cluster.now()
          await mount(number).setLock(file, posix(1, 'write', number * 10, number * 10 + 5))
          waits.push(cluster.now() - start)
          await cluster.pause(1)
          await mount(number).releaseLocks(file, 'posix', 1n)
        }
      }
      await Promise.all([work(1), work(2), work(3)])
      const longest = Math.max(...waits)
      assert.ok(waits.length > 300 && longest < 90, `${waits.length} times, up to ${longest} ms`)
    })
  })

  it('are converted as flock does it: what one has is given up for what one gets', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      await mount(1).setLock(file, flock(1, 'read'))
      await mount(2).setLock(file, flock(1, 'read'))
      assert.equal(await outcome(() => mount(1).setLock(file, flock(1, 'write'))), 'EAGAIN')
      assert.equal(
        await outcome(() => mount(2).setLock(file, flock(1, 'write'))),
        'done',
        'the first has none',
      )
      const had = mount(1).setLockWait(file, flock(1, 'read'))
      await mount(2).setLock(file, flock(1, 'read'))
      await had
      const both = [mount(1), mount(2)].map((fs) => Promise.resolve(fs.setLockWait(file, flock(1, 'write'))))
      await Promise.race(both)
      await cluster.pause(200)
      for (const fs of [mount(1), mount(2)]) await fs.releaseLocks(file, 'flock', 1n)
      await Promise.all(both)
    })
  })

  it('end a wait by a signal, and leave what the owner had', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      await mount(1).setLock(file, posix(1, 'read', 0, 9))
      await mount(2).setLock(file, posix(2, 'read', 0, 9))
      const stop = new AbortController()
      const waited = outcome(() => mount(2).setLockWait(file, posix(2, 'write', 5, 20), stop.signal))
      await cluster.pause(100)
      const start = cluster.now()
      stop.abort()
      assert.equal(await waited, 'EINTR')
      assert.ok(cluster.now() - start < handOverMsMax)
      await mount(1).releaseLocks(file, 'posix', 1n)
      await cluster.pause(200)
      assert.equal(
        await outcome(() => mount(1).setLock(file, posix(1, 'read', 0, 30))),
        'done',
        'nobody has it',
      )
      assert.equal(await outcome(() => mount(1).setLock(file, posix(1, 'write', 0, 3))), 'EAGAIN')
      const before = outcome(() => mount(1).setLockWait(file, posix(1, 'write', 0, 3), AbortSignal.abort()))
      assert.equal(await before, 'EINTR')
    })
  })

  it('tell of a deadlock on one file between mounts, and on several within one', async () => {
    await withMounts(3, async ({ cluster, file, mount }) => {
      for (const number of [1, 2, 3]) await mount(number).setLock(file, posix(1, 'write', number, number))
      const waits = [1, 2].map((number) =>
        mount(number).setLockWait(file, posix(1, 'write', number + 1, number + 1)),
      )
      await cluster.pause(200)
      assert.equal(await outcome(() => mount(3).setLockWait(file, posix(1, 'write', 1, 1))), 'EDEADLK')
      await mount(3).releaseLocks(file, 'posix', 1n)
      await waits[1]
      await mount(2).releaseLocks(file, 'posix', 1n)
      await waits[0]
      const { address: other } = await mount(2).create(mount(2).root, bytesOf('other'), plainFile)
      await mount(2).setLock(file, posix(1, 'write', 100))
      await mount(2).setLock(other, posix(2, 'write', 100))
      const had = mount(2).setLockWait(other, posix(1, 'write', 100))
      await cluster.pause(100)
      assert.equal(await outcome(() => mount(2).setLockWait(file, posix(2, 'read', 100))), 'EDEADLK')
      await mount(2).releaseLocks(other, 'posix', 2n)
      await had
    })
  })

  it('are refused where there is no room for more', async () => {
    await withMounts(2, async ({ file, mount }) => {
      let count = 0
      let last = 'done'
      for (; last === 'done'; count++)
        last = await outcome(() => mount(1).setLock(file, posix(1, 'write', 2 * count, 2 * count)))
      assert.equal(last, 'ENOLCK')
      assert.ok(count > 390)
      assert.equal(await outcome(() => mount(2).setLock(file, posix(1, 'write', 1, 1))), 'ENOLCK')
      await mount(1).unlock(file, { kind: 'posix', owner: 1n, start: 0n, end: 20n })
      assert.equal(await outcome(() => mount(2).setLock(file, posix(1, 'write', 1, 1))), 'done')
      assert.equal(await outcome(() => mount(2).setLock(file, posix(1, 'write', 22, 22))), 'EAGAIN')
    })
  })

  it('are given back that are still on their way', async () => {
    await withMounts(2, async ({ file, mount }) => {
      await mount(2).setLock(file, posix(2, 'write', 100))
      await mount(1).setLock(file, posix(2, 'write', 50, 50))
      // The page is at the other mount now.
      const had = mount(2).setLock(file, posix(1, 'write', 0, 9))
      assert.ok(had instanceof Promise)
      const given = mount(2).releaseLocks(file, 'posix', 1n)
      await Promise.all([had, given])
      assert.equal(await outcome(() => mount(1).setLock(file, posix(1, 'write', 0, 9))), 'done')
    })
  })

  it('say what is no lock', async () => {
    await withMounts(1, async ({ file, mount }) => {
      for (const wrong of [
        { start: -1n },
        { start: 5n, end: 4n },
        { end: 2n ** 63n },
        { owner: 2n ** 64n },
        { pid: -1 },
      ])
        assert.equal(await outcome(() => mount(1).setLock(file, { ...posix(1, 'read'), ...wrong })), 'EINVAL')
    })
  })

  it('are given back by a mount that ends, and who waits there fails', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      await mount(1).setLock(file, posix(1, 'write'))
      await mount(1).setLock(file, flock(1, 'write'))
      const waits = [posix(1, 'write'), flock(1, 'write')].map(async (one) => mount(2).setLockWait(file, one))
      const failing = outcome(() => mount(1).setLockWait(file, flock(2, 'write')))
      await cluster.pause(100)
      const start = cluster.now()
      await mount(1).unmount()
      assert.equal(await failing, 'EIO')
      await Promise.all(waits)
      assert.ok(cluster.now() - start < 1000)
      assert.equal(await outcome(() => mount(1).setLock(file, flock(1, 'write'))), 'EIO')
      await mount(2).unmount()
    })
  })

  it('end with a mount that dies, for who waits and for who asks again', async () => {
    await withMounts(3, async ({ cluster, address, file, mount, warnings }) => {
      await mount(2).setLock(file, posix(1, 'write'))
      await mount(2).setLock(file, flock(1, 'write'))
      await cluster.pause(500)
      const had = mount(3).setLockWait(file, posix(1, 'write'))
      await cluster.pause(100)
      cluster.crash(2)
      const start = cluster.now()
      let tries = 0
      let last = 'EAGAIN'
      for (; last === 'EAGAIN'; tries++) {
        last = await outcome(() => mount(1).setLock(file, flock(1, 'write')))
        await cluster.pause(100)
      }
      assert.equal(last, 'done')
      assert.ok(cluster.now() - start < 15_000, `${tries} times, ${cluster.now() - start} ms`)
      await had
      // Who takes the record of the dead mount over has none of its locks.
      await cluster.start(2)
      const again = await mountAt(cluster, 2, address, {}, warnings)
      assert.equal(await outcome(() => again.setLock(file, posix(1, 'read'))), 'EAGAIN')
      await mount(3).releaseLocks(file, 'posix', 1n)
      assert.equal(await outcome(() => again.setLock(file, posix(1, 'read'))), 'done')
    })
  })

  it('of a dead mount are not those of the next mount with its record', async () => {
    await withMounts(3, async ({ cluster, address, file, mount, warnings }) => {
      await mount(2).setLock(file, posix(1, 'write'))
      await cluster.pause(500)
      cluster.crash(2)
      await cluster.start(2)
      const again = await mountAt(cluster, 2, address, {}, warnings)
      const { address: other } = await again.create(again.root, bytesOf('other'), plainFile)
      await again.setLock(other, posix(1, 'write'))
      const start = cluster.now()
      await mount(3).setLockWait(file, posix(1, 'write'))
      assert.ok(cluster.now() - start < 10_000)
      assert.equal(await outcome(() => again.setLock(file, posix(1, 'write'))), 'EAGAIN')
      await again.unmount()
    })
  })

  it('stay through a crash of the home of their file, those too that were in memory alone', async () => {
    await withMounts(3, async ({ cluster, file, mount, warnings }) => {
      await mount(2).setLock(file, posix(1, 'write', 0, 9))
      await cluster.pause(200)
      assert.ok(!(mount(2).setLock(file, posix(1, 'write', 20, 29)) instanceof Promise))
      cluster.crash(1)
      // Long enough to hear of it, and too short for the table to be written down.
      await cluster.pause(20)
      const waited = mount(2).setLockWait(file, posix(2, 'write', 100))
      await cluster.start(1)
      await waited
      await cluster.pause(3000)
      for (const [start, end] of [
        [0, 0],
        [29, 40],
        [200, 200],
      ])
        assert.equal(await outcome(() => mount(3).setLock(file, posix(1, 'read', start, end))), 'EAGAIN')
      assert.equal(await outcome(() => mount(3).setLock(file, posix(1, 'read', 10, 19))), 'done')
      // Of the mount whose node it was.
      warnings.length = 0
    })
  })

  it('of a mount that is cut off go to those who ask for them, and else are its own again later', async () => {
    await withMounts(3, async ({ cluster, file, mount, warnings }) => {
      await mount(2).setLock(file, posix(1, 'write', 0, 9))
      await mount(2).setLock(file, posix(1, 'write', 20, 29))
      await cluster.pause(500)
      const mends = [cluster.cut(1, 2), cluster.cut(2, 3)]
      await mount(3).setLockWait(file, posix(1, 'write', 0, 0))
      for (const mend of mends) mend()
      await cluster.pause(10_000)
      assert.equal(await outcome(() => mount(2).setLock(file, posix(2, 'write', 50, 50))), 'done')
      assert.equal(await outcome(() => mount(2).setLock(file, posix(2, 'write', 0, 0))), 'EAGAIN')
      assert.ok(warnings.some((one) => one.includes('a lock on a file was lost')))
      warnings.length = 0
      const stop = new AbortController()
      const waited = outcome(() => mount(3).setLockWait(file, posix(1, 'read', 20, 20), stop.signal))
      await cluster.pause(10_000)
      stop.abort()
      assert.equal(await waited, 'EINTR', 'it lives, and has the lock again')
    })
  })

  it('tell of a deadlock that comes about when a mount that was cut off claims its locks again', async () => {
    await withMounts(3, async ({ cluster, file, mount, warnings }) => {
      await mount(1).setLock(file, posix(1, 'write', 10, 10))
      await mount(3).setLock(file, posix(3, 'write', 30, 30))
      await mount(2).setLock(file, posix(2, 'write', 20, 20))
      const waited = outcome(() => mount(2).setLockWait(file, posix(2, 'write', 10, 10)))
      await cluster.pause(500)
      const mends = [cluster.cut(1, 2), cluster.cut(2, 3)]
      await mount(3).setLockWait(file, posix(4, 'write', 20, 20))
      await mount(3).releaseLocks(file, 'posix', 4n)
      const had = mount(1).setLockWait(file, posix(1, 'write', 20, 30))
      await cluster.pause(200)
      for (const mend of mends) mend()
      assert.equal(await waited, 'EDEADLK')
      await mount(2).releaseLocks(file, 'posix', 2n)
      await mount(3).releaseLocks(file, 'posix', 3n)
      await had
      warnings.length = 0
    })
  })

  it('show in nothing else of the file, and go with it', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      await mount(1).write(file, 0, bytesOf('x'.repeat(10_000)))
      const before = await mount(1).attributes(file)
      await mount(1).setLock(file, posix(1, 'write'))
      await mount(2).setLock(file, flock(1, 'write'))
      await cluster.pause(200)
      assert.deepEqual(await mount(1).attributes(file), before)
      await mount(1).setAttributes(file, { size: 2 ** 40 })
      assert.equal(await outcome(() => mount(1).seek(file, 20_000, 'data')), 'ENXIO')
      assert.equal(await mount(1).seek(file, 0, 'hole'), 12_288)
      await mount(1).punchHole(file, 0, 2 ** 40)
      await mount(1).setAttributes(file, { size: 100 })
      await cluster.pause(3000)
      assert.equal(await outcome(() => mount(2).setLock(file, posix(1, 'read'))), 'EAGAIN')
      assert.equal(await outcome(() => mount(1).setLock(file, flock(1, 'read'))), 'EAGAIN')
      await mount(2).open(file)
      const { ino } = await mount(1).unlink(mount(1).root, bytesOf('file'))
      const had = outcome(() => mount(1).setLockWait(file, flock(1, 'write')))
      await cluster.pause(1000)
      await mount(2).releaseLocks(file, 'flock', 1n)
      assert.equal(await had, 'done')
      mount(2).close(ino)
      await cluster.until(
        'it is gone',
        async () => (await outcome(() => mount(2).attributes(file))) === 'ESTALE',
        500,
      )
      assert.equal(await outcome(() => mount(2).setLock(file, posix(7, 'read'))), 'ESTALE')
    })
  })
})
