import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import { addressArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { rangeIn, withRangeOptions } from '../range-options.js'
import type { RangeOptions } from '../range-options.js'
import { pendingText } from '../pending-text.js'
import { writeJson, writeLine } from '../standard-output.js'

interface Options extends RangeOptions {
  readonly json?: true
}

const description = `Take the storage of a region away, and all that is in it: all of it, or whole pages of it.

The addresses stay reserved. Waits until nobody has a lock there. Where that is not possible in time, the node keeps it
in mind, and does it as soon as it can: the command says so, and succeeds.`

const examples = `  khazana free ::1:0:0
  khazana free ::1:0:0 --offset 64KiB --length 64KiB`

export function addFree(program: Command): void {
  const command = withRangeOptions(
    clientCommand(program, 'free', description, examples).argument(
      '<address>',
      'of the region',
      addressArgument,
    ),
  )
    .option('--json', 'print as JSON what was freed')
    .action((address: Address, options: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        const range = rangeIn(region, options)
        const state = await region.free(range, wait)
        if (options.json === true)
          await writeJson({ address: formatAddress(region.address), ...range, state })
        else if (state === 'pending') await writeLine(pendingText('freed'))
      }),
    )
}
