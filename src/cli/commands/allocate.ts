import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import { addressArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { rangeIn, withRangeOptions } from '../range-options.js'
import type { RangeOptions } from '../range-options.js'
import { writeJson } from '../standard-output.js'

interface Options extends RangeOptions {
  readonly json?: true
}

const description = `Give a region storage, which reads as zeros: all of it, or whole pages of it.

What has storage already keeps what is in it.`

const examples = `  khazana allocate ::1:0:0
  khazana allocate ::1:0:0 --offset 64KiB --length 64KiB`

export function addAllocate(program: Command): void {
  const command = withRangeOptions(
    clientCommand(program, 'allocate', description, examples).argument(
      '<address>',
      'of the region',
      addressArgument,
    ),
  )
    .option('--json', 'print as JSON what was given storage')
    .action((address: Address, options: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        const range = rangeIn(region, options)
        await region.allocate(range, wait)
        if (options.json === true) await writeJson({ address: formatAddress(region.address), ...range })
      }),
    )
}
