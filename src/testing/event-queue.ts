import type { EventOwner } from './event-owner.js'

export interface SimEvent {
  readonly timeMs: number
  /** Orders events of one time. */
  readonly tie: number
  /** Orders events of one time and tie, which happens once in four thousand million. */
  readonly serial: number
  readonly owner: EventOwner | undefined
  readonly label: string
  /** Undefined once cancelled. */
  run: (() => void) | undefined
}

/** A binary heap: the earliest event first. Cancelled events stay until they come up. */
export class EventQueue {
  readonly #heap: SimEvent[] = []

  get length(): number {
    return this.#heap.length
  }

  push(event: SimEvent): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt] as SimEvent
      if (!isBefore(event, parent)) break
      heap[at] = parent
      at = parentAt
    }
    heap[at] = event
  }

  peek(): SimEvent | undefined {
    return this.#heap[0]
  }

  pop(): SimEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let childAt = 2 * at + 1
      if (childAt >= heap.length) break
      if (childAt + 1 < heap.length && isBefore(heap[childAt + 1] as SimEvent, heap[childAt] as SimEvent))
        childAt++
      const child = heap[childAt] as SimEvent
      if (!isBefore(child, last)) break
      heap[at] = child
      at = childAt
    }
    heap[at] = last
    return first
  }

  /** All events in order, cancelled ones too; for reports. */
  sorted(): SimEvent[] {
    return [...this.#heap].sort((a, b) => (isBefore(a, b) ? -1 : 1))
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs
  if (a.tie !== b.tie) return a.tie < b.tie
  return a.serial < b.serial
}
