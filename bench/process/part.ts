import type { Khazana } from '../../src/index.js'

/**
 * What a part can be asked to do, by name. Arguments and results are plain data: they travel between processes. (The
 * parts' own interfaces say more, and are what the bench works with.)
 */
export type Actions = Readonly<Record<string, (argument: never) => unknown>>

/** The process that a part runs in. */
export interface Host {
  /** Global memory, as this process has opened it. */
  readonly site: Khazana
  /** Makes `site`. */
  use(site: Khazana): void
  /** Runs at the end of the process, the latest given first. */
  atEnd(end: () => Promise<void> | void): void
}

/** A piece of a row that runs in a process of its own. */
export interface Part<Settings, A extends object> {
  /** Unique among all parts. */
  readonly name: string
  create(host: Host, settings: Settings): Promise<A>
}
