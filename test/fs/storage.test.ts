import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import type { FileSystem } from '../../src/fs/file-system.js'
import { bytesOf, fsCluster, makeAndMount, plainFile, textOf } from './mounts.js'

const page = 4096

async function withFile(run: (fs: FileSystem, file: Address) => Promise<void>): Promise<void> {
  const cluster = fsCluster(1)
  await cluster.run(async () => {
    const { fs } = await makeAndMount(cluster)
    const { address } = await fs.create(fs.root, bytesOf('file'), plainFile)
    await run(fs, address)
    await fs.unmount()
  })
}

async function storedPages(fs: FileSystem, file: Address): Promise<number> {
  return (await fs.attributes(file)).storedBytes / page
}

describe('what a file takes on the disk', () => {
  it('is what has been written, not what was set aside for more', () =>
    withFile(async (fs, file) => {
      await fs.write(file, 0, bytesOf('small'))
      assert.equal(await storedPages(fs, file), 0, 'it is beside the attributes')
      for (let index = 0; index < 20; index++)
        await fs.write(file, index * page, new Uint8Array(page).fill(1))
      assert.equal(await storedPages(fs, file), 20)
      await fs.setAttributes(file, { size: 5 * page })
      assert.equal(await storedPages(fs, file), 5)
    }))

  it('is little for a file with holes, more when they are filled, and less when they are punched', () =>
    withFile(async (fs, file) => {
      const far = 2 ** 30
      await fs.write(file, far, new Uint8Array(10 * page).fill(1))
      assert.equal(await storedPages(fs, file), 10)
      await fs.write(file, far / 2, new Uint8Array(3 * page).fill(2))
      assert.equal(await storedPages(fs, file), 13)
      await fs.write(file, far / 2, new Uint8Array(3 * page).fill(3))
      assert.equal(await storedPages(fs, file), 13)
      await fs.punchHole(file, far, 4 * page)
      assert.equal(await storedPages(fs, file), 9)
      await fs.allocate(file, far - page, 6 * page, 'keeps-size')
      assert.equal(await storedPages(fs, file), 14)
      await fs.allocate(file, far + 10 * page, page, 'keeps-size')
      assert.equal(await storedPages(fs, file), 15)
      assert.equal((await fs.attributes(file)).size, far + 10 * page)
      await fs.setAttributes(file, { size: 0 })
      assert.equal(await storedPages(fs, file), 0)
    }))

  it('has holes where nothing was ever written, from the first byte on', () =>
    withFile(async (fs, file) => {
      await fs.write(file, 100 * page, bytesOf('x'))
      await fs.write(file, page, bytesOf('y'))
      assert.equal(await fs.seek(file, 0, 'data'), page)
      assert.equal(await fs.seek(file, 0, 'hole'), 0)
      assert.equal(await fs.seek(file, 50 * page, 'data'), 100 * page)
      await assert.rejects(fs.seek(file, 100 * page + 1, 'data'), { code: 'ENXIO' })
    }))

  it('with more pieces than the home tells at once is data where that is not known', () =>
    withFile(async (fs, file) => {
      const pieces = 1100
      for (let index = 0; index < pieces; index++) await fs.write(file, (10 + index * 2) * page, bytesOf('x'))
      const last = (10 + (pieces - 1) * 2) * page
      assert.ok((await fs.seek(file, last - page, 'data')) <= last)
      assert.equal(textOf(await fs.read(file, last, 1)), 'x')
    }))
})

describe('extended attributes', () => {
  it('have names of any bytes, a character for each', () =>
    withFile(async (fs, file) => {
      const name = 'user.\u00ff odd'
      await fs.setXattr(file, { name, value: bytesOf('value') })
      assert.equal(textOf(await fs.getXattr(file, name)), 'value')
      assert.ok((await fs.listXattrs(file)).includes(name))
      await assert.rejects(async () => fs.setXattr(file, { name: 'user.\u0100', value: bytesOf('') }), {
        code: 'EINVAL',
      })
    }))
})
