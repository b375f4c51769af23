import type { Operation } from '../history.js'
import type { Verdict } from '../linearizability.js'

/** What a section saw of a register: a read, or what a write saw before it wrote. */
export interface Sight {
  readonly operation: Operation
  readonly value: string | null
}

/**
 * All that a history says of one key, as a register with writers that may overlap. A write *follows* another in real
 * time if it was asked for after that one was acknowledged. Writes of unknown outcome are never overwritten and overwrite
 * nothing for certain: they may take effect at any time, or never.
 */
export class Register {
  readonly key: string
  /** All but those known not to have happened, in order of asking. */
  readonly writes: readonly Operation[]
  readonly sights: readonly Sight[]
  readonly #failed: ReadonlySet<string | null>
  readonly #byValue: ReadonlyMap<string | null, Operation>
  /** Acknowledged writes in order of asking, and for each the first acknowledged of those from it on. */
  readonly #acknowledged: readonly Operation[]
  readonly #firstEnded: readonly Operation[]

  constructor(key: string, operations: readonly Operation[]) {
    this.key = key
    this.writes = operations.filter(({ op, ok }) => op === 'write' && ok)
    this.sights = operations.flatMap((operation): Sight[] => {
      if (!operation.ok) return []
      if (operation.op === 'read') return [{ operation, value: operation.value }]
      return operation.old === undefined ? [] : [{ operation, value: operation.old }]
    })
    this.#failed = new Set(operations.filter(({ op, ok }) => op === 'write' && !ok).map(({ value }) => value))
    this.#byValue = new Map(this.writes.map((write) => [write.value, write]))
    this.#acknowledged = this.writes
      .filter(({ completeOrder }) => completeOrder !== null)
      .sort((a, b) => a.invokeOrder - b.invokeOrder)
    const firstEnded: Operation[] = []
    for (let index = this.#acknowledged.length - 1, best; index >= 0; index--) {
      const write = this.#acknowledged[index]
      if (write === undefined) continue
      if (best === undefined || endOf(write) < endOf(best)) best = write
      firstEnded[index] = best
    }
    this.#firstEnded = firstEnded
  }

  /** Whether each value was written once, without which nothing can be said. */
  get isClear(): boolean {
    return this.#byValue.size === this.writes.length
  }

  /** The write of the value; undefined for null, and for what was never written. */
  writeOf(value: string | null): Operation | undefined {
    return this.#byValue.get(value)
  }

  /** Why the section cannot have seen the value at all: nobody wrote it, or only later. */
  impossibility({ operation, value }: Sight): string | undefined {
    if (value === null) return undefined
    const write = this.#byValue.get(value)
    if (write !== undefined) {
      return write.invokeOrder < endOf(operation) ? undefined : `it saw "${value}" before that was written`
    }
    if (this.#failed.has(value)) return `it saw "${value}", and the write of that failed`
    return `it saw "${value}", which nobody wrote`
  }

  /** The first acknowledged of the writes that follow the write; undefined stands for the zeros at first. */
  firstOverwriting(write: Operation | undefined): Operation | undefined {
    const end = write === undefined ? -1 : endOf(write)
    let low = 0
    let high = this.#acknowledged.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#acknowledged[middle]?.invokeOrder ?? 0) > end) high = middle
      else low = middle + 1
    }
    return this.#firstEnded[low]
  }

  /** How many of the writes that follow the write were acknowledged before the operation began. */
  overwritingBefore(write: Operation | undefined, operation: Operation): number {
    const end = write === undefined ? -1 : endOf(write)
    return this.#acknowledged.filter(
      (other) => other.invokeOrder > end && endOf(other) < operation.invokeOrder,
    ).length
  }
}

/** Infinity where it is not known to have ended. */
export function endOf({ completeOrder }: Operation): number {
  return completeOrder ?? Infinity
}

export function registersOf(history: readonly Operation[]): Register[] {
  const byKey = new Map<string, Operation[]>()
  for (const operation of history) {
    const of = byKey.get(operation.key)
    if (of === undefined) byKey.set(operation.key, [operation])
    else of.push(operation)
  }
  return [...byKey].map(([key, operations]) => new Register(key, operations))
}

/** Judges each register. A violation on any key goes before an undecided one. */
export function judgeEach(history: readonly Operation[], judge: (register: Register) => Verdict): Verdict {
  let undecided: Verdict | undefined
  for (const register of registersOf(history)) {
    if (!register.isClear) {
      undecided ??= { kind: 'undecided', key: register.key, explanation: 'a value was written twice' }
      continue
    }
    const verdict = judge(register)
    if (verdict.kind === 'violation') return verdict
    if (verdict.kind === 'undecided') undecided ??= verdict
  }
  return undecided ?? { kind: 'ok' }
}
