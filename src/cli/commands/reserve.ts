import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import { replicasArgument, sizeArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { consistencyOf, withConsistencyOptions } from '../consistency-options.js'
import type { ConsistencyTexts } from '../consistency-options.js'
import { describeRegion } from '../region-document.js'
import { writeJson, writeLine } from '../standard-output.js'

interface Options extends ConsistencyTexts {
  readonly pageSize?: number
  readonly protocol?: string
  readonly conflicts?: string
  readonly merge?: string
  readonly minReplicas?: number
  readonly json?: true
}

const description = `Reserve a region of global memory of at least SIZE bytes. Prints its address.

It has no storage yet: "khazana allocate" gives it some. Its consistency is a preset, and what is to differ from it;
settings that cannot be had together are refused with what to use instead.`

const examples = `  khazana reserve 64KiB
  khazana reserve 1GiB --page-size 64KiB     # for large things that are read and written as a whole
  khazana reserve 64KiB --consistency bounded --staleness-ms 200 --failure read-only`

export function addReserve(program: Command): void {
  const command = withConsistencyOptions(
    clientCommand(program, 'reserve', description, examples)
      .argument('<size>', 'bytes, such as 4096, 64KiB or 1GiB; rounded up to whole pages', sizeArgument)
      .option('--page-size <size>', 'a power of two from 4KiB to 1MiB (default: 4KiB)', sizeArgument),
  )
    .option('--protocol <name>', 'what keeps it consistent (default: as its consistency wants)')
    .option('--min-replicas <n>', 'on how many nodes writes are durable (default: 1)', replicasArgument)
    .option('--json', 'print the whole descriptor as JSON')
    .action((size: number, options: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const { json, pageSize, protocol, conflicts, merge, minReplicas } = options
        const consistency = consistencyOf(options)
        const region = await khazana.reserve(size, {
          ...wait,
          ...(pageSize === undefined ? {} : { pageSize }),
          ...{ consistency, protocol, conflicts, merge, minReplicas },
        })
        if (json === true) await writeJson(describeRegion(region.descriptor))
        else await writeLine(formatAddress(region.address))
      }),
    )
}
