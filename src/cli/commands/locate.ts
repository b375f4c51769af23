import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { PageHolder, PageLocations, PageRun } from '../../client/page-locations.js'
import type { Region } from '../../client/region.js'
import { addressArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { rangeIn, withRangeOptions } from '../range-options.js'
import type { RangeOptions } from '../range-options.js'
import { writeJson, writeLine } from '../standard-output.js'

interface Options extends RangeOptions {
  readonly json?: true
}

const description = `Tell which nodes have which pages of a region.

For each run of pages its home, which stores them, and who else has them: to read (shared), or alone (exclusive). Clients
are the processes that are connected to a node. Pages without storage are left out, and page numbers count from the
region's start. At most 1048576 pages at a time.`

const examples = `  khazana locate ::1:0:0
  khazana locate ::1:0:0 --offset 1MiB --length 64KiB
  khazana locate ::1:0:0 --json`

export function addLocate(program: Command): void {
  const command = clientCommand(program, 'locate', description, examples).argument(
    '<address>',
    'of the region',
    addressArgument,
  )
  withRangeOptions(command)
    .option('--json', 'print as JSON')
    .action((address: Address, { json, ...range }: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        const found = await region.locate(rangeIn(region, range), wait)
        if (json === true) await writeJson(documentOf(region, found))
        else await writeLine(textOf(region, found).join('\n'))
      }),
    )
}

function documentOf({ address, pageSize }: Region, { home, node, runs }: PageLocations): unknown {
  // What this command itself has at hand, which is nothing, is of no use to anybody.
  const shown = runs.map(({ atHand: _, ...run }) => run)
  return { address: formatAddress(address), pageSize, home, node, runs: shown }
}

function textOf({ address }: Region, { home, runs }: PageLocations): string[] {
  const start = `region ${formatAddress(address)}, home node ${home}`
  if (runs.length === 0) return [`${start}, no storage in the range`]
  const rows = runs.map((run) => [pagesOf(run), run.holders.map(holderText).join(', ')] as const)
  const width = Math.max(...rows.map(([pages]) => pages.length))
  return [start, ...rows.map(([pages, holders]) => `${pages.padEnd(width)}  ${holders}`)]
}

function pagesOf({ first, count }: PageRun): string {
  return count === 1 ? `page ${first}` : `pages ${first} to ${first + count - 1}`
}

function holderText({ node, right, viaClients }: PageHolder): string {
  const parts: string[] = right === 'none' ? [] : [right]
  if (viaClients.exclusive > 0) parts.push(`${clients(viaClients.exclusive)} exclusive`)
  if (viaClients.shared > 0) parts.push(`${clients(viaClients.shared)} shared`)
  return `node ${node} ${parts.join(' + ')}`
}

function clients(count: number): string {
  return count === 1 ? '1 client' : `${count} clients`
}
