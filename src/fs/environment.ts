/** What a file system needs of the world besides global memory: so that it runs in a simulated one, too. */
export interface FsEnvironment {
  /** The time of day. */
  now(): Timestamp
  /** Calls back once, after that many milliseconds; what it answers takes that back. */
  after(ms: number, callback: () => void): () => void
  /** That many bytes that nobody can foretell. */
  randomBytes(count: number): Uint8Array
  /** What went wrong where nobody waits for it. */
  warn(message: string, reason: unknown): void
}

/** Seconds since 1970, before it negative; nanoseconds 0 to 999,999,999. */
export interface Timestamp {
  readonly seconds: number
  readonly nanoseconds: number
}

export function isEarlier(a: Timestamp, b: Timestamp): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.nanoseconds < b.nanoseconds)
}
