import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import { FileSystem } from '../../src/fs/file-system.js'
import { Prng } from '../../src/stdx/prng.js'
import { different } from './different.js'
import { Model } from './model.js'
import { fsCluster, mountAt, simEnvironment } from './mounts.js'
import { Player, pictureOf } from './player.js'
import { RandomSteps } from './random-steps.js'

const seeds = Number(process.env['KHAZANA_FS_SEEDS'] ?? 8)
const firstSeed = Number(process.env['KHAZANA_FS_SEED'] ?? 1)
const steps = 250
/** Node 1 has the coordinator. */
const [makerAt, mountedAt, lookedAt] = [2, 3, 4]

describe('a file system on two nodes each, of which one dies', () => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    it(`goes on at the mounts of the others, and nothing that they have done is lost (seed ${seed})`, async () => {
      const cluster = fsCluster(4, seed)
      const random = Prng.fromSeed(seed)
      await cluster.run(async () => {
        const maker = new Khazana(cluster.node(makerAt))
        const address = await FileSystem.make(maker, simEnvironment(cluster), { minReplicas: 2 })
        const warnings: string[] = []
        const options = { timeoutMs: 60_000, releaseAfterMs: random.pick([1, 10, 100]) }
        const fs = await mountAt(cluster, mountedAt, address, options, warnings)
        const [model, player, drawn] = [new Model(), new Player(fs.root), new RandomSteps(random)]
        const victim = random.pick([makerAt, lookedAt])
        const killedAt = random.int(20, steps - 20)
        for (let count = 0; count < steps; count++) {
          // In the middle of whatever is under way.
          if (count === killedAt) void cluster.pause(random.below(15)).then(() => cluster.crash(victim))
          if (random.chance(0.05)) await cluster.pause(random.below(30))
          const step = drawn.next(model)
          const next = Math.max(...model.files.keys()) + 1
          const expected = model.apply(step)
          const what = `step ${count}, node ${victim} dies at ${killedAt}: ${JSON.stringify(step).slice(0, 300)}`
          assert.deepEqual(await player.play(fs, step, next), expected, what)
        }
        await fs.syncAll()
        assert.deepEqual(
          warnings.filter((warning) => warning.includes('lost')),
          [],
        )
        const other = await mountAt(cluster, victim === lookedAt ? 1 : lookedAt, address)
        assert.deepEqual(different(await pictureOf(other), model.picture()), [])
        assert.deepEqual(different(await pictureOf(fs), model.picture()), [])
      })
    })
  }
})
