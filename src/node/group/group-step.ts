import type { Address } from '../../address/address.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { GroupRegion, GroupRegionChange } from '../../wire/group-message.js'
import type { TransferredPage } from '../../wire/transfer-message.js'

export interface PageContent {
  readonly page: PageIndex
  readonly version: Version
  readonly bytes: Uint8Array
}

/** What becomes durable of one region of a home group at once. Its end comes before all else of it, then frees, then pages, then those that are lost. */
export interface GroupStep {
  readonly address: Address
  /** What is kept of it besides its pages; undefined: as it was. */
  readonly region: GroupRegion | undefined
  /** What was there before is no more. */
  readonly isEnd: boolean
  readonly frees: readonly PageRange[]
  readonly pages: readonly PageContent[]
  /** Pages that are there in that version, and whose bytes nobody can give: they are damaged wherever they have not been in that version. */
  readonly lost: readonly TransferredPage[]
}

/** Throws `protocol-error` where the payloads are not those of the pages. */
export function stepOf(change: GroupRegionChange, payloads: readonly Uint8Array[]): GroupStep {
  const { address, region, isEnd, frees, lost } = change
  const pages = change.pages.map(({ page, version }, index) => {
    const bytes = payloads[index]
    if (bytes === undefined)
      throw new KhazanaError('protocol-error', 'a page of a group came without its bytes')
    return { page, version, bytes }
  })
  return { address, region, isEnd, frees, pages, lost }
}

/** Bytes of pages in one message: small enough that leases are renewed between two on a slow link. */
export const chunkBytesMax = 1024 * 1024

/** The same in parts that fit into messages: what has no bytes comes with the first. */
export function* partsOf(step: GroupStep): Generator<{ readonly part: GroupStep; readonly isLast: boolean }> {
  let rest = step
  for (;;) {
    let bytes = 0
    const count = rest.pages.findIndex((page, at) => {
      bytes += page.bytes.length
      return at > 0 && bytes > chunkBytesMax
    })
    if (count < 0) {
      yield { part: rest, isLast: true }
      return
    }
    yield { part: { ...rest, pages: rest.pages.slice(0, count) }, isLast: false }
    rest = { ...rest, region: undefined, isEnd: false, frees: [], pages: rest.pages.slice(count), lost: [] }
  }
}

/** The same for the wire: the bytes go beside it. */
export function changeOf({ address, region, isEnd, frees, pages, lost }: GroupStep): GroupRegionChange {
  const stamps = pages.map(({ page, version }) => ({ page, version }))
  return { address, region, isEnd, frees, pages: stamps, lost }
}
