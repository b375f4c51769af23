import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import type { FsError } from '../../src/fs/errno.js'
import { FileSystem } from '../../src/fs/file-system.js'
import type { NodeCluster } from '../node/node-cluster.js'
import {
  bytesOf,
  fsCluster,
  makeAndMount,
  mountAt,
  namesIn,
  plainDirectory,
  plainFile,
  simEnvironment,
  textOf,
} from './mounts.js'

/** More than are reserved ahead, so that addresses of what is gone come again. */
const files = 300

const nameOf = (count: number): Uint8Array => bytesOf(`file-${count}`)

async function makeAll(fs: FileSystem, text: string): Promise<void> {
  for (let count = 0; count < files; count++) {
    const { address } = await fs.create(fs.root, nameOf(count), count % 2 === 0 ? plainFile : plainDirectory)
    if (count % 2 === 0) await fs.write(address, 0, bytesOf(text))
  }
}

async function removeAll(fs: FileSystem): Promise<void> {
  for (let count = 0; count < files; count++)
    await (count % 2 === 0 ? fs.unlink(fs.root, nameOf(count)) : fs.removeDirectory(fs.root, nameOf(count)))
}

async function seeAll(fs: FileSystem, text: string): Promise<void> {
  assert.equal((await namesIn(fs, fs.root)).length, files)
  for (let count = 0; count < files; count++) {
    const found = await fs.lookup(fs.root, nameOf(count))
    if (count % 2 === 0) assert.equal(textOf(await fs.read(found.address, 0, 100)), text)
    else assert.deepEqual(await fs.list(found.address, -1), [])
  }
}

/** Files are made at one of two mounts and seen at the other, and taken away, again and again. */
async function useAgainAndAgain(cluster: NodeCluster, one: FileSystem, two: FileSystem): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const [here, there] = round === 1 ? [two, one] : [one, two]
    await makeAll(here, `round ${round}`)
    await seeAll(there, `round ${round}`)
    await removeAll(round === 2 ? there : here)
    await cluster.pause(20_000)
  }
  await one.unmount()
  await two.unmount()
}

describe('addresses of files that are gone, which new files get', () => {
  it('mean the new files at mounts that knew the old ones', async () => {
    const cluster = fsCluster(2)
    await cluster.run(async () => {
      const { address, fs: one } = await makeAndMount(cluster)
      await useAgainAndAgain(cluster, one, await mountAt(cluster, 2, address))
    })
  })

  it('mean the new files to clients of nodes that knew the old ones', async () => {
    const cluster = fsCluster(2)
    await cluster.run(async () => {
      const { address, fs: one } = await makeAndMount(cluster)
      const client = await cluster.client(2)
      const two = await FileSystem.mount(client, simEnvironment(cluster, [], 2), address)
      await useAgainAndAgain(cluster, one, two)
    })
  })

  it('are not the new files to who has the old ones in hand', async () => {
    const cluster = fsCluster(2)
    await cluster.run(async () => {
      const { address, fs: one } = await makeAndMount(cluster)
      const two = await mountAt(cluster, 2, address)
      await makeAll(one, 'before')
      const known = new Map<Address, number>()
      for (let count = 0; count < files; count++) {
        const found = await two.lookup(two.root, nameOf(count))
        known.set(found.address, found.ino)
      }
      await removeAll(one)
      await cluster.pause(20_000)
      await makeAll(one, 'after')
      for (const [file, ino] of known) {
        const seen = await Promise.resolve(two.attributes(file)).catch((reason: unknown) => reason)
        assert.equal((seen as FsError).code, 'ESTALE', `number ${ino}`)
      }
      await one.unmount()
      await two.unmount()
    })
  })
})
