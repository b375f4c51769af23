import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  bytesOf,
  fsCluster,
  makeAndMount,
  mountAt,
  namesIn,
  plainDirectory,
  plainFile,
  textOf,
  walk,
} from './mounts.js'

describe('a file system', () => {
  it('has an empty root, and keeps what is made in it for the next mount', async () => {
    const cluster = fsCluster(1)
    await cluster.run(async () => {
      const { address, fs } = await makeAndMount(cluster)
      assert.deepEqual(await namesIn(fs, fs.root), [])
      const directory = await fs.create(fs.root, bytesOf('sub'), plainDirectory)
      const file = await fs.create(directory.address, bytesOf('file'), plainFile)
      assert.equal(await fs.write(file.address, 0, bytesOf('hello')), 0)
      assert.equal(textOf(await fs.read(file.address, 0, 100)), 'hello')
      await fs.unmount()
      const again = await mountAt(cluster, 1, address)
      const found = await walk(again, 'sub/file')
      assert.equal(textOf(await again.read(found.address, 0, 100)), 'hello')
      assert.equal(found.size, 5)
      assert.equal((await walk(again, 'sub')).links, 2)
      assert.equal((await again.attributes(again.root)).links, 3)
      await again.unmount()
    })
  })

  it('does at once what it has all pages for', async () => {
    const cluster = fsCluster(1)
    await cluster.run(async () => {
      const { fs } = await makeAndMount(cluster)
      await fs.create(fs.root, bytesOf('first'), plainFile)
      await cluster.pause(200)
      for (let count = 0; count < 20; count++) {
        const made = fs.create(fs.root, bytesOf(`file-${count}`), plainFile)
        assert.ok(!(made instanceof Promise), `file ${count}`)
        assert.ok(!(fs.write(made.address, 0, bytesOf('x')) instanceof Promise))
        assert.ok(!(fs.read(made.address, 0, 1) instanceof Promise))
        assert.ok(!(fs.lookup(fs.root, bytesOf('first')) instanceof Promise))
      }
      await fs.unmount()
    })
  })

  it('shows at one mount what has been done at another, at once', async () => {
    const cluster = fsCluster(2)
    await cluster.run(async () => {
      const { address, fs: one } = await makeAndMount(cluster)
      const two = await mountAt(cluster, 2, address)
      for (let round = 0; round < 10; round++) {
        const name = bytesOf(`file-${round}`)
        const [here, there] = round % 2 === 0 ? [one, two] : [two, one]
        const { address: file } = await here.create(here.root, name, plainFile)
        await here.write(file, 0, bytesOf(`round ${round}`))
        const found = await there.lookup(there.root, name)
        assert.equal(textOf(await there.read(found.address, 0, 100)), `round ${round}`)
        await there.write(file, 0, bytesOf('again'), { isAppend: true })
        assert.equal(textOf(await here.read(file, 0, 100)), `round ${round}again`)
      }
      await one.unmount()
      await two.unmount()
    })
  })

  it('keeps a file of many pages, holes and all', async () => {
    const cluster = fsCluster(1)
    await cluster.run(async () => {
      const { fs } = await makeAndMount(cluster)
      const { address: file } = await fs.create(fs.root, bytesOf('large'), plainFile)
      const bytes = Uint8Array.from({ length: 700_000 }, (_, index) => (index * 7) % 251)
      await fs.write(file, 0, bytes)
      assert.deepEqual(await fs.read(file, 0, bytes.length + 10), bytes)
      assert.deepEqual(await fs.read(file, 123_456, 1000), bytes.subarray(123_456, 124_456))
      const far = 2 ** 40
      await fs.write(file, far, bytesOf('far away'))
      assert.equal(textOf(await fs.read(file, far, 100)), 'far away')
      assert.deepEqual(await fs.read(file, far - 10, 10), new Uint8Array(10))
      assert.equal((await fs.seek(file, 0, 'hole')) % 4096, 0)
      assert.equal(await fs.seek(file, 2 ** 23, 'data'), far)
      await fs.setAttributes(file, { size: 1000 })
      assert.deepEqual(await fs.read(file, 0, 5000), bytes.subarray(0, 1000))
      await fs.setAttributes(file, { size: 10_000 })
      assert.deepEqual(await fs.read(file, 1000, 9000), new Uint8Array(9000), 'nothing comes back to light')
      await fs.unmount()
    })
  })

  it('stays fast and complete with thousands of names in one directory', async () => {
    const cluster = fsCluster(1)
    await cluster.run(async () => {
      const { fs } = await makeAndMount(cluster)
      const { address: directory } = await fs.create(fs.root, bytesOf('many'), plainDirectory)
      const names: string[] = []
      for (let count = 0; count < 3000; count++) {
        names.push(`a rather long name for a file, number ${count}`)
        await fs.link(
          (await fs.create(fs.root, bytesOf(`n${count}`), plainFile)).address,
          directory,
          bytesOf(names[count] ?? ''),
        )
        await fs.unlink(fs.root, bytesOf(`n${count}`))
      }
      assert.deepEqual((await namesIn(fs, directory)).sort(), names.toSorted())
      for (const [index, name] of names.entries())
        if (index % 3 === 0) await fs.unlink(directory, bytesOf(name))
      const left = names.filter((_, index) => index % 3 !== 0)
      assert.deepEqual((await namesIn(fs, directory)).sort(), left.toSorted())
      for (const name of left) assert.equal((await fs.lookup(directory, bytesOf(name))).links, 1)
      await assert.rejects(async () => fs.lookup(directory, bytesOf(names[0] ?? '')), { code: 'ENOENT' })
      await fs.unmount()
    })
  })

  it('takes a file away with its last name, and not before it is closed everywhere', async () => {
    const cluster = fsCluster(2)
    await cluster.run(async () => {
      const { address, fs: one } = await makeAndMount(cluster)
      const two = await mountAt(cluster, 2, address)
      const file = await one.create(one.root, bytesOf('file'), plainFile)
      await one.write(file.address, 0, bytesOf('still here'))
      await two.open(file.address)
      await one.unlink(one.root, bytesOf('file'))
      await cluster.pause(3000)
      assert.equal(textOf(await two.read(file.address, 0, 100)), 'still here')
      assert.equal((await two.attributes(file.address)).links, 0)
      two.close(file.ino)
      await cluster.until(
        'it is gone',
        async () => {
          try {
            await two.attributes(file.address)
            return false
          } catch {
            return true
          }
        },
        500,
      )
      await one.unmount()
      await two.unmount()
    })
  })
})
