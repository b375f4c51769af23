import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KhazanaError } from '../../src/stdx/errors.js'
import { FsError } from '../../src/fs/errno.js'
import { Prng } from '../../src/stdx/prng.js'
import { fsCluster, makeAndMount, mountAt } from './mounts.js'
import { different } from './different.js'
import { Model } from './model.js'
import type { Step } from './model.js'
import { Player, pictureOf } from './player.js'
import { RandomSteps } from './random-steps.js'

const seeds = Number(process.env['KHAZANA_FS_SEEDS'] ?? 8)
const firstSeed = Number(process.env['KHAZANA_FS_SEED'] ?? 1)
const stepsMax = 200
/** Where something went wrong once: an address was that of a new region when the file that it had been was looked for. */
const regressions = [103, 122]

describe('a crash', () => {
  const chosen = Array.from({ length: seeds }, (_, index) => firstSeed + index)
  for (const seed of [...chosen, ...regressions]) {
    it(`leaves what the operations up to one of them have made, and all that was synced (seed ${seed})`, async () => {
      const cluster = fsCluster(1, seed)
      const random = Prng.fromSeed(seed)
      await cluster.run(async () => {
        const { address, fs } = await makeAndMount(cluster, { releaseAfterMs: random.pick([1, 10, 1000]) })
        const [model, player, drawn] = [new Model(), new Player(fs.root), new RandomSteps(random)]
        const done: Step[] = []
        let synced = 0
        const work = async (): Promise<void> => {
          for (let count = 0; count < stepsMax; count++) {
            const step = drawn.next(model)
            const next = Math.max(...model.files.keys()) + 1
            done.push(step)
            const expected = model.apply(step)
            assert.deepEqual(
              await player.play(fs, step, next),
              expected,
              `step ${count}: ${JSON.stringify(step).slice(0, 300)}`,
            )
            if (random.chance(0.05)) {
              const { length } = done
              await fs.syncAll()
              synced = length
            }
            if (random.chance(0.05)) await cluster.pause(random.below(30))
          }
        }
        const working = work().catch((reason: unknown) => {
          if (reason instanceof assert.AssertionError) throw reason
          if (!(reason instanceof FsError || reason instanceof KhazanaError)) throw reason
        })
        await Promise.race([cluster.pause(200 + random.below(1500)), working])
        if (random.chance(0.5)) cluster.crash(1)
        else cluster.losePower(1)
        await cluster.start(1)
        const warnings: string[] = []
        const again = await mountAt(cluster, 1, address, {}, warnings)
        const picture = await pictureOf(again)
        const replayed = new Model()
        let isFound = false
        let nearest = ['nothing was synced']
        for (let count = 0; count <= done.length && !isFound; count++) {
          if (count >= synced) {
            const differences = different(picture, replayed.picture())
            isFound = differences.length === 0
            if (count === synced || differences.length < nearest.length) nearest = differences
          }
          const step = done[count]
          if (step !== undefined) replayed.apply(step)
        }
        assert.ok(
          isFound,
          `no moment is like that, of ${done.length} steps, ${synced} of which were synced: ${nearest.join('; ').slice(0, 1000)}`,
        )
        await cluster.pause(2000)
        await again.unmount()
        assert.deepEqual(warnings, [])
      })
    })
  }
})
