import type { Command } from 'commander'
import type { Address } from '../../address/address.js'
import { checkRange } from '../../address/range.js'
import { addressArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { pluginOption } from '../plugin-modules.js'
import { rangeIn, withRangeOptions } from '../range-options.js'
import type { RangeOptions } from '../range-options.js'
import { copyOut } from '../copy-out.js'

const description = `Print bytes of a region on stdout: all of them, or a range.

Up to 1MiB, within one MiB of the region, is of one moment; of more, others may change a part while an earlier one is
printed. What was allocated and never written reads as zeros; what has no storage cannot be read.`

const examples = `  khazana read ::1:0:0 --length 5
  khazana read ::1:0:0 --offset 4KiB --length 4KiB | hexdump -C`

export function addRead(program: Command): void {
  const command = withRangeOptions(
    clientCommand(program, 'read', description, examples).argument(
      '<address>',
      'of the region',
      addressArgument,
    ),
  )
    .addOption(pluginOption())
    .action((address: Address, options: RangeOptions) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        const range = rangeIn(region, options)
        checkRange(range, region.size)
        await copyOut(region, range, wait)
      }),
    )
}
