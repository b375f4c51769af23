import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prng } from '../../src/stdx/prng.js'
import { fsCluster, makeAndMount, mountAt } from './mounts.js'
import { different } from './different.js'
import { Model } from './model.js'
import { Player, pictureOf } from './player.js'
import { RandomSteps } from './random-steps.js'

const seeds = Number(process.env['KHAZANA_FS_SEEDS'] ?? 6)
const firstSeed = Number(process.env['KHAZANA_FS_SEED'] ?? 1)
const steps = 400

describe('random operations', () => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    it(`do the same as in a simple model, at two mounts in turn (seed ${seed})`, async () => {
      const cluster = fsCluster(2, seed)
      const random = Prng.fromSeed(seed)
      await cluster.run(async () => {
        const { address, fs: one } = await makeAndMount(cluster, {
          releaseAfterMs: random.pick([1, 10, 1000]),
        })
        const two = await mountAt(cluster, 2, address)
        const [model, player, drawn] = [new Model(), new Player(one.root), new RandomSteps(random)]
        for (let count = 0; count < steps; count++) {
          const step = drawn.next(model)
          const next = Math.max(...model.files.keys()) + 1
          const expected = model.apply(step)
          const actual = await player.play(random.chance(0.5) ? one : two, step, next)
          assert.deepEqual(actual, expected, `step ${count}: ${JSON.stringify(step).slice(0, 300)}`)
          if (random.chance(0.02)) await cluster.pause(random.below(100))
        }
        assert.deepEqual(different(await pictureOf(two), model.picture()), [])
        await one.unmount()
        await two.unmount()
        const again = await mountAt(cluster, 2, address)
        assert.deepEqual(different(await pictureOf(again), model.picture()), [])
        await again.unmount()
      })
    })
  }
})
