import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { KhazanaError } from '../../stdx/errors.js'
import { describedCommand } from '../described-command.js'

const description = `Measure this machine, and Khazana on it.

Starts nodes of its own in a temporary directory; takes a few minutes.`

const examples = `  khazana bench
  khazana bench --json > result.json`

/** Beside the compiled sources: it is part of a checkout, not of an installed package. */
const benchmark = fileURLToPath(new URL('../../../bench/main.js', import.meta.url))

export function addBench(program: Command): void {
  describedCommand(program, 'bench', description, examples)
    .option('--json', 'print as JSON')
    .action(async ({ json }: { readonly json?: true }) => {
      if (!existsSync(benchmark)) {
        throw new KhazanaError(
          'unsupported',
          'the benchmark is not in this installation: run it from a checkout',
        )
      }
      const args = [...process.execArgv, benchmark, ...(json === true ? ['--json'] : [])]
      const child = spawn(process.execPath, args, { stdio: 'inherit' })
      const [code] = (await once(child, 'exit')) as [number | null]
      process.exitCode = code ?? 1
    })
}
