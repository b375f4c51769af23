import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { KhazanaError } from '../src/stdx/errors.js'
import { plantedBugs } from '../src/testing/khazana/planted-bugs.js'
import type { PlantedBug } from '../src/testing/khazana/planted-bugs.js'
import { simPresets } from '../src/testing/khazana/sim-preset.js'
import type { SimPreset } from '../src/testing/khazana/sim-preset.js'
import { LineFile } from './line-file.js'
import { runSeed } from './run-seed.js'
import { describeSeed, explainFailure } from './seed-text.js'
import { parseSeeds, seedsOf } from './seed-range.js'
import type { SeedRange } from './seed-range.js'
import { Summary } from './summary.js'

interface Options {
  readonly seed: SeedRange
  readonly ops: number
  readonly preset?: SimPreset
  readonly history?: string
  readonly plantedBug?: PlantedBug
  readonly trace?: string
  readonly keepGoing?: true
  readonly json?: true
}

const operationsMax = 1_000_000
const operationsDefault = 500

const help = `
Each seed is a whole cluster in one process: real nodes, clients and stores on simulated clocks, disks and links. It says
what goes wrong and when; the same seed does the same again. At the end, what clients saw is judged by what each region
promises: of a strict one, that every read is explained by one order of all writes. Nothing acknowledged is lost, all
directories agree, all copies are the same at rest, and all clients got on.

Examples:
  npm run sim -- --seed 7
  npm run sim -- --seed 1..200 --ops 1000
  npm run sim -- --seed 7 --history seed-7.jsonl        # what clients did, for another checker
  npm run sim -- --seed 1..100 --preset switch          # regions whose consistency is changed while they are used
  npm run sim -- --seed 1..50 --planted-bug strict:forget-a-sharer

Exit status: 0 all seeds passed, 1 one failed, 2 not understood.`

/** The command line of the simulation; sets the exit status of the process. */
export async function runSimulations(args: readonly string[]): Promise<void> {
  try {
    const program = makeProgram()
    program.parse(args, { from: 'user' })
    const options = program.opts<Options>()
    if (options.seed.first !== options.seed.last && (options.history ?? options.trace) !== undefined) {
      program.error('error: --history and --trace are for one seed: give --seed N')
    }
    process.exitCode = await runAll(options)
  } catch (reason) {
    if (reason instanceof CommanderError) process.exitCode = reason.exitCode === 0 ? 0 : 2
    else {
      const error = KhazanaError.from(reason)
      process.stderr.write(`khazana: ${error.code}: ${error.message}\n`)
      process.exitCode = 1
    }
  }
}

function makeProgram(): Command {
  return new Command('npm run sim --')
    .description('Run simulated clusters under faults, and judge what their clients saw.')
    .option('--seed <n|a..b>', 'one seed, or all from A to B', asSeeds, { first: 1, last: 20 })
    .option('--ops <m>', 'client operations for each seed', operationsArgument, operationsDefault)
    .addOption(
      new Option('--preset <name>', 'what regions there are; drawn from the seed unless told').choices(
        simPresets,
      ),
    )
    .option('--history <file>', 'write what clients did: one JSON object a line for each operation')
    .addOption(
      new Option(
        '--planted-bug <name>',
        'break the protocol on purpose: the checkers should find it',
      ).choices(plantedBugs),
    )
    .option('--trace <file>', 'write all that happens, one line for each event')
    .option('--keep-going', 'go on after a seed that failed')
    .option('--json', 'print one JSON document: all reports, and the summary')
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'khazana: invalid-argument: ')),
    })
    .addHelpText('after', help)
}

/** The exit status. */
async function runAll({ seed: seeds, ops, preset, plantedBug, json, ...options }: Options): Promise<number> {
  const summary = new Summary()
  const say = (text: string): void =>
    void (json === true ? process.stderr : process.stdout).write(`${text}\n`)
  const reports: unknown[] = []
  for (const seed of seedsOf(seeds)) {
    using trace = options.trace === undefined ? undefined : LineFile.create(options.trace)
    const { report, realMs } = await runSeed({ seed, operations: ops, preset, plantedBug, trace: trace?.add })
    summary.add(report)
    const { history, ...rest } = report
    if (json === true) reports.push(rest)
    say(describeSeed(report, realMs))
    if (options.history !== undefined) {
      using file = LineFile.create(options.history)
      for (const operation of history) file.add(JSON.stringify(operation))
    }
    if (report.failure !== undefined) {
      say(explainFailure(report.seed, report.failure, { operations: ops, preset, plantedBug }))
      if (options.keepGoing !== true) break
    }
  }
  if (json === true) process.stdout.write(`${JSON.stringify({ reports, summary: summary.document })}\n`)
  else say(summary.text)
  return summary.hasFailed ? 1 : 0
}

function asSeeds(text: string): SeedRange {
  const seeds = parseSeeds(text)
  if (seeds === undefined) throw new InvalidArgumentError('A whole number such as 7, or two such as 1..200.')
  return seeds
}

function operationsArgument(text: string): number {
  const number = /^\d{1,7}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= operationsMax) return number
  throw new InvalidArgumentError(`A whole number from 1 to ${operationsMax}.`)
}
