import type { CommitDone } from '../../store/store.js'
import type { OwnRecords, PlacedChange, RegionChange, RegionLog, RegionPlace } from '../home/region-log.js'
import { regionOf } from './comparison.js'
import type { GroupStep } from './group-step.js'
import type { LedGroup } from './led-group.js'

interface Waiting {
  readonly changes: readonly PlacedChange[]
  readonly done: CommitDone
}

/**
 * The log of regions that a home group keeps: what it says to be durable is so at all members. What the group has no room for yet waits here; that is
 * bounded by what sites have under way.
 */
export class GroupLog implements RegionLog {
  readonly #led: LedGroup
  readonly #waiting: Waiting[] = []

  constructor(led: LedGroup) {
    this.#led = led
  }

  submit(place: RegionPlace, change: RegionChange, done: CommitDone): void {
    this.submitAll([{ place, change }], done)
  }

  submitAll(changes: readonly PlacedChange[], done: CommitDone): void {
    this.#waiting.push({ changes, done })
    this.drain()
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
    while (!this.#led.isFull || this.#led.isOver) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      const { changes, done } = next
      const steps = changes.map(({ place, change }) => stepOf(place, change))
      const spaces = new Map(changes.map(({ place: { address, space } }) => [address, space]))
      this.#led.submit(steps, spaces, () => ownOf(changes), done)
    }
  }
}

/** As they are when they are asked for. */
function ownOf(changes: readonly PlacedChange[]): OwnRecords {
  const all = changes.map(({ change: { own } }) => own?.() ?? {})
  return {
    puts: all.flatMap(({ puts = [] }) => puts),
    deletes: all.flatMap(({ deletes = [] }) => deletes),
  }
}

function stepOf({ address }: RegionPlace, { pages = [], frees = [], record }: RegionChange): GroupStep {
  return {
    address,
    region: record === undefined || record === 'ended' ? undefined : regionOf(record),
    isEnd: record === 'ended',
    frees,
    // Those of a lock are used again when it is durable here, and may still be on their way then.
    pages: pages.map(({ page, version, bytes }) => ({ page, version, bytes: bytes.slice() })),
  }
}
