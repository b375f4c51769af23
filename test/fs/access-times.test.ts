import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FileAttributes } from '../../src/fs/attributes.js'
import { isEarlier } from '../../src/fs/environment.js'
import { bytesOf } from './mounts.js'
import { withMounts } from './locks/lock-fixture.js'

/** After that all mounts see that a file was read. Milliseconds. */
const seenAfterMs = 1200

function isRead({ accessed, modified }: FileAttributes): boolean {
  return !isEarlier(accessed, modified)
}

describe('when a file was read last', () => {
  it('is seen at once where it was read, and soon at the other mounts', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      await cluster.pause(10)
      await mount(1).write(file, 0, bytesOf('text'))
      await mount(1).sync(file)
      await cluster.pause(10)
      await mount(2).read(file, 0, 4)
      const { accessed, modified } = await mount(2).attributes(file)
      assert.ok(isEarlier(modified, accessed))
      assert.ok(!isRead(await mount(1).attributes(file)))
      await cluster.pause(seenAfterMs)
      assert.deepEqual((await mount(1).attributes(file)).accessed, accessed)
      assert.deepEqual((await mount(2).attributes(file)).accessed, accessed)
    })
  })

  it('takes nothing from who writes at another mount, however often it is read', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      await mount(1).write(file, 0, bytesOf('text'))
      await mount(1).sync(file)
      await cluster.pause(50)
      await mount(2).read(file, 0, 4)
      for (let round = 0; round < 20; round++) {
        // Reading takes the right to write from nobody: it is shared again at the first of these, and stays so.
        const attributes = mount(1).attributes(file)
        if (round > 0) assert.ok(!(attributes instanceof Promise), `round ${round}`)
        await attributes
        await mount(2).read(file, 0, 4)
      }
    })
  })

  it('is not what it was set to before, nor what came before a change', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      await mount(1).write(file, 0, bytesOf('text'))
      for (const setter of [1, 2]) {
        await cluster.pause(10)
        await mount(2).read(file, 0, 4)
        const accessed = { seconds: 1000 + setter, nanoseconds: 5 }
        await mount(setter).setAttributes(file, { accessed })
        assert.deepEqual((await mount(2).attributes(file)).accessed, accessed)
        await cluster.pause(seenAfterMs)
        for (const number of [1, 2])
          assert.deepEqual((await mount(number).attributes(file)).accessed, accessed)
      }
      await mount(2).read(file, 0, 4)
      await cluster.pause(10)
      await mount(1).write(file, 0, bytesOf('more'))
      await cluster.pause(seenAfterMs)
      for (const number of [1, 2]) assert.ok(!isRead(await mount(number).attributes(file)))
    })
  })

  it('is written down when the mount ends, and is no matter of files that have gone', async () => {
    await withMounts(2, async ({ cluster, file, mount }) => {
      await mount(1).write(file, 0, bytesOf('text'))
      const { address: other } = await mount(1).create(mount(1).root, bytesOf('other'), {
        ...{ kind: 'file', mode: 0o600, uid: 0, gid: 0 },
      })
      await mount(1).write(other, 0, bytesOf('text'))
      await mount(1).syncAll()
      await cluster.pause(10)
      await mount(2).read(other, 0, 4)
      await mount(2).read(file, 0, 4)
      await mount(1).unlink(mount(1).root, bytesOf('other'))
      await mount(2).unmount()
      assert.ok(isRead(await mount(1).attributes(file)))
    })
  })
})
