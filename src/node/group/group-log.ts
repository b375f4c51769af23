import type { Address } from '../../address/address.js'
import type { PageIndex } from '../../address/page.js'
import type { SpaceId } from '../../store/space.js'
import type { CommitDone } from '../../store/store.js'
import type { OwnRecords, PlacedChange, RegionChange, RegionLog, RegionPlace } from '../home/region-log.js'
import { regionOf } from './comparison.js'
import { chunkBytesMax } from './group-step.js'
import type { GroupStep, PageContent } from './group-step.js'
import type { LedGroup } from './led-group.js'

type Leading = Pick<LedGroup, 'isFull' | 'isOver' | 'submit'>

interface Waiting {
  readonly steps: readonly GroupStep[]
  readonly spaces: ReadonlyMap<Address, SpaceId>
  /** Of pages. */
  readonly bytes: number
  /** Nothing but pages, of regions that are there. */
  readonly isPlain: boolean
  readonly own: () => OwnRecords
  readonly done: CommitDone
}

/**
 * The log of regions that a home group keeps: what it says to be durable is so at all members. What is written in one turn of the event loop becomes one
 * commit of the group, with one message to each backup and one answer. What the group has no room for yet waits here; that is bounded by what
 * sites have under way.
 */
export class GroupLog implements RegionLog {
  readonly #led: Leading
  readonly #waiting: Waiting[] = []
  #isDraining = false

  constructor(led: Leading) {
    this.#led = led
  }

  submit(place: RegionPlace, change: RegionChange, done: CommitDone): void {
    this.submitAll([{ place, change }], done)
  }

  submitAll(changes: readonly PlacedChange[], done: CommitDone): void {
    this.#waiting.push(waitingOf(changes, done))
    if (this.#isDraining) return
    this.#isDraining = true
    queueMicrotask(() => {
      this.#isDraining = false
      this.drain()
    })
  }

  commit(place: RegionPlace, change: RegionChange): Promise<void> {
    return new Promise((resolve, reject) => {
      this.submit(place, change, (failure) => {
        if (failure === undefined) resolve()
        else reject(failure)
      })
    })
  }

  /** The group has room again, or is over, and then says so of each. */
  drain(): void {
    while (this.#waiting.length > 0 && (!this.#led.isFull || this.#led.isOver)) {
      const [first, ...others] = this.#takeBatch()
      if (first === undefined) return
      if (others.length === 0) this.#led.submit(first.steps, first.spaces, first.own, first.done)
      else this.#submitTogether([first, ...others])
    }
  }

  /** The first, and what can go with it. */
  #takeBatch(): Waiting[] {
    let bytes = 0
    const end = this.#waiting.findIndex((each, at) => {
      bytes += each.bytes
      return at > 0 && (!each.isPlain || this.#waiting[0]?.isPlain !== true || bytes > chunkBytesMax)
    })
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end)
  }

  #submitTogether(batch: readonly Waiting[]): void {
    const spaces = new Map(batch.flatMap((each) => [...each.spaces]))
    const steps = mergePages(batch.flatMap((each) => each.steps))
    this.#led.submit(steps, spaces, noRecords, (failure) => {
      for (const { done } of batch) done(failure)
    })
  }
}

function noRecords(): OwnRecords {
  return {}
}

/** One step for each region, with the newest of each page. */
function mergePages(steps: readonly GroupStep[]): GroupStep[] {
  const regions = new Map<Address, Map<PageIndex, PageContent>>()
  for (const { address, pages } of steps) {
    const known = regions.get(address) ?? new Map<PageIndex, PageContent>()
    regions.set(address, known)
    for (const page of pages) known.set(page.page, page)
  }
  return [...regions].map(([address, pages]) => ({
    ...{ address, region: undefined, isEnd: false, frees: [] },
    pages: [...pages.values()],
    lost: [],
  }))
}

function waitingOf(changes: readonly PlacedChange[], done: CommitDone): Waiting {
  const steps = changes.map(({ place, change }) => stepOf(place, change))
  return {
    steps,
    spaces: new Map(changes.map(({ place: { address, space } }) => [address, space])),
    bytes: steps.reduce(
      (sum, { pages }) => sum + pages.reduce((bytes, page) => bytes + page.bytes.length, 0),
      0,
    ),
    isPlain: changes.every(
      ({ change: { record, lost = [], frees = [], own } }) =>
        record === undefined && lost.length === 0 && frees.length === 0 && own === undefined,
    ),
    // As they are when they are asked for.
    own: () => {
      const all = changes.map(({ change: { own } }) => own?.() ?? {})
      return {
        puts: all.flatMap(({ puts = [] }) => puts),
        deletes: all.flatMap(({ deletes = [] }) => deletes),
      }
    },
    done,
  }
}

function stepOf(
  { address }: RegionPlace,
  { pages = [], lost = [], frees = [], record }: RegionChange,
): GroupStep {
  return {
    address,
    region: record === undefined || record === 'ended' ? undefined : regionOf(record),
    isEnd: record === 'ended',
    frees,
    // Those of a lock are used again when it is durable here, and may still be on their way then.
    pages: pages.map(({ page, version, bytes }) => ({ page, version, bytes: bytes.slice() })),
    lost,
  }
}
