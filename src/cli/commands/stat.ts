import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import { clientSiteMin, isNode } from '../../address/identity.js'
import type { SiteId } from '../../address/identity.js'
import { neverWritten } from '../../address/page.js'
import { formatSize } from '../../address/size-text.js'
import type { FoundRegionStat, Region } from '../../client/region.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Found, PageStat, RestoreProgress } from '../../wire/message.js'
import { addressArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { consistencyLines } from '../consistency-options.js'
import { describeRegion } from '../region-document.js'
import { writeJson, writeLine } from '../standard-output.js'

interface Pages {
  readonly first: number
  readonly count: number
}

interface Options {
  readonly pages?: Pages
  readonly json?: true
}

/** What one question to the home may ask for. */
const pagesPerCallMax = 4096
const pagesMax = 1024 * 1024
const textPagesDefault = 64

const description = `Tell what the home of a region knows of it and of its pages.

Its descriptor, its home group, how the node found it, its storage, and for each page with storage its version
(-: not written yet) and who has rights to it. While a node is being brought up to date with the regions of the home group, how far that is. Page numbers count from the region's start.`

const examples = `  khazana stat ::1:0:0
  khazana stat ::1:0:0 --pages 1000:10        # ten pages, from page 1000 on
  khazana stat ::1:0:0 --json`

export function addStat(program: Command): void {
  const command = clientCommand(program, 'stat', description, examples)
    .argument('<address>', 'of the region', addressArgument)
    .option(
      '--pages <first:count>',
      `which pages to tell of (default: the first ${textPagesDefault}, with --json the first ${pagesPerCallMax})`,
      pagesArgument,
    )
    .option('--json', 'print as JSON')
    .action((address: Address, { pages, json }: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        const all = region.size / region.pageSize
        const asked = pages ?? { first: 0, count: json === true ? pagesPerCallMax : textPagesDefault }
        const stat = await statOf(
          region,
          { first: asked.first, count: Math.max(1, Math.min(asked.count, all - asked.first)) },
          wait,
        )
        if (json === true) await writeJson(documentOf(stat))
        else await writeLine(textOf(stat, asked).join('\n'))
      }),
    )
}

function pagesArgument(text: string): Pages {
  const match = /^(\d{1,13}):(\d{1,7})$/.exec(text)
  const pages = { first: Number(match?.[1]), count: Number(match?.[2]) }
  if (pages.count >= 1 && pages.count <= pagesMax) return pages
  throw new InvalidArgumentError(`FIRST:COUNT, such as 0:64; at most ${pagesMax} pages.`)
}

/** As many questions as it takes; the pages of each are of one moment. */
async function statOf(region: Region, { first, count }: Pages, wait: WaitOptions): Promise<FoundRegionStat> {
  const { pageSize } = region
  const ask = (page: number): Promise<FoundRegionStat> => {
    const length = Math.min(pagesPerCallMax, first + count - page) * pageSize
    return region.stat({ offset: page * pageSize, length }, wait)
  }
  const stat = await ask(first)
  const pages: PageStat[] = [...stat.pages]
  for (let page = first + pagesPerCallMax; page < first + count; page += pagesPerCallMax) {
    pages.push(...(await ask(page)).pages)
  }
  // How it was found: by the question before this one, which made the handle.
  return { ...stat, pages, found: region.found ?? stat.found }
}

function documentOf({ descriptor, pages, moving, ...rest }: FoundRegionStat): unknown {
  return {
    ...describeRegion(descriptor),
    ...rest,
    moving: moving ?? null,
    pageCount: descriptor.size / descriptor.pageSize,
    pages: pages.map(({ owner, ...page }) => ({ ...page, owner: owner ?? null })),
  }
}

function textOf(
  { descriptor, group, epoch, allocated, allocatedBytes, pages, moving, restoring, found }: FoundRegionStat,
  asked: Pages,
): string[] {
  const { address, size, pageSize, home, generation, revision, attributes } = descriptor
  const pageCount = size / pageSize
  const ranges = allocated.map(({ offset, length }) => `${offset}+${length}`).join(' ')
  const labels = Object.entries(attributes.labels).map(([name, text]) => `  label.${name}=${text}`)
  const lines = [
    `region ${formatAddress(address)}, ${formatSize(size)}, ${pageCount} pages of ${formatSize(pageSize)}`,
    consistencyLines(attributes).join(' ').replaceAll('=', ' '),
    `protocol ${attributes.protocol}, min-replicas ${attributes.minReplicas}, generation ${generation}, revision ${revision}`,
    `home node ${home}, group ${group.join(' ')}, epoch ${epoch}${missingText(group.length, attributes.minReplicas)}`,
    ...restoring.map(restoringLine),
    `found ${waysText[found.by]}, asking ${nodesText(found.asked)}`,
    `storage ${formatSize(allocatedBytes)}: ${ranges === '' ? 'none' : ranges}`,
    ...(moving === undefined
      ? []
      : [`${movingText(moving.to, home)}: ${moving.pagesDone} of ${moving.pagesTotal} pages are there`]),
    ...(labels.length === 0 ? [] : ['labels', ...labels]),
  ]
  if (pages.length > 0) lines.push('', 'page        version     owner           sharers')
  lines.push(...pages.map(pageLine))
  const rest = pageCount - asked.first - asked.count
  if (rest > 0)
    lines.push(`... ${rest} more pages: --pages ${asked.first + asked.count}:${Math.min(rest, asked.count)}`)
  return lines
}

function missingText(members: number, wanted: number): string {
  return members >= wanted ? '' : `: ${members} of ${wanted} replicas`
}

/** Of all regions of the home group together. */
function restoringLine({ node, pagesDone, pagesTotal, bytesDone, bytesTotal }: RestoreProgress): string {
  const pages = `${pagesDone} of ${pagesTotal} pages`
  return `bringing node ${node} up to date: ${pages}, ${bytesDone} of ${bytesTotal} bytes of the group are there`
}

/** How the region was found, as the node that this command is a client of says. */
const waysText: Readonly<Record<Found['by'], string>> = {
  home: 'at the node itself',
  directory: 'by what the node knew',
  manager: "by the cluster manager's hint",
  map: 'by the address map',
  walk: 'by a walk over the nodes of the cluster',
}

/** A change of replicas leaves the region at its home. */
function movingText(to: number, home: number): string {
  return to === home ? 'getting another number of replicas' : `moving to node ${to}`
}

function nodesText(count: number): string {
  return count === 0 ? 'no other node' : count === 1 ? '1 node' : `${count} nodes`
}

function pageLine({ page, version, owner, sharers, damaged }: PageStat): string {
  const columns = [
    String(page).padEnd(11),
    (version === neverWritten ? '-' : String(version)).padEnd(11),
    (owner === undefined ? '-' : siteName(owner)).padEnd(15),
    sharers.length === 0 ? '-' : sharers.map(siteName).join(', '),
    ...(damaged ? ['DAMAGED'] : []),
  ]
  return columns.join(' ')
}

/** Clients are numbered by the home they are connected to. */
function siteName(site: SiteId): string {
  return isNode(site) ? `node ${site}` : `client ${site - clientSiteMin}`
}
