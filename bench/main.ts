import { tmpdir } from 'node:os'
import { tolerateGoneReaders } from '../src/cli/standard-output.js'
import { parseOptions, usage } from './options.js'
import type { BenchOptions } from './options.js'
import { asJson, asTable } from './report.js'
import type { Row } from './row.js'
import { allRows } from './rows/all.js'
import { measure } from './run.js'
import { Stage } from './stage.js'

tolerateGoneReaders()
process.exitCode = await main(process.argv.slice(2))

/** The exit status. */
async function main(args: readonly string[]): Promise<number> {
  let options: BenchOptions | 'help'
  let rows: readonly Row[]
  try {
    options = parseOptions(args)
    if (options === 'help') {
      process.stdout.write(`${usage}\n`)
      return 0
    }
    rows = chosenRows(options.rows)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${usage}\n`)
    return 2
  }
  return run(options, rows)
}

async function run(options: BenchOptions, rows: readonly Row[]): Promise<number> {
  const stage = await Stage.open({
    parent: options.directory ?? tmpdir(),
    profileDirectory: options.profileDirectory,
  })
  const interrupted = (): void => {
    void stage.abort().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    const measured = await measure(stage, rows, { ...options, progress })
    await stage.end()
    progress('')
    process.stdout.write(`${options.format === 'json' ? asJson(measured) : asTable(measured)}\n`)
    return 0
  } catch (error) {
    progress('')
    process.stderr.write(`${messageOf(error)}\n`)
    await stage.abort()
    return 1
  }
}

/** The rows of these names and their limits. Throws where there is no such row. */
function chosenRows(names: readonly string[] | undefined): readonly Row[] {
  if (names === undefined) return allRows
  const wanted = new Set(names)
  for (const name of names) {
    const row = allRows.find((known) => known.name === name)
    if (row === undefined) {
      throw new TypeError(`no row "${name}"; there are ${allRows.map((known) => known.name).join(', ')}`)
    }
    if (row.limit !== null) wanted.add(row.limit)
  }
  return allRows.filter(({ name }) => wanted.has(name))
}

/** One line that is written over again and again, for somebody who looks on. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
