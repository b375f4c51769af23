import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findEtcd } from '../coordinator/etcd-process.js'

const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url))
const bench = promisify(execFile)

interface Document {
  readonly rows: readonly {
    readonly name: string
    readonly value: number
    readonly unit: string
    readonly limit: string | null
    readonly ratio: number | null
    readonly messagesPerOperation: number | null
  }[]
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
}

test('a benchmark row comes with its limit, as one document, and leaves nothing behind', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'khazana-bench-test-'))
  try {
    const args = [main, '--json', '--quick', '--rows', 'client-read-hit', '--directory', directory]
    const { stdout, stderr } = await bench(process.execPath, args)
    const { rows } = JSON.parse(stdout) as Document
    const [limit, row] = rows
    assert.deepEqual(
      rows.map(({ name, unit, limit }) => ({ name, unit, limit })),
      [
        { name: 'copy-4k', unit: 'us', limit: null },
        { name: 'client-read-hit', unit: 'us', limit: 'copy-4k' },
      ],
    )
    assert.equal(limit?.ratio, null)
    assert.ok(row !== undefined && row.value > 0)
    assert.equal(row.ratio, row.value / limit.value)
    assert.equal(row.messagesPerOperation, null)
    assert.equal(stderr, '')
    assert.deepEqual(await readdir(directory), [])
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a row that counts messages tells how many an operation takes', async () => {
  const args = [main, '--json', '--quick', '--rows', 'halves-in-turn-release']
  const { rows } = JSON.parse((await bench(process.execPath, args)).stdout) as Document
  const counts = rows.map(({ name, messagesPerOperation }) => [name, messagesPerOperation?.toFixed(1)])
  assert.deepEqual(counts, [
    // Of the home: recall and return. Of the other node: acquire and grant, commit and committed.
    ['halves-in-turn-crew', '3.0'],
    // Of the home: update and ack. Of the other node: commit and committed.
    ['halves-in-turn-release', '2.0'],
  ])
})

test('a row with replicas is held against plain processes that keep as many copies', async () => {
  const args = [main, '--json', '--quick', '--rows', 'durable-write-r2,durable-write-64-r3']
  const { rows } = JSON.parse((await bench(process.execPath, args)).stdout) as Document
  const ratios = rows.filter(({ limit }) => limit !== null)
  assert.deepEqual(
    ratios.map(({ name, limit }) => [name, limit]),
    [
      ['durable-write-r2', 'append-fdatasync-4k-r2'],
      ['durable-write-64-r3', 'append-fdatasync-4k-64-r3'],
    ],
  )
  for (const { name, ratio } of ratios) assert.ok((ratio ?? 0) > 0, name)
})

test('a row that cannot be measured here is left out with the reason, and the others are measured', async () => {
  const args = [main, '--json', '--quick', '--rows', 'redis-set']
  const env = { ...process.env, PATH: '' }
  const { rows, skipped } = JSON.parse((await bench(process.execPath, args, { env })).stdout) as Document
  assert.deepEqual(
    rows.map(({ name }) => name),
    ['append-fdatasync-4k'],
  )
  assert.deepEqual(skipped, [{ name: 'redis-set', reason: 'redis-server is not installed' }])
})

test("another one's server is measured in the same run, and ends with it", async (context) => {
  if (findEtcd() === undefined) {
    context.skip('there is no etcd')
    return
  }
  const directory = await mkdtemp(join(tmpdir(), 'khazana-bench-test-'))
  try {
    const args = [main, '--json', '--quick', '--rows', 'etcd-put,etcd-put-64', '--directory', directory]
    // `close` waits for everybody who holds its streams.
    const { rows, skipped } = JSON.parse((await bench(process.execPath, args)).stdout) as Document
    assert.deepEqual(skipped, [])
    for (const name of ['etcd-put', 'etcd-put-64']) {
      assert.ok((rows.find((row) => row.name === name)?.value ?? 0) > 0, name)
    }
    assert.deepEqual(await readdir(directory), [])
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('an interrupted benchmark ends its processes and removes its files', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'khazana-bench-test-'))
  try {
    const args = [main, '--rows', 'remote-read-miss', '--directory', directory]
    const running = bench(process.execPath, args)
    while ((await readdir(directory)).length === 0) await setTimeout(20)
    await setTimeout(500)
    running.child.kill('SIGTERM')
    // `close` waits for everybody who holds its streams, as its processes do.
    await assert.rejects(running, { code: 130 })
    assert.deepEqual(await readdir(directory), [])
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a benchmark row that does not exist is refused with the names of those that do', async () => {
  await assert.rejects(bench(process.execPath, [main, '--rows', 'nothing']), (error: unknown) => {
    const { code, stderr } = error as { readonly code: number; readonly stderr: string }
    assert.equal(code, 2)
    assert.match(stderr, /no row "nothing"; there are copy-4k, local-read-hit/)
    return true
  })
})
