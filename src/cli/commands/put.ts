import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Region } from '../../client/region.js'
import type { ReserveOptions } from '../../client/khazana.js'
import { KhazanaError } from '../../stdx/errors.js'
import { replicasArgument, sizeArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { pluginOption } from '../plugin-modules.js'
import type { Client } from '../client-command.js'
import { contentLabels } from '../content-labels.js'
import { openInput } from '../input-file.js'
import type { InputFile } from '../input-file.js'
import { pendingText } from '../pending-text.js'
import { Progress } from '../progress.js'
import { describeRegion } from '../region-document.js'
import { writeJson, writeLine } from '../standard-output.js'
import { writeAll } from '../transfer.js'

interface Options {
  readonly pageSize?: number
  readonly minReplicas?: number
  readonly json?: true
}

/** Files are written and read as a whole: large pages make fewer of them, small ones waste less at the end. */
const largePageBytes = 64 * 1024
const largeFileBytes = 1024 * 1024

const description = `Store a whole file in a region of its own. Prints its address.

Done when all of it is durable; when it fails, nothing is kept. FILE may be "-" for stdin, which is first kept in a
temporary file, since a region has its size from the start. The exact length is in the label content-length.`

const examples = `  khazana put photo.jpg
  tar c folder | khazana put -`

export function addPut(program: Command): void {
  const command = clientCommand(program, 'put', description, examples)
    .argument('<file>', 'a path, or - for stdin')
    .option(
      '--page-size <size>',
      'a power of two from 4KiB to 1MiB (default: 4KiB, from 1MiB on 64KiB)',
      sizeArgument,
    )
    .option('--min-replicas <n>', 'on how many nodes it is durable (default: 1)', replicasArgument)
    .addOption(pluginOption())
    .option('--json', 'print the descriptor of its region as JSON')
    .action((path: string, options: Options) =>
      withClient(command, async (client) => {
        await using input = await openInput(path, client.wait.signal)
        const region = await store(client, input, options)
        if (options.json === true) await writeJson(describeRegion(region.descriptor))
        else await writeLine(formatAddress(region.address))
      }),
    )
}

async function store({ khazana, wait }: Client, input: InputFile, options: Options): Promise<Region> {
  const { minReplicas, pageSize = input.bytes < largeFileBytes ? 4096 : largePageBytes } = options
  const attributes: ReserveOptions = {
    ...wait,
    pageSize,
    ...(minReplicas === undefined ? {} : { minReplicas }),
  }
  const region = await khazana.reserve(Math.max(1, input.bytes), attributes)
  try {
    await fill(region, input, wait)
    return region
  } catch (error) {
    await giveBack(region)
    throw error
  }
}

async function fill(region: Region, input: InputFile, wait: Client['wait']): Promise<void> {
  using progress = new Progress('storing', input.bytes)
  await region.allocate(undefined, wait)
  await writeAll(region, 0, input.read(), { ...wait, writers: 'nobody else', progress: progress.update })
  await region.setAttributes({ labels: contentLabels(input.bytes, input.name) }, wait)
}

/** After a failure, which is what the user is told: that this failed too comes only beside it. */
async function giveBack(region: Region): Promise<void> {
  try {
    const state = await region.unreserve({ timeoutMs: 5000 })
    if (state === 'done') return
    process.stderr.write(
      `khazana: the region ${formatAddress(region.address)}: ${pendingText('unreserved')}\n`,
    )
  } catch (reason) {
    const { message } = KhazanaError.from(reason)
    const address = formatAddress(region.address)
    process.stderr.write(
      `khazana: the region ${address} remains reserved (${message}): khazana unreserve ${address}\n`,
    )
  }
}
