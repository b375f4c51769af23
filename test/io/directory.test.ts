import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { hasDirectory, openDirectory } from '../../src/io/node/directory.js'
import { Prng } from '../../src/stdx/prng.js'

let base = ''
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'khazana-directory-'))
})
afterEach(() => {
  rmSync(base, { recursive: true })
})

test('what is written is read, across more chunks than one system call takes', async () => {
  const directory = await openDirectory(base)
  const file = await directory.open('a', { create: true })
  const random = Prng.fromSeed(1)
  const chunks = Array.from({ length: 2500 }, () => random.bytes(random.below(40)))
  const all = Buffer.concat(chunks)
  await file.write(100, chunks)
  await file.sync()
  assert.equal(file.size(), 100 + all.length)
  const into = new Uint8Array(all.length)
  assert.equal(await file.read(100, into), all.length)
  assert.deepEqual(Buffer.from(into), all)
  assert.equal(await file.read(100 + all.length - 5, into), 5)
  assert.equal(await file.read(1_000_000, into), 0)
  await file.close()
})

test('reads that begin together are each what it would be alone: neighbours, one that begins anywhere, and what is behind the end', async () => {
  const directory = await openDirectory(base)
  const file = await directory.open('a', { create: true })
  const random = Prng.fromSeed(2)
  const all = random.bytes(3 * 1024 * 1024 + 1234)
  await file.write(0, [all])
  for (let round = 0; round < 30; round++) {
    const wanted: { readonly at: number; readonly into: Uint8Array }[] = []
    while (wanted.length < 400) {
      let at = random.below(all.length + 5000)
      // More and fewer than one call takes, buffers and bytes, in any order.
      const length = 1 + random.below(round % 2 === 0 ? 100 : 40_000)
      for (let run = random.below(300); run >= 0; run--, at += length)
        wanted.splice(random.below(wanted.length + 1), 0, { at, into: new Uint8Array(length) })
    }
    const got = await Promise.all(wanted.map(({ at, into }) => file.read(at, into)))
    wanted.forEach(({ at, into }, index) => {
      const expected = all.subarray(at, at + into.length)
      assert.equal(got[index], expected.length)
      assert.ok(Buffer.from(into.subarray(0, expected.length)).equals(expected))
    })
  }
  await file.close()
  await assert.rejects(file.read(0, new Uint8Array(1)), { code: 'closed' })
})

test('resizing fills with zeros that occupy the disk, and cuts', async () => {
  const directory = await openDirectory(base)
  const file = await directory.open('a', { create: true })
  await file.resize(3 * 1024 * 1024 + 5)
  await file.sync()
  const { size, blocks } = statSync(join(base, 'a'))
  assert.equal(size, 3 * 1024 * 1024 + 5)
  assert(blocks * 512 >= size, `only ${blocks} blocks`)
  await file.resize(4096)
  assert.equal(file.size(), 4096)
  assert.equal(statSync(join(base, 'a')).size, 4096)
  await file.close()
})

test('looking for a directory makes none', async () => {
  const path = join(base, 'a', 'b')
  assert.equal(await hasDirectory(path), false)
  assert.equal(await hasDirectory(path), false)
  await (await openDirectory(join(base, 'a'))).open('b', { create: true })
  assert.equal(await hasDirectory(path), false, 'a file is none')
  assert.equal(await hasDirectory(join(path, 'c')), false)
  assert.equal(await hasDirectory(join(base, 'a')), true)
})

test('directories and files are for their owner alone', async () => {
  const path = join(base, 'deep', 'down')
  const directory = await openDirectory(path)
  const file = await directory.open('a', { create: true })
  assert.equal(statSync(path).mode & 0o777, 0o700)
  assert.equal(statSync(join(path, 'a')).mode & 0o777, 0o600)
  await file.close()
})

test('files are listed in order, renamed over others and removed', async () => {
  const directory = await openDirectory(base)
  for (const name of ['c', 'a', 'b']) await (await directory.open(name, { create: true })).close()
  assert.deepEqual(await directory.list(), ['a', 'b', 'c'])
  await directory.rename('c', 'a')
  await directory.remove('b')
  await directory.sync()
  assert.deepEqual(await directory.list(), ['a'])
  await assert.rejects(directory.open('b', { create: false }), { code: 'bad-format' })
  await assert.rejects(directory.remove('b'), { code: 'storage-failed' })
})

test('a full disk is told from a broken one', async () => {
  const directory = await openDirectory('/dev')
  const full = await directory.open('full', { create: false }).catch(() => undefined)
  if (full === undefined) return
  await assert.rejects(full.write(0, [new Uint8Array(10)]), { code: 'no-space' })
  await full.close()
  await assert.rejects(full.sync(), { code: 'closed' })
})

test('closing waits for what is under way', async () => {
  const directory = await openDirectory(base)
  const file = await directory.open('a', { create: true })
  const write = file.write(0, [new Uint8Array(2 ** 21)])
  const read = file.read(0, new Uint8Array(2 ** 20))
  await file.close()
  await Promise.all([write, read])
  await assert.rejects(file.read(0, new Uint8Array(1)), { code: 'closed' })
  assert.equal(statSync(join(base, 'a')).size, 2 ** 21)
})

test('a directory is locked once, also within one process, and free again after release', async () => {
  const directory = await openDirectory(base)
  const lock = await directory.lock()
  await assert.rejects((await openDirectory(base)).lock(), { code: 'directory-in-use' })
  await lock.release()
  await lock.release()
  const again = await directory.lock()
  await again.release()
})

test('the kernel frees the directory of a process that was killed', async () => {
  const module = new URL('../../src/io/node/directory.js', import.meta.url).href
  const program = `
    const { openDirectory } = await import(${JSON.stringify(module)})
    await (await openDirectory(${JSON.stringify(base)})).lock()
    console.log('locked')
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const directory = await openDirectory(base)
  await assert.rejects(directory.lock(), {
    code: 'directory-in-use',
    message: new RegExp(`process ${child.pid}`),
  })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await directory.lock()).release()
})
