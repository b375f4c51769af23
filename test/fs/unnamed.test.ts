import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesOf, fsCluster, makeAndMount, mountAt, namesIn, plainFile, textOf } from './mounts.js'

describe('a file that is made without a name', () => {
  it('is there while it is open, and goes when it is closed', async () => {
    const cluster = fsCluster(1)
    await cluster.run(async () => {
      const { fs } = await makeAndMount(cluster)
      const file = await fs.createUnnamed(fs.root, plainFile)
      await fs.write(file.address, 0, bytesOf('nameless'))
      await cluster.pause(3000)
      assert.equal(textOf(await fs.read(file.address, 0, 100)), 'nameless')
      assert.deepEqual([file.links, await namesIn(fs, fs.root)], [0, []])
      fs.close(file.ino)
      await cluster.pause(3000)
      await assert.rejects(async () => fs.attributes(file.address), { code: 'ESTALE' })
      await fs.unmount()
    })
  })

  it('stays once it has a name, which another mount may give it; and has no second beginning', async () => {
    const cluster = fsCluster(2)
    await cluster.run(async () => {
      const { address, fs: one } = await makeAndMount(cluster)
      const two = await mountAt(cluster, 2, address)
      const file = await one.createUnnamed(one.root, plainFile)
      await one.write(file.address, 0, bytesOf('named'))
      await two.link(file.address, two.root, bytesOf('file'))
      one.close(file.ino)
      await cluster.pause(3000)
      const found = await two.lookup(two.root, bytesOf('file'))
      assert.deepEqual([found.ino, found.links], [file.ino, 1])
      assert.equal(textOf(await two.read(found.address, 0, 100)), 'named')
      await one.open(file.address)
      await two.unlink(two.root, bytesOf('file'))
      await assert.rejects(async () => two.link(file.address, two.root, bytesOf('again')), { code: 'ENOENT' })
      one.close(file.ino)
      const never = await one.createUnnamed(one.root, plainFile, 'never-named')
      await assert.rejects(async () => two.link(never.address, two.root, bytesOf('x')), { code: 'ENOENT' })
      await one.unmount()
      await two.unmount()
    })
  })

  it('is cleared away by the next mount, where its own dies', async () => {
    const cluster = fsCluster(1)
    await cluster.run(async () => {
      const { address, fs } = await makeAndMount(cluster)
      const file = await fs.createUnnamed(fs.root, plainFile)
      await fs.syncAll()
      cluster.crash(1)
      await cluster.start(1)
      const next = await mountAt(cluster, 1, address)
      await cluster.pause(5000)
      await assert.rejects(async () => next.attributes(file.address), { code: 'ESTALE' })
      await next.unmount()
    })
  })
})
