import type { Address } from '../../address/address.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type { Store } from '../../store/store.js'
import type { GroupRegion, GroupRegionStamps } from '../../wire/group-message.js'
import type { RegionRecord } from '../home/region-record.js'
import type { GroupCopies } from './group-copies.js'
import { chunkBytesMax } from './group-step.js'
import type { GroupStep, PageContent } from './group-step.js'

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

  get(address: Address): Theirs | undefined {
    return this.#regions.get(address)
  }

  addresses(): Iterable<Address> {
    return this.#regions.keys()
  }
}

/**
 * All that the other member must be sent to have what is here (docs/adr/0021-home-groups.md): pages of one version have the same bytes. Commits
 * that come meanwhile go to it by themselves; what they touch may be told here in either state. Throws `damaged`.
 */
export async function* differences(
  copies: GroupCopies,
  store: Pick<Store, 'pagesOf' | 'read'>,
  theirs: MemberStamps,
): AsyncGenerator<GroupStep> {
  for (const address of theirs.addresses()) {
    if (copies.get(address) === undefined) yield ended(address)
  }
  for (const record of [...copies.all()])
    yield* differencesOf(record, store, theirs.get(record.descriptor.address))
}

function ended(address: Address): GroupStep {
  return { address, region: undefined, isEnd: true, frees: [], pages: [] }
}

async function* differencesOf(
  record: RegionRecord,
  store: Pick<Store, 'pagesOf' | 'read'>,
  theirs: Theirs | undefined,
): AsyncGenerator<GroupStep> {
  const { descriptor, space } = record
  const { address, pageSize } = descriptor
  const isSame = theirs?.stamps.generation === descriptor.generation
  const known = isSame ? theirs.pages : new Map<PageIndex, Version>()
  const mine = new Map([...store.pagesOf(space)].map(({ page, version }) => [page, version]))
  const frees = [...known.keys()].filter((page) => !mine.has(page)).map(onePage)
  yield { address, region: regionOf(record), isEnd: false, frees, pages: [] }
  const missing = [...mine].filter(([page, version]) => known.get(page) !== version).map(([page]) => page)
  const chunkPages = Math.max(1, Math.floor(chunkBytesMax / pageSize))
  for (let at = 0; at < missing.length; at += chunkPages) {
    const pages: PageContent[] = []
    for (const page of missing.slice(at, at + chunkPages)) {
      const stored = await store.read(space, page)
      // It was freed meanwhile, which goes there as a commit.
      if (stored !== undefined) pages.push({ page, ...stored })
    }
    if (pages.length > 0) yield { address, region: undefined, isEnd: false, frees: [], pages }
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
