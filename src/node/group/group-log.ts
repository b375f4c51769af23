import type { CommitDone } from '../../store/store.js'
import type { OwnRecords, RegionChange, RegionLog, RegionPlace } from '../home/region-log.js'
import { regionOf } from './comparison.js'
import type { GroupStep } from './group-step.js'
import type { LedGroup } from './led-group.js'

interface Waiting {
  readonly place: RegionPlace
  readonly change: RegionChange
  readonly done: CommitDone
}

const nothing = (): OwnRecords => ({})

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
    this.#waiting.push({ place, change, done })
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
      const { place, change, done } = next
      this.#led.submit(stepOf(place, change), place.space, change.own ?? nothing, done)
    }
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
