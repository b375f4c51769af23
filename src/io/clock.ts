/** Time, as the rest of the system may see it. Clock values are never compared between machines. */
export interface Clock {
  /** Milliseconds since an arbitrary origin, fractional; never goes back. */
  now(): number
  /** Calls `run` once, `delayMs` from now at the earliest. Does not keep the process alive by itself. */
  after(delayMs: number, run: () => void): Timer
  /** Milliseconds since 1970 for people to read; may jump. */
  wallTime(): number
}

export interface Timer {
  /** Idempotent; after it returns, `run` is not called. */
  cancel(): void
}
