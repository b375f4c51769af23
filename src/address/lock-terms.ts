/**
 * What a lock request says beside its pages and mode. One object a lock: it also names the lock from its grant to its
 * end.
 */
export interface LockTerms {
  /** Bytes from the start of the region. */
  readonly offset: number
  readonly length: number
  /** What the lock is on, for the region's own conflict test; empty where nothing is said. */
  readonly tag: string
  /** How old what is read may be; undefined: as the region says. */
  readonly staleness: Staleness | undefined
  /** Whether the lock goes on while the home cannot be reached, with what is here; undefined: as the region says. */
  readonly failure?: 'read-only' | undefined
  /** Whether the lock sees changes that arrive; undefined: as the region says. */
  readonly isolation?: 'live' | undefined
  /** Whether storage is to be taken away: nobody may use the pages, nor a copy of them, until the lock ends. */
  readonly seize: boolean
}

/** For protocols that need to know nothing but pages and mode. */
export const plainTerms: LockTerms = Object.freeze({
  offset: 0,
  length: 0,
  tag: '',
  staleness: undefined,
  seize: false,
})

/** How far behind the newest version a read may be: by so many milliseconds, and by so many versions. 0: not at all. */
export interface Staleness {
  /** 0 to Infinity. */
  readonly ms: number
  /** Versions of the page: 0 to Infinity. */
  readonly versions: number
}
