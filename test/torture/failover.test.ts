import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Failovers } from '../../torture/failover/failover.js'
import { findEtcd } from '../coordinator/etcd-process.js'

const main = fileURLToPath(new URL('../../torture/failover/main.js', import.meta.url))
const run = promisify(execFile)

test('how long a region is not written when its home is killed is measured, and nothing is left behind', async (context) => {
  if (findEtcd() === undefined) {
    context.skip('there is no etcd')
    return
  }
  const parent = await mkdtemp(join(tmpdir(), 'khz-'))
  try {
    const args = ['--leases', '1000', '--times', '2', '--directory', parent, '--json']
    const [measured] = JSON.parse((await run(process.execPath, [main, ...args])).stdout) as Failovers[]
    assert.equal(measured?.writtenMs.length, 2)
    // Nobody takes over while the killed node may have its lease: it was renewed a fifth of it before, or a little more.
    for (const ms of measured.writtenMs) assert.ok(ms > 500, `${ms} ms`)
    const outcomes = Object.values(measured.underWay).reduce((sum, count) => sum + count, 0)
    assert.equal(outcomes, 2)
    assert.deepEqual(await readdir(parent), [])
  } finally {
    await rm(parent, { recursive: true })
  }
})

test('what cannot be measured is refused', async () => {
  await assert.rejects(run(process.execPath, [main, '--leases', '5']), { code: 2 })
  await assert.rejects(run(process.execPath, [main, '--replicas', '1']), { code: 2 })
})
