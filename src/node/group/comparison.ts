import type { Address } from '../../address/address.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type { Store, StoredPage } from '../../store/store.js'
import type { GroupRegion, GroupRegionStamps } from '../../wire/group-message.js'
import type { TransferredPage } from '../../wire/transfer-message.js'
import type { RegionRecord } from '../home/region-record.js'
import type { GroupCopies } from './group-copies.js'
import { chunkBytesMax } from './group-step.js'
import type { GroupStep, PageContent } from './group-step.js'
import type { LostPage } from './page-mender.js'

interface Theirs {
  readonly stamps: GroupRegionStamps
  readonly pages: Map<PageIndex, Version>
}

/** What another member has, as it tells of it, part by part. */
export class MemberStamps {
  readonly #regions = new Map<Address, Theirs>()

  add(parts: readonly GroupRegionStamps[]): void {
    for (const part of parts) {
      const known = this.#regions.get(part.address)
      const pages = known?.pages ?? new Map<PageIndex, Version>()
      for (const { page, version } of part.pages) pages.set(page, version)
      if (known === undefined) this.#regions.set(part.address, { stamps: part, pages })
    }
  }

  /** The pages of that region, and not of one that was at the address before it. */
  pagesOf(address: Address, generation: number): ReadonlyMap<PageIndex, Version> {
    const known = this.#regions.get(address)
    return known?.stamps.generation === generation ? known.pages : new Map<PageIndex, Version>()
  }

  addresses(): Iterable<Address> {
    return this.#regions.keys()
  }
}

/** Where the pages of the own copies are read. */
export interface CopyReader {
  pagesOf: Store['pagesOf']
  isDamaged: Store['isDamaged']
  /** What is damaged here is asked for at others, once; before each is asked, `asks` is called. */
  find(region: RegionRecord, page: PageIndex, asks: () => void): Promise<StoredPage | LostPage | undefined>
}

/** How many pages the other member lacks, or has in another version, and their bytes, as far as they are not known to be damaged: at this moment. */
export function missingPages(
  copies: GroupCopies,
  reader: Pick<CopyReader, 'pagesOf' | 'isDamaged'>,
  theirs: MemberStamps,
): { readonly pages: number; readonly bytes: number } {
  let [pages, bytes] = [0, 0]
  for (const { descriptor, space } of copies.all()) {
    const { address, generation, pageSize } = descriptor
    const known = theirs.pagesOf(address, generation)
    for (const { page, version } of reader.pagesOf(space)) {
      if (known.get(page) === version) continue
      pages += 1
      if (!reader.isDamaged(space, page)) bytes += pageSize
    }
  }
  return { pages, bytes }
}

/**
 * All that the other member must be sent to have what is here (docs/adr/0021-home-groups.md): pages of one version have the same bytes. Commits
 * that come meanwhile go to it by themselves; what they touch may be told here in either state. A page whose bytes nobody can give at the moment goes as what it
 * is: lost, in its version. `asks` is called whenever another node is asked for one.
 */
export async function* differences(
  copies: GroupCopies,
  reader: CopyReader,
  theirs: MemberStamps,
  asks: () => void,
): AsyncGenerator<GroupStep> {
  for (const address of theirs.addresses()) {
    if (copies.get(address) === undefined) yield ended(address)
  }
  for (const record of [...copies.all()]) {
    const { address, generation } = record.descriptor
    yield* differencesOf(record, reader, theirs.pagesOf(address, generation), asks)
  }
}

function ended(address: Address): GroupStep {
  return { address, region: undefined, isEnd: true, frees: [], pages: [], lost: [] }
}

async function* differencesOf(
  record: RegionRecord,
  reader: CopyReader,
  known: ReadonlyMap<PageIndex, Version>,
  asks: () => void,
): AsyncGenerator<GroupStep> {
  const { descriptor, space } = record
  const { address, pageSize } = descriptor
  const mine = new Map([...reader.pagesOf(space)].map(({ page, version }) => [page, version]))
  const frees = [...known.keys()].filter((page) => !mine.has(page)).map(onePage)
  yield { address, region: regionOf(record), isEnd: false, frees, pages: [], lost: [] }
  const missing = [...mine].filter(([page, version]) => known.get(page) !== version).map(([page]) => page)
  const chunkPages = Math.max(1, Math.floor(chunkBytesMax / pageSize))
  for (let at = 0; at < missing.length; at += chunkPages) {
    const pages: PageContent[] = []
    const lost: TransferredPage[] = []
    for (const page of missing.slice(at, at + chunkPages)) {
      const found = await reader.find(record, page, asks)
      // It was freed meanwhile, which goes there as a commit.
      if (found === undefined) continue
      const { version, bytes } = found
      if (bytes === undefined) lost.push({ page, version })
      else pages.push({ page, version, bytes })
    }
    if (pages.length + lost.length > 0)
      yield { address, region: undefined, isEnd: false, frees: [], pages, lost }
  }
}

export function regionOf({ descriptor, allocated, floor, handover }: RegionRecord): GroupRegion {
  return {
    descriptor,
    allocated: [...allocated].map(({ first, count }) => ({ first: first as PageIndex, count })),
    floor,
    handover,
  }
}

function onePage(page: PageIndex): PageRange {
  return { first: page, count: 1 }
}
