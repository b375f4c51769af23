import type { Command } from 'commander'
import type { Address } from '../../address/address.js'
import { addressArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { pluginOption } from '../plugin-modules.js'
import { contentBytes } from '../content-labels.js'
import { copyOut } from '../copy-out.js'

const description = `Print a file on stdout that "khazana put" has stored: exactly its bytes.`

const examples = `  khazana get ::1:0:0 > photo.jpg
  khazana get ::1:0:0 | tar x`

export function addGet(program: Command): void {
  const command = clientCommand(program, 'get', description, examples)
    .argument('<address>', 'of the file: what put has printed', addressArgument)
    .addOption(pluginOption())
    .action((address: Address) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        // What this node remembers of the region may be older than the file.
        await region.refresh(wait)
        const length = contentBytes(region.descriptor)
        if (length > 0) await copyOut(region, { offset: 0, length }, wait)
      }),
    )
}
