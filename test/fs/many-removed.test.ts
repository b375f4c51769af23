import assert from 'node:assert/strict'
import { it } from 'node:test'
import { FsError } from '../../src/fs/errno.js'
import { bytesOf, fsCluster, makeAndMount, plainFile } from './mounts.js'

/** Files without a name that a mount keeps in mind. */
const orphansMax = 7680
/** Of real time: there are many files. */
const wallClockMsMax = 300_000

it('a tree of any size can be removed, faster than its files go', async () => {
  const cluster = fsCluster(1, 1, { diskBytesMax: 1024 * 1024 * 1024 }, wallClockMsMax)
  await cluster.run(async () => {
    const { fs } = await makeAndMount(cluster, { releaseAfterMs: 5 })
    const names = Array.from({ length: orphansMax + 200 }, (_, number) => bytesOf(`file-${number}`))
    for (const name of names) await fs.create(fs.root, name, plainFile)
    await fs.syncAll()
    const before = await fs.usage()
    const removeNext = async (): Promise<void> => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) await fs.unlink(fs.root, name)
    }
    await Promise.all(Array.from({ length: 16 }, removeNext))
    assert.deepEqual(await fs.list(fs.root, -1), [])
    await cluster.until('all have gone', async () => (await fs.usage()).bytesUsed < before.bytesUsed / 4)
    await fs.unmount()
  })
})

it('as many files as are kept in mind may be open without a name, and one more is an error', async () => {
  const cluster = fsCluster(1, 1, { diskBytesMax: 1024 * 1024 * 1024 }, wallClockMsMax)
  await cluster.run(async () => {
    const { fs } = await makeAndMount(cluster, { releaseAfterMs: 5 })
    const inos: number[] = []
    const removeOne = async (number: number): Promise<void> => {
      const { address, ino } = await fs.create(fs.root, bytesOf(`file-${number}`), plainFile)
      await fs.open(address)
      inos.push(ino)
      await fs.unlink(fs.root, bytesOf(`file-${number}`))
    }
    for (let number = 0; number < orphansMax; number++) await removeOne(number)
    const more = Array.from({ length: 5 }, async (_, index) =>
      assert.rejects(
        () => removeOne(orphansMax + index),
        (error) => error instanceof FsError && error.code === 'ENOSPC',
      ),
    )
    await Promise.all(more)
    for (const ino of inos) fs.close(ino)
    await removeOne(orphansMax + 5)
    await fs.unmount()
  })
})
