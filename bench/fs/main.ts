import { loadavg } from 'node:os'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { tolerateGoneReaders } from '../../src/cli/standard-output.js'
import { amounts } from './amounts.js'
import { FsStage } from './fs-stage.js'
import { parseOptions, usage } from './options.js'
import type { FsBenchOptions } from './options.js'
import { OwnMounts } from './own-mounts.js'
import { asJson, asTable } from './report.js'
import { measureFs } from './run.js'
import type { FsMeasured, Grounds } from './run.js'
import { exerciserOf } from './scenarios/blocks.js'
import { allScenarios } from './scenarios/all.js'

/** How long making and removing the directory on the mount may take. */
const tidyMsMax = 60_000

tolerateGoneReaders()
process.exitCode = await main(process.argv.slice(2))

/** The exit status: 1 where something failed, 2 where the options are wrong. */
async function main(args: readonly string[]): Promise<number> {
  let options: FsBenchOptions | 'help'
  let wanted: ReadonlySet<string>
  try {
    options = parseOptions(args)
    if (options === 'help') {
      process.stdout.write(`${usage}\n\nrows:\n${rowsShown()}\n`)
      return 0
    }
    wanted = chosenRows(options.rows)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${usage}\n`)
    return 2
  }
  return run(options, wanted)
}

async function run(options: FsBenchOptions, wanted: ReadonlySet<string>): Promise<number> {
  const amount = amounts[options.amount]
  const loadBefore = loadavg()[0] ?? 0
  const ends: (() => Promise<void>)[] = []
  const interrupt = new AbortController()
  const { signal } = interrupt
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort())
  try {
    const stage = await FsStage.open(options.plain, amount)
    ends.push(() => stage.end())
    // What is being started is waited for, and ended in its turn; what is being measured is not.
    signal.addEventListener('abort', () => void stage.halt())
    const grounds = await groundsFor(options, stage, ends)
    const rounds = options.rounds ?? amount.rounds
    const measured = await measureFs(stage, allScenarios, grounds, { rounds, wanted, progress, signal })
    const exerciser = await exerciserOf()
    await endAll(ends)
    progress('')
    const circumstances = {
      ...grounds,
      amount: options.amount,
      rounds,
      exerciser,
      colds: stage.colds,
      loadBefore,
    }
    process.stdout.write(`${(options.format === 'json' ? asJson : asTable)(measured, circumstances)}\n`)
    return statusOf(measured)
  } catch (error) {
    progress('')
    if (!signal.aborted) process.stderr.write(`${messageOf(error)}\n`)
    await endAll(ends)
    return signal.aborted ? 130 : 1
  }
}

/** Where to work; what is started or made for that is ended by `ends`. */
async function groundsFor(
  options: FsBenchOptions,
  stage: FsStage,
  ends: (() => Promise<void>)[],
): Promise<Grounds> {
  const plain = join(stage.root, 'plain')
  await mkdir(plain)
  if (options.mount === undefined) {
    progress('starting nodes and mounts')
    const { minReplicas, profileDirectory } = options
    const own = await OwnMounts.start({ root: stage.root, minReplicas, profileDirectory })
    ends.push(() => own.end())
    const [mount = '', other] = own.directories
    return { mount, other, plain }
  }
  const name = `khazana-bench-${process.pid}`
  const mount = join(resolve(options.mount), name)
  await stage.within(tidyMsMax, async () => (await stage.agent(0)).call('makeDirectory', mount))
  ends.push(() => stage.within(tidyMsMax, async () => (await stage.agent(0)).call('remove', mount)))
  return { mount, other: options.other === undefined ? undefined : join(resolve(options.other), name), plain }
}

/** The latest first, each once; one that fails does not keep the others, and is told of. */
async function endAll(ends: (() => Promise<void>)[]): Promise<void> {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
    try {
      await end()
    } catch (error) {
      process.stderr.write(`${messageOf(error)}\n`)
    }
  }
}

function statusOf({ unmeasured }: FsMeasured): number {
  return unmeasured.some(({ how }) => how === 'failed') ? 1 : 0
}

/** Throws where there is no such row. */
function chosenRows(names: readonly string[] | undefined): ReadonlySet<string> {
  const known = allScenarios.flatMap(({ rows }) => rows.map(({ name }) => name))
  for (const name of names ?? []) {
    if (!known.includes(name)) throw new TypeError(`no row "${name}"; there are ${known.join(', ')}`)
  }
  return new Set(names ?? known)
}

function rowsShown(): string {
  return allScenarios
    .flatMap(({ rows }) => rows.map(({ name, title, unit }) => `  ${name.padEnd(24)}${title} (${unit})`))
    .join('\n')
}

/** One line that is written over again and again, for somebody who looks on. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
