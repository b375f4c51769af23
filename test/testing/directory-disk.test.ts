import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../../src/stdx/prng.js'
import type { Directory } from '../../src/io/storage.js'
import { DirectoryDisk } from '../../src/testing/directory-disk.js'
import type { CrashingDirectory } from '../../src/testing/directory-disk.js'
import { MemoryDisk } from './memory-disk.js'

/** One file of as many bytes as its path has letters; each crash lengthens the path. */
async function namedDirectory(path: string): Promise<CrashingDirectory> {
  const inner: Directory = await new MemoryDisk().openDirectory(path)
  const make = (name: string): CrashingDirectory => ({
    path: name,
    capacityBytes: Infinity,
    crash: () => make(`${name}!`),
    names: () => ['file'],
    content: () => new Uint8Array(name.length),
    list: () => inner.list(),
    open: (file, options) => inner.open(file, options),
    remove: (file) => inner.remove(file),
    rename: (from, to) => inner.rename(from, to),
    sync: () => inner.sync(),
    lock: () => inner.lock(),
  })
  return make(path)
}

test('a directory is the same one each time, until power is lost', async () => {
  const prepared = new Map([['a', await namedDirectory('a')]])
  const disk = new DirectoryDisk((path) => prepared.get(path) ?? assert.fail(`${path} was made twice`))
  const first = await disk.openDirectory('a')
  assert.equal(await disk.openDirectory('a'), first)
  prepared.clear()
  disk.losePower(Prng.fromSeed(1))
  assert.equal((await disk.openDirectory('a')).path, 'a!')
})

test('a limit leaves each directory what is free, and nothing when the disk is over it', async () => {
  const directories = [await namedDirectory('aaaa'), await namedDirectory('bb')]
  const disk = new DirectoryDisk((path) => directories.find((one) => one.path === path) ?? assert.fail(path))
  await disk.openDirectory('aaaa')
  await disk.openDirectory('bb')
  assert.equal(disk.usedBytes(), 6)
  const capacities = (): number[] => directories.map((one) => one.capacityBytes)
  disk.limit(10)
  assert.deepEqual(capacities(), [8, 6])
  disk.limit(1)
  assert.deepEqual(capacities(), [0, 0])
  disk.limit(undefined)
  assert.deepEqual(capacities(), [Infinity, Infinity])
})
