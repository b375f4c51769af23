import { tmpdir } from 'node:os'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { median } from '../../bench/statistics.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { measureFailovers } from './failover.js'
import type { Failovers } from './failover.js'

interface Options {
  readonly leases: readonly number[]
  readonly times: number
  readonly replicas: number
  readonly directory?: string
  readonly json?: true
}

const leaseMsMin = 100
const leaseMsMax = 60_000
const timesMax = 1000

const help = `
Four nodes with an etcd, each a process. The home of a region with replicas is killed with kill -9 while a client of a node that has no replica writes a page
without a pause. What counts is the time from the kill until a write is acknowledged that was begun after it. The killed node is started again, and has all it
missed, before the next is killed.

etcd is that of this machine (or what npm test has unpacked); it is started for the run, for leases under 2 s with an election timeout of 500 ms, as its own leases last for
2 s at least otherwise.

Examples:
  npm run failover
  npm run failover -- --leases 1000 --times 20 --replicas 3

Exit status: 0 measured; 1 it could not be; 2 not understood.`

/** The command line of the measurement; sets the exit status of the process. */
export async function runProgram(args: readonly string[]): Promise<void> {
  try {
    const program = makeProgram()
    program.parse(args, { from: 'user' })
    await run(program.opts<Options>())
  } catch (reason) {
    if (reason instanceof CommanderError) process.exitCode = reason.exitCode === 0 ? 0 : 2
    else {
      const { code, message } = KhazanaError.from(reason)
      process.stderr.write(`khazana: ${code}: ${message}\n`)
      process.exitCode = 1
    }
  }
}

function makeProgram(): Command {
  return new Command('npm run failover --')
    .description('Measure how long a region with replicas is not written when its home is killed.')
    .option('--leases <list>', 'of nodes, in milliseconds, one after the other', leasesArgument, [3000, 1000])
    .option('--times <n>', 'how often the home is killed with each', whole(1, timesMax), 10)
    .option('--replicas <n>', 'of the region', whole(2, 3), 2)
    .option(
      '--directory <dir>',
      "where the data is meanwhile; the system's directory for temporary files unless told",
    )
    .option('--json', 'print one JSON document; progress goes to stderr then')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'khazana: invalid-argument: ')),
    })
    .addHelpText('after', help)
}

async function run({ leases, times, replicas, directory, json }: Options): Promise<void> {
  const say = (text: string): void =>
    void (json === true ? process.stderr : process.stdout).write(`${text}\n`)
  const stop = new AbortController()
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130)
    say('ending with the one under way; once more ends everything at once')
    stop.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  const all: Failovers[] = []
  for (const leaseMs of leases) {
    if (stop.signal.aborted) break
    say(`lease ${leaseMs} ms`)
    const parent = directory ?? tmpdir()
    all.push(await measureFailovers({ leaseMs, times, replicas, parent, say, signal: stop.signal }))
  }
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  process.stdout.write(json === true ? `${JSON.stringify(all)}\n` : tableOf(all))
}

function tableOf(all: readonly Failovers[]): string {
  const lines = all.map(({ leaseMs, writtenMs, underWay }) => {
    const leases = (ms: number): string => `${ms.toFixed(0)} (${(ms / leaseMs).toFixed(2)})`.padEnd(14)
    const outcomes = Object.entries(underWay).map(([outcome, count]) => `${outcome} ${count}`)
    const columns = [
      String(leaseMs).padEnd(9),
      String(writtenMs.length).padEnd(6),
      leases(Math.min(...writtenMs)),
      leases(median(writtenMs)),
      leases(Math.max(...writtenMs)),
      outcomes.join(', '),
    ]
    return columns.join(' ')
  })
  const head = 'lease ms  kills  least          median         longest        the write under way'
  return `${[head, ...lines].join('\n')}\n(in brackets: in leases)\n`
}

function leasesArgument(text: string): readonly number[] {
  return text.split(',').map((part) => whole(leaseMsMin, leaseMsMax)(part.trim()))
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN
    if (number >= min && number <= max) return number
    throw new InvalidArgumentError(`A whole number from ${min} to ${max}.`)
  }
}
