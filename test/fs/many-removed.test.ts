import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesOf, fsCluster, makeAndMount, namesIn, plainFile } from './mounts.js'

/** More than the list of files without a name has room for. */
const files = 9000

describe('many files', () => {
  it('lose their names faster than they go, and none is refused for that', async () => {
    const cluster = fsCluster(1)
    await cluster.run(async () => {
      const { fs } = await makeAndMount(cluster)
      for (let count = 0; count < files; count++)
        await fs.create(fs.root, bytesOf(`file-${count}`), plainFile)
      for (let count = 0; count < files; count++) await fs.unlink(fs.root, bytesOf(`file-${count}`))
      assert.deepEqual(await namesIn(fs, fs.root), [])
      await fs.unmount()
    })
  })
})
