import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import type { FileSystem } from '../../src/fs/file-system.js'
import { bytesOf, fsCluster, makeAndMount, mountAt, plainDirectory, plainFile, textOf } from './mounts.js'
import type { Address } from '../../src/address/address.js'

const name = 'user.khazana.replicas'

const replicasOf = async (fs: FileSystem, file: Address): Promise<string> =>
  textOf(await fs.getXattr(file, name))

describe('on how many nodes a file is kept', () => {
  it('can be changed while it is used, of files and directories, and is inherited', async () => {
    const cluster = fsCluster(3)
    await cluster.run(async () => {
      const { address, fs } = await makeAndMount(cluster)
      const other = await mountAt(cluster, 2, address)
      const kept = new Khazana(cluster.node(3))
      const directory = await fs.create(fs.root, bytesOf('d'), plainDirectory)
      const file = await fs.create(directory.address, bytesOf('f'), plainFile)
      await fs.write(file.address, 0, bytesOf('before'))
      const isOn = async (at: Address): Promise<number> =>
        (await (await kept.region(at)).stat({ offset: 0, length: 4096 })).group.length
      assert.equal(await isOn(file.address), 1)

      const changing = other.setXattr(file.address, { name, value: bytesOf('2') })
      for (let count = 0; count < 20; count++)
        await fs.write(file.address, 10 * count, bytesOf(`at ${count}`))
      await changing
      assert.deepEqual([await isOn(file.address), await replicasOf(fs, file.address)], [2, '2'])
      assert.equal(textOf(await other.read(file.address, 190, 10)), 'at 19')

      await fs.setXattr(directory.address, { name, value: bytesOf('3') })
      const made = await other.create(directory.address, bytesOf('g'), plainFile)
      assert.deepEqual(
        [await isOn(directory.address), await isOn(made.address), await replicasOf(fs, made.address)],
        [3, 3, '3'],
      )
      await fs.setXattr(file.address, { name, value: bytesOf('1') })
      assert.deepEqual([await isOn(file.address), await replicasOf(other, file.address)], [1, '1'])
      for (const value of ['0', '8', 'two', '1.5'])
        await assert.rejects(async () => fs.setXattr(file.address, { name, value: bytesOf(value) }), {
          code: 'EINVAL',
        })
      await assert.rejects(async () => fs.setXattr(file.address, { name, value: bytesOf('4') }), {
        code: 'EIO',
      })
      assert.equal(await replicasOf(fs, file.address), '1')
      await assert.rejects(async () => fs.setXattr(file.address, { name, value: bytesOf('2') }, 'create'), {
        code: 'EEXIST',
      })
      await other.unmount()
      await fs.unmount()
    })
  })
})
