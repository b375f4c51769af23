/** Until the next attempt, at first and at most. Milliseconds. */
export const retryMsMin = 250
export const retryMsMax = 30_000
/**
 * How long one attempt may take, at first and at most. It grows, so that locks which are each held for a while do not keep a release from its
 * turn for ever; and does not begin so, as whoever wants a lock on the range waits behind the attempt.
 */
export const attemptMsMin = 5000
export const attemptMsMax = 60_000
/** Attempts at a time: of one region there is one, so that each tells what the others would. */
export const widthMax = 32

interface Entry {
  readonly number: number
  readonly region: string
  dueAt: number
  retryMs: number
  attemptMs: number
  isRunning: boolean
}

export interface Attempt {
  readonly number: number
  readonly timeoutMs: number
}

/** When which release is tried: each by itself, later and later, so that one that cannot be done for long holds up no other. Pure; times are milliseconds of one clock. */
export class ReleaseSchedule {
  readonly #entries = new Map<number, Entry>()
  readonly #running = new Set<string>()

  /** `region`: what tells one region from another. */
  add(number: number, region: string, now: number): void {
    const entry = {
      number,
      region,
      dueAt: now,
      retryMs: retryMsMin,
      attemptMs: attemptMsMin,
      isRunning: false,
    }
    this.#entries.set(number, entry)
  }

  /** Somebody waits for it. */
  hurry(number: number, now: number): void {
    const entry = this.#entries.get(number)
    if (entry === undefined) return
    entry.dueAt = Math.min(entry.dueAt, now)
    entry.retryMs = retryMsMin
  }

  /** What is to be tried now, the oldest first: each is running from now on, until `failed` or `ended`. */
  begin(now: number): Attempt[] {
    const attempts: Attempt[] = []
    for (const entry of this.#entries.values()) {
      if (this.#running.size >= widthMax) break
      if (entry.isRunning || entry.dueAt > now || this.#running.has(entry.region)) continue
      entry.isRunning = true
      this.#running.add(entry.region)
      attempts.push({ number: entry.number, timeoutMs: entry.attemptMs })
    }
    return attempts
  }

  /** It could not be done. */
  failed(number: number, now: number): void {
    const entry = this.#stop(number)
    if (entry === undefined) return
    entry.dueAt = now + entry.retryMs
    entry.retryMs = Math.min(retryMsMax, entry.retryMs * 2)
    entry.attemptMs = Math.min(attemptMsMax, entry.attemptMs * 2)
  }

  /** It was done, and is asked for once more. */
  again(number: number, now: number): void {
    const entry = this.#stop(number)
    if (entry !== undefined) entry.dueAt = now
  }

  ended(number: number): void {
    this.#stop(number)
    this.#entries.delete(number)
  }

  /** When `begin` has something to say if nothing happens before: undefined where only the end of an attempt can change that. */
  get nextAt(): number | undefined {
    if (this.#running.size >= widthMax) return undefined
    let next: number | undefined
    for (const { isRunning, region, dueAt } of this.#entries.values()) {
      if (isRunning || this.#running.has(region)) continue
      if (next === undefined || dueAt < next) next = dueAt
    }
    return next
  }

  #stop(number: number): Entry | undefined {
    const entry = this.#entries.get(number)
    if (entry?.isRunning === true) {
      entry.isRunning = false
      this.#running.delete(entry.region)
    }
    return entry
  }
}
