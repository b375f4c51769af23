import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { readHistory } from '../../src/testing/history.js'
import type { Report } from '../../torture/report.js'

const main = fileURLToPath(new URL('../../torture/main.js', import.meta.url))
const run = promisify(execFile)
/** History lines of a short run. */
const outputBytesMax = 64 * 2 ** 20

test('real nodes that are killed and stopped lose nothing, and nobody reads what is stale', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'khz-'))
  try {
    const history = join(parent, 'history.jsonl')
    const args = [
      ...['--minutes', '0.15', '--seed', '3', '--nodes', '3', '--clients', '2', '--replicas', '1'],
      ...['--faults', 'kill,stop', '--directory', parent, '--history', history, '--json'],
    ]
    const { stdout } = await run(process.execPath, [main, ...args], { maxBuffer: outputBytesMax })
    const report = JSON.parse(stdout) as Report
    assert.deepEqual(report.findings, { lost: [], stale: [], sums: [], undecided: [] })
    assert.deepEqual(report.problems, [])
    assert.ok(report.operations.acknowledged > 0)
    const faults = Object.values(report.faults).reduce((sum, count) => sum + count, 0)
    assert.ok(faults > 0, 'something has gone wrong')
    const lines = readHistory(await readFile(history, 'utf8'))
    assert.ok(lines.length >= report.operations.acknowledged)
    // What is left is what was asked for.
    assert.deepEqual(await readdir(parent), ['history.jsonl'])
  } finally {
    await rm(parent, { recursive: true })
  }
})

test('a torture run that is not understood says what it takes', async () => {
  await assert.rejects(run(process.execPath, [main, '--faults', 'kill,rain']), (error: unknown) => {
    const { code, stderr } = error as { readonly code: number; readonly stderr: string }
    assert.equal(code, 2)
    assert.match(stderr, /One or more of kill, stop, partition/)
    return true
  })
})
