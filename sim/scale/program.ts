import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { KhazanaError } from '../../src/stdx/errors.js'
import { seedMax } from '../../src/stdx/prng.js'
import { membersMax } from '../../src/wire/limits.js'
import { constantOperations, growthIn } from './growth.js'
import { measureScale, nodesMin, regionsMin } from './measure-scale.js'
import type { ScaleResult } from './measure-scale.js'
import { scaleTables } from './scale-tables.js'
import { asMarkdown, asText } from './table.js'

interface Options {
  readonly nodes: readonly number[]
  readonly regions: number
  readonly samples: number
  readonly seed: number
  readonly markdown?: true
}

const nodesDefault = [4, 16, 64, 256, 1024]
const regionsDefault = 10_000
const regionsMax = 1_000_000
const samplesDefault = 100
const samplesMax = 10_000

/** While a simulation runs, nobody finds the real clock where it was. */
const realNow = performance.now.bind(performance)

const help = `
Builds a simulated cluster of each size, one after the other, reserves the regions, each of one page and all nodes having as many,
and counts the messages and bytes of all nodes while nothing but one operation goes on. How far it is goes to stderr, the
tables to stdout. 1,024 nodes take some minutes and about 4 GB of memory.

  reserve                   a region of one page, with storage, from the node's own pool
  reserve, pool empty       one for which the node first needs address space
  lookup, lookup and read   the first access of a node that never heard of the region
  read again, lookup again  by the same node
  read, home moved          the first read of a node that looked the region up before its home moved
  lookup, not ...           of an address that nobody has reserved, in a pool and outside of all
  talk to a node            one question and its answer between nodes without a session
  ..., manager dead         the first access while the cluster manager is missed: all nodes are asked
  ..., manager replaced     the first access when another node has taken its place

Examples:
  npm run scale
  npm run scale -- --nodes 4,64 --regions 1000 --samples 20
  npm run scale -- --markdown > table.md

Exit status: 0 no median grows that must not, 1 one does, or the simulation failed, 2 not understood.`

/** The command line of the measurement; sets the exit status of the process. */
export async function runScale(args: readonly string[]): Promise<void> {
  try {
    const program = makeProgram()
    program.parse(args, { from: 'user' })
    const options = program.opts<Options>()
    const { nodes, regions, samples } = options
    const needed = Math.max(...nodes.map((count) => regionsMin(count, samples)))
    if (regions < needed) {
      program.error(
        `error: ${samples} samples of each operation need ${needed} regions: give --regions ${needed}`,
      )
    }
    process.exitCode = await measureAll(options)
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
  return new Command('npm run scale --')
    .description('Count the messages and bytes of operations in clusters of several sizes.')
    .option('--nodes <counts>', 'sizes of clusters, such as 4,64,1024', asNodes, nodesDefault)
    .option('--regions <n>', 'regions in each cluster', whole(1, regionsMax), regionsDefault)
    .option('--samples <n>', 'times that each operation is measured', whole(1, samplesMax), samplesDefault)
    .option('--seed <n>', 'what is drawn by chance', whole(0, seedMax), 1)
    .option('--markdown', 'print the tables as Markdown')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'khazana: invalid-argument: ')),
    })
    .addHelpText('after', help)
}

/** The exit status. */
async function measureAll({ nodes: sizes, regions, samples, seed, markdown }: Options): Promise<number> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`)
  if (globalThis.gc === undefined) say('the heap is not measured: that takes node --expose-gc')
  // What the process takes once, such as compiled code, is not to count as the first cluster's.
  await measureScale({ seed, nodes: nodesMin, regions: regionsMin(nodesMin, 1), samples: 1 })
  const results: ScaleResult[] = []
  for (const nodes of sizes) {
    const started = realNow()
    const progress = (what: string): void => {
      const seconds = ((realNow() - started) / 1000).toFixed(0)
      say(`${String(nodes).padStart(4)} nodes, ${seconds.padStart(4)} s: ${what}`)
    }
    results.push(await measureScale({ seed, nodes, regions, samples, progress }))
    progress('done')
  }
  const format = markdown === true ? asMarkdown : asText
  const tables = scaleTables(results).map((table) => `${format(table)}\n\n`)
  process.stdout.write(tables.join(''))
  if (results.length === 1) return 0
  const growths = growthIn(results)
  const verdict =
    growths.length === 0
      ? [`No median grows with the nodes, of: ${constantOperations.join('; ')}.`]
      : ['Medians that grow with the nodes:', ...growths.map((growth) => `- ${growth}`)]
  process.stdout.write(`${verdict.join('\n')}\n`)
  return growths.length === 0 ? 0 : 1
}

/** In rising order, each once. */
function asNodes(text: string): number[] {
  const parse = whole(nodesMin, membersMax)
  return [...new Set(text.split(',').map((part) => parse(part.trim())))].sort((a, b) => a - b)
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN
    if (number >= min && number <= max) return number
    throw new InvalidArgumentError(`A whole number from ${min} to ${max}.`)
  }
}
