import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import { PageRunner } from '../../src/fs/pages/page-runner.js'
import { bytesOf, fsCluster, makeAndMount, mountAt, namesIn, plainFile, simEnvironment } from './mounts.js'

describe('what a mount leaves that dies', () => {
  it('is cleared away by the next: regions for new files, and files that were open and have no name', async () => {
    const cluster = fsCluster(1)
    await cluster.run(async () => {
      const { address, fs } = await makeAndMount(cluster)
      await fs.unmount()
      const regions = (): number => cluster.node(1).status().regions
      const before = regions()
      const dying = await mountAt(cluster, 1, address)
      for (const name of ['kept', 'open']) {
        const file = await dying.create(dying.root, bytesOf(name), plainFile)
        await dying.open(file.address)
      }
      await dying.unlink(dying.root, bytesOf('open'))
      await dying.syncAll()
      await cluster.pause(1000)
      assert.ok(regions() > before + 2, 'it has regions for new files')
      cluster.crash(1)
      await cluster.start(1)
      const warnings: string[] = []
      const next = await mountAt(cluster, 1, address, {}, warnings)
      assert.deepEqual(await namesIn(next, next.root), ['kept'])
      await cluster.pause(5000)
      await next.unmount()
      assert.equal(regions(), before + 1, 'the file that has a name is what is more')
      assert.deepEqual(warnings, [])
    })
  })
})

describe('an operation that fails in the middle of its changes, by a fault of ours', () => {
  it('leaves nothing of them, nor of what was to be released with them, and says so', async () => {
    const cluster = fsCluster(1)
    await cluster.run(async () => {
      const khazana = new Khazana(cluster.node(1))
      const warnings: string[] = []
      const runner = new PageRunner({
        ...{
          khazana,
          environment: simEnvironment(cluster, warnings),
          releaseAfterMs: 1000,
          timeoutMs: 10_000,
        },
      })
      const handle = await cluster.reserve(1, 2)
      const region = runner.region(handle.address)
      const set = (page: number, value: number, fails: 'fails' | 'goes well'): Promise<void> | void =>
        runner.run((attempt) => {
          const bytes = attempt.write(region, page)
          attempt.change()
          bytes[0] = value
          if (fails === 'fails') throw new Error('planted')
        })
      await set(0, 1, 'goes well')
      await runner.durable(region)
      await set(1, 2, 'goes well')
      await assert.rejects(async () => set(0, 3, 'fails'), /planted/)
      await assert.rejects(runner.durable(region), { code: 'EIO' })
      const seen = await runner.run((attempt) => [0, 1].map((page) => attempt.pageOf(region, page)[0]))
      assert.deepEqual(seen, [1, 0])
      assert.equal(warnings.length, 1)
    })
  })
})
