import type { PageIndex } from '../../address/page.js'
import type { Attachment, CommittedPage, MergeFunction, ParcelId } from '../../consistency/contract.js'
import { cmParcelsMax } from '../../wire/limits.js'
import { demand } from './contract-violation.js'
import type { CommitWrite } from './home-storage.js'
import { ParcelTable, changedBy } from './parcel-table.js'
import type { Parcel } from './parcel-table.js'

export interface SiteMemoryOptions {
  /** Of the site, for complaints. */
  readonly name: string
  /** Bytes. */
  readonly pageSize: number
  readonly merge: MergeFunction | undefined
  /** A page has another frame. */
  readonly onChange: (page: PageIndex, bytes: Uint8Array) => void
}

/** The bytes at one site: frames, by page, and parcels, by number; and what a manager, which sees none, makes of them. */
export class SiteMemory {
  /** Pages in memory. */
  readonly frames = new Map<PageIndex, Uint8Array>()
  readonly #options: SiteMemoryOptions
  #parcels: ParcelTable

  constructor(options: SiteMemoryOptions) {
    this.#options = options
    this.#parcels = new ParcelTable(options.name)
  }

  /** Of the site's life. */
  get parcels(): ParcelTable {
    return this.#parcels
  }

  /** The process has died. */
  clear(): void {
    this.frames.clear()
    this.#parcels = new ParcelTable(this.#options.name)
  }

  /** The page's frame from now on, or, undefined, that it is not in memory. */
  set(page: PageIndex, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) {
      this.frames.delete(page)
      return
    }
    const { name, pageSize, onChange } = this.#options
    demand(bytes.length === pageSize, `page ${page} at ${name} has ${bytes.length} bytes`)
    this.frames.set(page, bytes)
    onChange(page, bytes)
  }

  /** The parcel takes the place of the page, or changes it where it is in memory. */
  apply(page: PageIndex, id: ParcelId): void {
    const parcel = this.#parcels.get(id)
    const frame = this.frames.get(page)
    if (parcel.kind === 'page') this.set(page, parcel.bytes.slice())
    else if (frame !== undefined) this.set(page, changedBy(frame, parcel))
  }

  /** The page becomes what the application makes of it and the parcel. */
  merge(page: PageIndex, id: ParcelId): void {
    const frame = this.#frame(page, 'merges')
    const parcel = this.#mergeable(id, page)
    this.set(page, parcel.merge(frame, parcel.bytes, page))
  }

  #mergeable(id: ParcelId, page: PageIndex): { bytes: Uint8Array; merge: MergeFunction } {
    const { name, merge } = this.#options
    demand(merge !== undefined, `${name} merges page ${page}, and the region has no merge function`)
    const parcel = this.#parcels.get(id)
    demand(parcel.kind === 'page', `${name} merges a patch into page ${page}: it takes a whole page`)
    return { bytes: parcel.bytes, merge }
  }

  #frame(page: PageIndex, how: string): Uint8Array {
    const frame = this.frames.get(page)
    demand(frame !== undefined, `${this.#options.name} ${how} page ${page}, which is not in memory`)
    return frame
  }

  /** What goes along with a message, and which pages' frames are in it. */
  attached(attach: readonly Attachment[]): { parcels: Parcel[]; pages: PageIndex[] } {
    const { name } = this.#options
    demand(attach.length <= cmParcelsMax, `${name} attaches ${attach.length} parcels to one message`)
    const pages: PageIndex[] = []
    const parcels = attach.map((attachment): Parcel => {
      if (attachment.kind === 'parcel') return this.#parcels.get(attachment.parcel)
      const frame = this.#frame(attachment.page, 'sends the frame of')
      pages.push(attachment.page)
      return { kind: 'page', bytes: frame.slice() }
    })
    return { parcels, pages }
  }

  /** What a commit of the pages writes. */
  writesOf(pages: readonly CommittedPage[]): CommitWrite[] {
    const { name } = this.#options
    return pages.map(({ page, version, parcels, how }) => {
      if (parcels === undefined) {
        const frame = this.frames.get(page)
        demand(frame !== undefined, `${name} persists page ${page} as it is, and it is not in memory`)
        return { page, version, change: { kind: 'frame', bytes: frame.slice() } }
      }
      demand(parcels.length > 0, `${name} persists page ${page} with an empty list of parcels`)
      if (how === 'merge') for (const parcel of parcels) this.#mergeable(parcel, page)
      const contents = parcels.map((parcel) => this.#parcels.get(parcel))
      return { page, version, change: { kind: 'parcels', parcels: contents, how: how ?? 'apply' } }
    })
  }
}
