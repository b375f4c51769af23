import type { Address } from '../../address/address.js'
import type { PageRange } from '../../address/page.js'
import type { SpaceId } from '../../store/space.js'
import type { CommitDone, CommitGroup, MetadataPut, Store } from '../../store/store.js'
import type { TransferredPage } from '../../wire/transfer-message.js'
import type { HomeWrite } from '../replica/home-backing.js'
import { fencesKey } from './fence-reserve.js'
import { encodeRegion, regionKey } from './region-record.js'
import type { RegionRecord } from './region-record.js'

/** Which region, and where this node's store has its pages. */
export interface RegionPlace {
  readonly address: Address
  readonly space: SpaceId
}

/** Records of a node that are about nobody else. */
export interface OwnRecords {
  readonly puts?: readonly MetadataPut[]
  /** Keys. */
  readonly deletes?: readonly string[]
}

/** What becomes durable of a region at once, all or nothing. */
export interface RegionChange {
  readonly pages?: readonly HomeWrite[]
  /** Pages that have become these versions, and whose bytes nobody has any more: they are damaged from then on. */
  readonly lost?: readonly TransferredPage[]
  /** Ranges whose storage is taken away. */
  readonly frees?: readonly PageRange[]
  /** What is kept of the region besides its pages, from then on; `ended`: nothing, nor its pages. */
  readonly record?: RegionRecord | 'ended'
  /** Records of this node alone, durable together with it: as they are when the disk is given it, which may be later. */
  readonly own?: () => OwnRecords
}

/** A change, and of what. */
export interface PlacedChange {
  readonly place: RegionPlace
  readonly change: RegionChange
}

/**
 * Where all goes that becomes durable of the regions homed at a node. Changes of one region become durable in the order in which they are handed in.
 * Where one fails, so do those behind it, in the same turn.
 */
export interface RegionLog {
  /** Calls `done` when it is durable, or with the error. */
  submit(place: RegionPlace, change: RegionChange, done: CommitDone): void
  /** The same for changes of several regions, which become durable together or not at all. */
  submitAll(changes: readonly PlacedChange[], done: CommitDone): void
  /** The same, as a promise. Throws `no-space`, `busy`, `storage-failed`. */
  commit(place: RegionPlace, change: RegionChange): Promise<void>
}

/** The log of regions that are on the disk of their home alone. */
export class LocalLog implements RegionLog {
  readonly #store: Pick<Store, 'commit' | 'submit'>

  constructor(store: Pick<Store, 'commit' | 'submit'>) {
    this.#store = store
  }

  submit(place: RegionPlace, change: RegionChange, done: CommitDone): void {
    this.#store.submit(groupOf(place, change), done)
  }

  submitAll(changes: readonly PlacedChange[], done: CommitDone): void {
    this.#store.submit(together(changes.map(({ place, change }) => groupOf(place, change))), done)
  }

  commit(place: RegionPlace, change: RegionChange): Promise<void> {
    return this.#store.commit(groupOf(place, change))
  }
}

function together(groups: readonly CommitGroup[]): CommitGroup {
  return {
    pages: groups.flatMap(({ pages = [] }) => pages),
    frees: groups.flatMap(({ frees = [] }) => frees),
    puts: groups.flatMap(({ puts = [] }) => puts),
    deletes: groups.flatMap(({ deletes = [] }) => deletes),
    drops: groups.flatMap(({ drops = [] }) => drops),
    damages: groups.flatMap(({ damages = [] }) => damages),
  }
}

function groupOf({ address, space }: RegionPlace, change: RegionChange): CommitGroup {
  const { pages = [], lost = [], frees = [], record, own } = change
  const { puts = [], deletes = [] } = own?.() ?? {}
  const isKept = record !== undefined && record !== 'ended'
  return {
    pages: pages.map(({ page, version, bytes }) => ({ space, page, version, bytes })),
    damages: lost.map(({ page, version }) => ({ space, page, version })),
    frees: frees.map((range) => ({ space, range })),
    puts: isKept ? [{ key: regionKey(address), value: encodeRegion(record) }, ...puts] : puts,
    deletes: record === 'ended' ? [regionKey(address), fencesKey(address), ...deletes] : deletes,
    ...(record === 'ended' && { drops: [space] }),
  }
}
