import { tmpdir } from 'node:os'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { KhazanaError } from '../src/stdx/errors.js'
import { seedMax } from '../src/stdx/prng.js'
import { LineFile } from '../sim/line-file.js'
import { faultKinds } from './faults/fault.js'
import type { FaultKind } from './faults/fault.js'
import { isClean, reportText } from './report.js'
import { torture } from './run.js'

interface Options {
  readonly minutes: number
  readonly history?: string
  readonly seed?: number
  readonly nodes: number
  readonly clients: number
  readonly replicas: readonly number[]
  readonly coordinator: 'embedded' | 'etcd'
  readonly faults: readonly FaultKind[]
  readonly directory?: string
  readonly json?: true
}

const minutesMax = 7 * 24 * 60
const nodesMax = 64
const clientsMax = 64
const replicasMax = 16
/** Seeds that are drawn are short enough to be typed again. */
const drawnSeedEnd = 1_000_000

const help = `
Nodes are processes of their own, with real disks and sockets. They are killed with kill -9 and started again, stopped for longer than
their lease and continued (clients, too), and cut off from each other, in one direction or both. Meanwhile client processes count, transfer
between accounts and read, in a region of each number of replicas at each node. At the end all nodes are killed once more.

What clients saw is then judged: nothing that was acknowledged is lost, no read was stale, and every read of all accounts saw the
same sum. The history has one JSON object a line for each operation, for other checkers. The seed says which faults there are,
in which order, and for how long; what comes of them is up to the machine.

Partitions take root, and the program "ip": each node gets a network namespace. Without them that kind of fault is left out. etcd, if
asked for, is that of this machine (or what npm test has unpacked); it is started for the run.

Examples:
  npm run torture -- --minutes 10 --history history.jsonl
  npm run torture -- --minutes 1 --seed 7 --faults kill,stop
  npm run torture -- --minutes 60 --replicas 2,3 --coordinator etcd

Exit status: 0 nothing lost, nothing stale; 1 something is, or the run could not be finished; 2 not understood.`

/** The command line of the torture run; sets the exit status of the process. */
export async function runProgram(args: readonly string[]): Promise<void> {
  try {
    const program = makeProgram()
    program.parse(args, { from: 'user' })
    process.exitCode = await runOnce(program.opts<Options>())
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
  return new Command('npm run torture --')
    .description('Kill, stop and cut off real nodes while clients use them, and judge what clients saw.')
    .option('--minutes <m>', 'how long faults go on, such as 10 or 0.5', minutesArgument, 5)
    .option('--history <file>', 'write what clients did: one JSON object a line for each operation')
    .option('--seed <n>', 'which faults there are; another one each time unless told', whole(0, seedMax))
    .option('--nodes <n>', 'processes that are nodes', whole(1, nodesMax), 5)
    .option(
      '--clients <n>',
      'processes that use them through a node, beside one that is a node itself',
      whole(1, clientsMax),
      4,
    )
    .option(
      '--replicas <list>',
      'numbers of replicas that regions have',
      listOf(whole(1, replicasMax)),
      [1, 2, 3],
    )
    .addOption(
      new Option('--coordinator <kind>', 'who keeps leases and epochs')
        .choices(['embedded', 'etcd'])
        .default('embedded'),
    )
    .option('--faults <list>', 'what goes wrong, of kill, stop and partition', listOf(faultArgument), [
      ...faultKinds,
    ])
    .option(
      '--directory <dir>',
      "where the data is meanwhile; the system's directory for temporary files unless told",
    )
    .option('--json', 'print the report as one JSON document; progress goes to stderr then')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'khazana: invalid-argument: ')),
    })
    .addHelpText('after', help)
}

/** The exit status. */
async function runOnce({ history: file, json, directory, ...options }: Options): Promise<number> {
  const say = (text: string): void =>
    void (json === true ? process.stderr : process.stdout).write(`${text}\n`)
  const seed = options.seed ?? Math.floor(Math.random() * drawnSeedEnd)
  say(`seed ${seed}`)
  // Not found out at the end of an hour.
  using lines = file === undefined ? undefined : LineFile.create(file)
  const stop = new AbortController()
  let asked = 0
  const onSignal = (): void => {
    asked += 1
    if (asked > 1) process.exit(130)
    say('ending early: what was done is judged; once more ends everything at once')
    stop.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    const parent = directory ?? tmpdir()
    const { report, history } = await torture({ ...options, seed, parent, say, signal: stop.signal })
    for (const operation of history) lines?.add(JSON.stringify(operation))
    process.stdout.write(`${json === true ? JSON.stringify(report) : reportText(report)}\n`)
    return isClean(report) ? 0 : 1
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

function minutesArgument(text: string): number {
  const number = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : 0
  if (number > 0 && number <= minutesMax) return number
  throw new InvalidArgumentError(`A number over 0 and up to ${minutesMax}, such as 10 or 0.5.`)
}

function faultArgument(text: string): FaultKind {
  const kind = faultKinds.find((name) => name === text)
  if (kind !== undefined) return kind
  throw new InvalidArgumentError(`One or more of ${faultKinds.join(', ')}, with commas.`)
}

/** Each once, in the order given. */
function listOf<T>(parse: (text: string) => T): (text: string) => readonly T[] {
  return (text) => [...new Set(text.split(',').map((part) => parse(part.trim())))]
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN
    if (number >= min && number <= max) return number
    throw new InvalidArgumentError(`A whole number from ${min} to ${max}.`)
  }
}
