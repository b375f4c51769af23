import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import { checkRange } from '../../address/range.js'
import { addressArgument, sizeArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { pluginOption } from '../plugin-modules.js'
import { Progress } from '../progress.js'
import { interruptible } from '../source.js'
import { writeJson } from '../standard-output.js'
import { writeAll } from '../transfer.js'

interface Options {
  readonly offset?: number
  readonly json?: true
}

const description = `Write stdin into a region.

Done when all of it is durable. Up to 1MiB, within one MiB of the region, is written as a whole or not at all; more is
written in pieces of 1MiB, several at a time, and when that fails, any of them may have been written.`

const examples = `  echo hello | khazana write ::1:0:0
  khazana write ::1:0:0 --offset 1MiB < picture.raw`

export function addWrite(program: Command): void {
  const command = clientCommand(program, 'write', description, examples)
    .argument('<address>', 'of the region', addressArgument)
    .option('--offset <n>', 'bytes from the start of the region (default: 0)', sizeArgument)
    .addOption(pluginOption())
    .option('--json', 'print as JSON what was written')
    .action((address: Address, { offset = 0, json }: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        checkRange({ offset, length: 1 }, region.size)
        using progress = new Progress('writing', undefined)
        const source = interruptible(process.stdin, wait.signal)
        const length = await writeAll(region, offset, source, { ...wait, progress: progress.update })
        if (json === true) await writeJson({ address: formatAddress(region.address), offset, length })
      }),
    )
}
