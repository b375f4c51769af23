import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { bytesOf, khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'

const MiB = 1024 * 1024

interface Resources {
  readonly memoryBytes: number
  readonly memoryBytesMax: number
  readonly diskBytes: number
  readonly diskBytesMax: number
}

async function resourcesAt(at: string, ...options: string[]): Promise<Resources> {
  return JSON.parse(await output(['resources', ...options, '--json'], { at })) as Resources
}

/** Of the log's files, as the system sees them. */
async function bytesIn(dir: string): Promise<number> {
  const log = join(dir, 'log')
  const sizes = (await readdir(log))
    .filter((name) => name.endsWith('.log'))
    .map(async (name) => (await stat(join(log, name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

test('resources shows the limits of a running node and changes them, until it ends', async () => {
  await using folder = await TemporaryFolder.make()
  const args = ['--memory', '32MiB', '--disk', '64MiB', '--auto-migrate']
  await using daemon = await Daemon.start(folder.in('1'), args)
  const { at, dir } = daemon
  assert.match(
    await output(['resources'], { at }),
    /^memory {3}[\d.]+ of 32 MiB: .*\ndisk {5}[\d.]+ of 64 MiB: .*\nstorage {2}[\d.]+ of \d+ MiB: [^\n]*$/,
  )
  const content = randomBytes(40 * MiB)
  const full = await khazana(['put', '-'], { at, input: content })
  assert.match(full.stderr, /^khazana: no-space: .*khazana resources --disk/)

  const told = await output(['resources', '--disk', '192MiB', '--memory', '64MiB'], { at })
  assert.match(
    told,
    /of 64 MiB: [^]* of 192 MiB: [^]*\nThese limits hold until the node ends: start it with --memory and --disk/,
  )
  const address = await output(['put', '-'], { at, input: content })
  assert.ok((await bytesIn(dir)) <= 192 * MiB)
  assert.match(await output(['nodes'], { at }), / of 64 {2,}\d+ of 192 /)

  const refused = await khazana(['resources', '--disk', '64MiB', '--memory', '8MiB'], { at })
  assert.equal(refused.status, 1)
  assert.match(
    refused.stderr,
    /^khazana: no-space: .*a disk limit of at least \d+ bytes: free something, or move regions/,
  )
  assert.equal((await resourcesAt(at)).memoryBytesMax, 64 * MiB)
  const { memoryBytes } = await resourcesAt(at, '--memory', '8MiB')
  assert.ok(memoryBytes <= 8 * MiB, `${memoryBytes} bytes of pages in RAM`)
  assert.ok(content.equals(await bytesOf(['get', address], { at })))

  await output(['unreserve', address], { at })
  assert.equal((await resourcesAt(at, '--disk', '64MiB')).diskBytesMax, 64 * MiB)
  for (let tries = 0; (await bytesIn(dir)) > 64 * MiB; tries++) {
    assert.ok(tries < 100, 'files are given back to the disk')
    await delay(100)
  }
  assert.equal((await khazana(['resources', '--disk', '3 MB'], { at })).status, 2)

  assert.equal(await daemon.end('SIGTERM'), 0)
  await using again = await Daemon.start(dir, args)
  const { memoryBytesMax, diskBytesMax } = await resourcesAt(again.at)
  assert.deepEqual([memoryBytesMax, diskBytesMax], [32 * MiB, 64 * MiB])
})
