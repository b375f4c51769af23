import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { TwoMounts, cannotMount } from './khazana-mounts.js'

const racer = fileURLToPath(new URL('./racer.js', import.meta.url))
const raceMs = 4000

test(
  'what a system call has done at one mount is seen by the next at any, whatever the kernels keep',
  {
    skip: cannotMount,
  },
  async (t) => {
    await using mounts = await TwoMounts.start()
    const [a, b] = mounts.directories
    for (const [writer, readers] of [
      [a, [a, b]],
      [b, [a]],
    ] as const) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--enable-source-maps', racer, writer, readers.join(','), String(raceMs)],
        { timeout: 60_000 },
      )
      const { changes, looks } = JSON.parse(stdout) as { readonly changes: number; readonly looks: number }
      t.diagnostic(`${changes} rounds of changes, ${looks} of looks`)
      assert.ok(changes > 10 && looks > 10, 'they hardly met')
    }
  },
)
