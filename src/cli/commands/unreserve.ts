import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import { KhazanaError } from '../../stdx/errors.js'
import { addressArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { pendingText } from '../pending-text.js'
import { writeJson, writeLine } from '../standard-output.js'

const description = `End a region: its storage, all that is in it, and its address.

Waits until nobody has a lock in it. Where that is not possible in time, the node keeps it in mind, and does it
as soon as it can: the command says so, and succeeds.`

const examples = `  khazana unreserve ::1:0:0`

export function addUnreserve(program: Command): void {
  const command = clientCommand(program, 'unreserve', description, examples)
    .argument('<address>', 'of the region: where it begins', addressArgument)
    .option('--json', 'print as JSON what was unreserved')
    .action((address: Address, { json }: { readonly json?: true }) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        // An address in the middle may be a slip of the keys, and this cannot be undone.
        if (region.address !== address) {
          const start = formatAddress(region.address)
          throw new KhazanaError(
            'invalid-argument',
            `${formatAddress(address)} lies in the region that begins at ${start}`,
          )
        }
        const state = await region.unreserve(wait)
        if (json === true) await writeJson({ address: formatAddress(address), size: region.size, state })
        else if (state === 'pending') await writeLine(pendingText('unreserved'))
      }),
    )
}
