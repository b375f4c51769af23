import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Programs that print much, or late, by their compiled files. */
const programs: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['sim/scale/main.js', ['--nodes', '4', '--regions', '60', '--samples', '1']],
  ['sim/main.js', ['--seed', '1..3', '--ops', '20']],
  ['bench/main.js', ['--help']],
  ['src/cli/main.js', ['--help']],
]

for (const [name, args] of programs) {
  test(`a reader of what ${name} prints may go before it is printed`, async () => {
    const program = fileURLToPath(new URL(`../../${name}`, import.meta.url))
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    const said: string[] = []
    child.stderr.on('data', (bytes: Buffer) => said.push(bytes.toString()))
    const [status] = (await once(child, 'close')) as [number | null]
    assert.equal(status, 0, said.join(''))
    assert.doesNotMatch(said.join(''), /EPIPE|Error|^ +at /m)
  })
}
