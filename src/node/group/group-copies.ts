import type { Address } from '../../address/address.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { NodeId } from '../../address/identity.js'
import { neverWritten } from '../../address/page.js'
import type { PageIndex, Version } from '../../address/page.js'
import { RangeSet } from '../../address/range-set.js'
import type {
  CommitDone,
  CommitGroup,
  MetadataPut,
  PageDamage,
  PageWrite,
  RangeFree,
} from '../../store/commit-group.js'
import { RegionDirectory } from '../../location/region-directory.js'
import type { SpaceId } from '../../store/space.js'
import type { PagePlace, Store, StoredPage } from '../../store/store.js'
import { pageStampsMax } from '../../wire/limits.js'
import type { GroupRegion, GroupRegionStamps } from '../../wire/group-message.js'
import type { OwnRecords } from '../home/region-log.js'
import { decodeRegion, encodeRegion } from '../home/region-record.js'
import type { RegionRecord } from '../home/region-record.js'
import { addressKey } from '../home/stored-descriptor.js'
import { GroupDisk } from './group-disk.js'
import type { GroupStep } from './group-step.js'

const keyPrefix = 'group/'
const noSpaces: ReadonlyMap<Address, SpaceId> = new Map()

/** Records of the regions of one group: the same at all its members. */
export function groupKeyPrefix(group: string): string {
  return `${keyPrefix}${group}/`
}

/** Names of all groups of which the store has regions. */
export function storedGroups(store: Pick<Store, 'versionOf' | 'list'>): string[] {
  const names = new Set<string>()
  for (const [key] of store.list(keyPrefix)) names.add(key.slice(keyPrefix.length, key.lastIndexOf('/')))
  return [...names]
}

export interface GroupCopiesOptions {
  readonly group: string
  /** Whose store it is: descriptors name it as the home, whoever that is. */
  readonly self: NodeId
  readonly store: Pick<
    Store,
    | 'versionOf'
    | 'list'
    | 'pagesOf'
    | 'read'
    | 'isDamaged'
    | 'placeOf'
    | 'submit'
    | 'pendingBytes'
    | 'pendingBytesMax'
  >
  /** A place in the store for the pages of a region. */
  readonly takeSpace: () => SpaceId
  /** What is durable with the first use of such a place: as it is when the disk is given it. */
  readonly numbers: () => readonly MetadataPut[]
}

/**
 * What a member of a home group has of its regions in its store. Pages are in spaces of each member's own. It is kept as it will be when all that
 * was handed to the disk is durable.
 */
export class GroupCopies {
  readonly #options: GroupCopiesOptions
  readonly #prefix: string
  readonly #disk: GroupDisk
  readonly #regions = new Map<Address, RegionRecord>()
  /** The same, found by any address in them. */
  readonly #directory = new RegionDirectory(Infinity)

  /** Reads what is there. Throws `bad-format`. */
  constructor(options: GroupCopiesOptions) {
    this.#options = options
    this.#prefix = groupKeyPrefix(options.group)
    this.#disk = new GroupDisk(options.store)
    this.#load()
  }

  #load(): void {
    const { store, self } = this.#options
    for (const address of [...this.#regions.keys()]) this.#forget(address)
    for (const [key, value] of store.list(this.#prefix))
      this.#keep(decodeRegion(key, value, self, this.#prefix))
  }

  #keep(record: RegionRecord): void {
    this.#regions.set(record.descriptor.address, record)
    this.#directory.add(record.descriptor)
  }

  #forget(address: Address): void {
    this.#regions.delete(address)
    this.#directory.forget(address)
  }

  /** When the disk has answered all that was handed to it: what is there counts, whatever was refused. Throws `bad-format`. */
  async settle(): Promise<void> {
    await this.#disk.whenIdle()
    this.#load()
    this.#disk.begin()
  }

  /**
   * Makes the steps durable as one, with records of this node alone. From now on they count as made. Where the disk refuses it, it refuses all that comes after
   * it, until `settle`. `spaces`: where regions that are new go, instead of a place of their own.
   */
  submit(
    steps: Iterable<GroupStep>,
    done: CommitDone,
    own: () => OwnRecords = () => ({}),
    spaces: ReadonlyMap<Address, SpaceId> = noSpaces,
  ): void {
    const { group, isTaking } = this.#commitOf(steps, spaces)
    const records = (): OwnRecords => {
      const { puts = [], deletes = [] } = own()
      return { puts: isTaking ? [...this.#options.numbers(), ...puts] : puts, deletes }
    }
    this.#disk.submit(group, records, done)
  }

  /** The same, as a promise. */
  commit(steps: Iterable<GroupStep>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.submit(steps, (failure) => {
        if (failure === undefined) resolve()
        else reject(failure)
      })
    })
  }

  /** The region that holds the address. */
  find(address: Address): RegionDescriptor | undefined {
    return this.#directory.find(address)
  }

  /** What is durable of a page; undefined where there is none. Throws `damaged`. */
  read(space: SpaceId, page: PageIndex): Promise<StoredPage | undefined> {
    return this.#options.store.read(space, page)
  }

  /** What is durable of a region's pages. */
  stampsOf(space: SpaceId): Iterable<{ readonly page: PageIndex; readonly version: Version }> {
    return this.#options.store.pagesOf(space)
  }

  /** Of what is durable here of a page; 0 where there is none. */
  versionOf(space: SpaceId, page: PageIndex): Version {
    return this.#options.store.versionOf(space, page)
  }

  /** Where this disk has a page, for those who do harm to it on purpose. */
  placeOf(space: SpaceId, page: PageIndex): PagePlace | undefined {
    return this.#options.store.placeOf(space, page)
  }

  /** Whether what is on this disk of a page is known to be damaged. */
  isDamaged(space: SpaceId, page: PageIndex): boolean {
    return this.#options.store.isDamaged(space, page)
  }

  get isEmpty(): boolean {
    return this.#regions.size === 0
  }

  get(address: Address): RegionRecord | undefined {
    return this.#regions.get(address)
  }

  all(): Iterable<RegionRecord> {
    return this.#regions.values()
  }

  #commitOf(
    steps: Iterable<GroupStep>,
    spaces: ReadonlyMap<Address, SpaceId>,
  ): { readonly group: CommitGroup; readonly isTaking: boolean } {
    const group = {
      pages: [] as PageWrite[],
      damages: [] as PageDamage[],
      frees: [] as RangeFree[],
      puts: [] as MetadataPut[],
      deletes: [] as string[],
      drops: [] as SpaceId[],
    }
    let isTaking = false
    for (const step of steps) {
      const before = this.#regions.get(step.address)
      const isNew = step.isEnd || before?.descriptor.generation !== generationOf(step, before)
      if (isNew && before !== undefined) {
        group.drops.push(before.space)
        group.deletes.push(this.#keyOf(step.address))
        this.#forget(step.address)
      }
      const space = isNew || before === undefined ? spaces.get(step.address) : before.space
      if (step.region !== undefined) {
        isTaking ||= space === undefined
        const record = recordOf(step.region, this.#options.self, space ?? this.#options.takeSpace())
        this.#keep(record)
        group.puts.push({ key: this.#keyOf(step.address), value: encodeRegion(record) })
      }
      const after = this.#regions.get(step.address)
      if (after === undefined) continue
      for (const range of step.frees) group.frees.push({ space: after.space, range })
      for (const content of step.pages) group.pages.push({ space: after.space, ...content })
      for (const { page, version } of step.lost) group.damages.push({ space: after.space, page, version })
    }
    return { group, isTaking }
  }

  #keyOf(address: Address): string {
    return addressKey(this.#prefix, address)
  }

  /** What is here, for the primary to compare: in parts of at most `pageStampsMax` pages, of each region one at least. */
  *stamps(): Generator<GroupRegionStamps> {
    for (const { descriptor, space } of this.#regions.values()) {
      const { address, generation, revision, era } = descriptor
      const { store } = this.#options
      const pages = Array.from(store.pagesOf(space), ({ page, version }) => ({
        page,
        // As if it were another one: so it is sent, or taken away.
        version: store.isDamaged(space, page) ? neverWritten : version,
      }))
      for (let at = 0; at === 0 || at < pages.length; at += pageStampsMax) {
        yield { address, generation, revision, era, pages: pages.slice(at, at + pageStampsMax) }
      }
    }
  }
}

function generationOf({ region }: GroupStep, before: RegionRecord | undefined): number | undefined {
  return region?.descriptor.generation ?? before?.descriptor.generation
}

function recordOf(
  { descriptor, allocated, floor, handover }: GroupRegion,
  home: NodeId,
  space: SpaceId,
): RegionRecord {
  const ranges = new RangeSet()
  for (const { first, count } of allocated) ranges.add(first, count)
  return { descriptor: { ...descriptor, home }, allocated: ranges, floor, space, handover }
}
