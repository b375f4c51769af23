import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { KhazanaError } from '../stdx/errors.js'
import { addAllocate } from './commands/allocate.js'
import { addAttributes } from './commands/attributes.js'
import { addBench } from './commands/bench.js'
import { addCluster } from './commands/cluster.js'
import { addFree } from './commands/free.js'
import { addGet } from './commands/get.js'
import { addLeave } from './commands/leave.js'
import { addLocate } from './commands/locate.js'
import { addMigrate } from './commands/migrate.js'
import { addMkfs } from './commands/mkfs.js'
import { addMount } from './commands/mount.js'
import { addNode } from './commands/node.js'
import { addNodes } from './commands/nodes.js'
import { addPut } from './commands/put.js'
import { addRead } from './commands/read.js'
import { addReserve } from './commands/reserve.js'
import { addResources } from './commands/resources.js'
import { addStat } from './commands/stat.js'
import { addUnreserve } from './commands/unreserve.js'
import { addWatch } from './commands/watch.js'
import { addWrite } from './commands/write.js'
import { isReaderGone, tolerateGoneReaders } from './standard-output.js'

/** The command was not understood; nothing was done. */
const usageStatus = 2
const failureStatus = 1

const help = `
Example: one node, and a file that is kept in global memory:
  $ khazana node --dir ./data &
  $ export KHAZANA_AT=./data/khazana.sock
  $ khazana put photo.jpg
  ::1:0:0
  $ khazana get ::1:0:0 > copy.jpg

Example: memory that programs share:
  $ region=$(khazana reserve 64KiB)      # a range of addresses: prints where it begins
  $ khazana allocate $region             # storage for it
  $ echo hello | khazana write $region
  $ khazana read $region --length 5

Exit status: 0 done, 1 failed (stderr says "khazana: CODE: MESSAGE"), 2 not understood.
More on a command: khazana COMMAND --help`

/** The command line: does what the arguments say and sets the exit status of the process. */
export async function run(args: readonly string[]): Promise<void> {
  tolerateGoneReaders()
  try {
    await makeProgram().parseAsync(args, { from: 'user' })
  } catch (reason) {
    process.exitCode ??= report(reason)
  }
}

function makeProgram(): Command {
  const program = new Command('khazana')
    .description('One global, persistent, coherent memory shared by processes and machines.')
    .version(version(), '-V, --version')
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'khazana: invalid-argument: ')),
    })
    .showHelpAfterError('(khazana --help, or khazana COMMAND --help, shows what is possible)')
    .addHelpText('after', help)
  // In the order of the help: first what serves, then what is done with it.
  for (const add of [
    ...[addNode, addCluster],
    ...[addReserve, addAllocate, addWrite, addRead, addWatch, addFree, addUnreserve],
    ...[addPut, addGet],
    ...[addMkfs, addMount],
    ...[addStat, addLocate, addAttributes, addMigrate, addNodes, addResources, addLeave, addBench],
  ]) {
    add(program)
  }
  return program
}

/** Of this package. */
function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

/** Says what went wrong; the exit status for it. */
function report(reason: unknown): number {
  if (reason instanceof CommanderError) return reason.exitCode === 0 ? 0 : usageStatus
  if (isReaderGone(reason)) return 0
  const error = KhazanaError.from(reason)
  process.stderr.write(`khazana: ${error.code}: ${error.message}\n`)
  // A bug of ours: where it happened is worth more than good looks.
  if (error.code === 'internal' && error.cause instanceof Error) {
    process.stderr.write(`${error.cause.stack ?? ''}\n`)
  }
  return failureStatus
}
