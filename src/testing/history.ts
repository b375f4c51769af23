import { KhazanaError } from '../stdx/errors.js'

/**
 * One operation of a client on one key, as the client saw it. A file of these, one JSON object a line, can be judged by
 * any checker:
 *
 * - Every key is a register, `null` before its first write; each written value is written once in the whole history.
 * - `invoke` and `complete` are virtual milliseconds of one true clock. `invokeOrder` and `completeOrder` order
 *   all invocations and completions of the history, without ties: A was before B in real time exactly if
 *   `A.completeOrder < B.invokeOrder`.
 * - `complete: null` (and `completeOrder: null`): the outcome is unknown. A write may take effect at any time after its
 *   invocation, once, or never. Reads of unknown outcome say nothing and are recorded as `ok: false`.
 * - `ok: false`: known not to have happened; to be ignored. All others are `ok: true`, unknown writes too.
 * - A write with `old` read that value first and wrote `value` in the same critical section: nothing came between, unless
 *   its lock kept nobody out.
 * - A key may be a set instead, if its region merges: then each write adds its value, and a read is of all values that are
 *   there, with a blank between them.
 */
export interface Operation {
  /** Who asked; its operations may overlap. */
  readonly process: string
  readonly op: 'read' | 'write'
  readonly key: string
  /** What was read or written; null for a read of what was never written. */
  readonly value: string | null
  /** Only for a write that read first. */
  readonly old?: string | null
  readonly invoke: number
  readonly complete: number | null
  readonly ok: boolean
  /** Only for a read that might be behind: how far it allowed that. */
  readonly bound?: ReadBound
  readonly invokeOrder: number
  readonly completeOrder: number | null
}

/** Milliseconds of true time, and versions of the page; null is no bound. */
export interface ReadBound {
  readonly ms: number | null
  readonly versions: number | null
}

/** An operation in progress. It ends once; one that never ends is unknown. */
export interface OpenOperation {
  /** A read with what it saw; `bound` where that might be behind. */
  read(value: string | null, bound?: ReadBound): void
  /** A write that was acknowledged; `old` where it read first. */
  wrote(old?: string | null): void
  /** It is known not to have happened. */
  failed(): void
  /** Nobody knows; `old` where it had read before it got lost. */
  unknown(old?: string | null): void
}

type Draft = { -readonly [K in keyof Operation]: Operation[K] }

/** Records what clients ask and get, in real-time order. */
export class HistoryRecorder {
  readonly #now: () => number
  readonly #operations: Draft[] = []
  readonly #open = new Set<Draft>()
  #order = 0

  /** `now` gives virtual milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** All operations in order of invocation; those in progress as unknown. Snapshot. */
  operations(): readonly Operation[] {
    return this.#operations.map((operation) => ({ ...operation }))
  }

  /** Operations that have not ended. */
  open(): readonly Operation[] {
    return [...this.#open]
  }

  /** Writes that were acknowledged. */
  get acknowledged(): number {
    return this.#operations.filter((one) => one.op === 'write' && one.ok && one.complete !== null).length
  }

  read(process: string, key: string): OpenOperation {
    // Not ok until it is answered: an unanswered read has no effect.
    return this.#begin({ process, op: 'read', key, value: null, ok: false })
  }

  /** `value` is written by nothing else in this history. */
  write(process: string, key: string, value: string): OpenOperation {
    return this.#begin({ process, op: 'write', key, value, ok: true })
  }

  #begin(start: Pick<Operation, 'process' | 'op' | 'key' | 'value' | 'ok'>): OpenOperation {
    const draft: Draft = {
      ...start,
      invoke: this.#now(),
      complete: null,
      invokeOrder: this.#order++,
      completeOrder: null,
    }
    this.#operations.push(draft)
    this.#open.add(draft)
    const once = (end: () => void): void => {
      if (this.#open.delete(draft)) end()
    }
    const complete = (): void => {
      draft.complete = this.#now()
      draft.completeOrder = this.#order++
    }
    const remember = (old: string | null | undefined): void => {
      if (old !== undefined) draft.old = old
    }
    return {
      read: (value, bound) =>
        once(() => {
          draft.value = value
          if (bound !== undefined) draft.bound = bound
          draft.ok = true
          complete()
        }),
      wrote: (old) =>
        once(() => {
          remember(old)
          complete()
        }),
      failed: () =>
        once(() => {
          draft.ok = false
          complete()
        }),
      unknown: (old) => once(() => remember(old)),
    }
  }
}

/** One JSON object a line, each line ended. */
export function writeHistory(operations: readonly Operation[]): string {
  return operations.map((operation) => `${JSON.stringify(operation)}\n`).join('')
}

/** The reverse. Throws `bad-format` with the number of the first line that is no operation. */
export function readHistory(text: string): Operation[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line, index) => parse(line, index + 1))
}

function parse(line: string, number: number): Operation {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch (cause) {
    throw new KhazanaError('bad-format', `line ${number} of the history is no JSON`, { cause })
  }
  if (!isOperation(parsed))
    throw new KhazanaError('bad-format', `line ${number} of the history is no operation`)
  return parsed
}

function isOperation(parsed: unknown): parsed is Operation {
  if (typeof parsed !== 'object' || parsed === null) return false
  const one = parsed as Readonly<Record<keyof Operation, unknown>>
  const isNumberOrNull = (value: unknown): boolean => value === null || typeof value === 'number'
  const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string'
  return (
    typeof one.process === 'string' &&
    (one.op === 'read' || one.op === 'write') &&
    typeof one.key === 'string' &&
    isTextOrNull(one.value) &&
    (one.op === 'read' || one.value !== null) &&
    (one.old === undefined || isTextOrNull(one.old)) &&
    typeof one.invoke === 'number' &&
    isNumberOrNull(one.complete) &&
    typeof one.ok === 'boolean' &&
    (one.bound === undefined || isBound(one.bound)) &&
    typeof one.invokeOrder === 'number' &&
    isNumberOrNull(one.completeOrder) &&
    (one.complete === null) === (one.completeOrder === null)
  )
}

function isBound(parsed: unknown): boolean {
  if (typeof parsed !== 'object' || parsed === null) return false
  const { ms, versions } = parsed as Readonly<Record<keyof ReadBound, unknown>>
  return (ms === null || typeof ms === 'number') && (versions === null || typeof versions === 'number')
}

/** One operation in words. */
export function describeOperation(one: Operation): string {
  const quoted = (value: string | null): string => (value === null ? 'nothing' : JSON.stringify(value))
  const what =
    one.op === 'read'
      ? `read ${quoted(one.value)} from`
      : one.old === undefined
        ? `wrote ${quoted(one.value)} to`
        : `read ${quoted(one.old)} and wrote ${quoted(one.value)} to`
  const end = one.complete === null ? 'never heard again' : `done ${one.complete.toFixed(3)}`
  return `${one.process} ${what} ${one.key}: asked ${one.invoke.toFixed(3)}, ${end}`
}
