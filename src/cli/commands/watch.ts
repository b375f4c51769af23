import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { ByteRange } from '../../address/range.js'
import type { Region } from '../../client/region.js'
import type { Watch, WatchEvent, Writer } from '../../node/watch/watch.js'
import { KhazanaError } from '../../stdx/errors.js'
import { addressArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { rangeIn, withRangeOptions } from '../range-options.js'
import type { RangeOptions } from '../range-options.js'
import { writeJson, writeLine } from '../standard-output.js'

const description = `Print a line for each change of a region, as soon as it is durable, until interrupted.

A change is a new version of one page. The first line says that the watch has begun: every change from then on is printed, or
is part of a line that says how many were dropped, as nobody took them in time or the home was out of reach. Whoever needs the
bytes must read them again then. With --json each line is a JSON object; its kind is ready, change or dropped, and a count
of null means that nobody knows how many.`

const examples = `  khazana watch ::1:0:0
  khazana watch ::1:0:0 --offset 4KiB --length 4KiB
  khazana watch ::1:0:0 --json | jq -c 'select(.kind == "change") | .version'`

export function addWatch(program: Command): void {
  const command = withRangeOptions(
    clientCommand(program, 'watch', description, examples).argument(
      '<address>',
      'of the region',
      addressArgument,
    ),
  )
    .option('--json', 'print each line as JSON')
    .action((address: Address, { json, ...options }: RangeOptions & { readonly json?: true }) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        const range = rangeIn(region, options)
        await using watch = await region.watch(range, wait)
        await print(
          watch,
          json === true ? jsonPrinter(region, range) : textPrinter(region, range),
          wait.signal,
        )
      }),
    )
}

interface Printer {
  begin(): Promise<void>
  event(event: WatchEvent): Promise<void>
}

/** An interrupt is how this is meant to end. */
async function print(watch: Watch, printer: Printer, signal: AbortSignal): Promise<void> {
  try {
    await printer.begin()
    for await (const event of watch) await printer.event(event)
  } catch (reason) {
    if (!signal.aborted || KhazanaError.from(reason).code !== 'aborted') throw reason
  }
}

function jsonPrinter({ address }: Region, { offset, length }: ByteRange): Printer {
  return {
    begin: () => writeJson({ kind: 'ready', address: formatAddress(address), offset, length }),
    event: (event) =>
      writeJson(
        event.kind === 'change'
          ? { ...event, address: formatAddress(event.address) }
          : { kind: event.kind, count: event.count ?? null },
      ),
  }
}

function textPrinter({ address }: Region, { offset, length }: ByteRange): Printer {
  return {
    begin: () => writeLine(`watching ${formatAddress(address)}, ${length} bytes from offset ${offset}`),
    event: (event) => writeLine(lineOf(event)),
  }
}

function lineOf(event: WatchEvent): string {
  if (event.kind === 'dropped') return `dropped ${event.count ?? 'an unknown number of'} changes: read again`
  const { address, offset, length, version, by } = event
  return `${formatAddress(address)}  offset ${offset}  length ${length}  version ${version}  by ${writerName(by)}`
}

function writerName({ node, client }: Writer): string {
  return client === undefined ? `node ${node}` : `client ${client} of node ${node}`
}
