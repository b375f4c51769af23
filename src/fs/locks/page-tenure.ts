import type { FsEnvironment } from '../environment.js'
import { stands } from '../pages/lock.js'
import type { Lock } from '../pages/lock.js'
import type { LockPage } from './lock-page.js'
import type { LockTable } from './lock-table.js'

/** For how long a table is kept that nobody else wants, before it is written down: what is taken and given back within that costs no disk. Milliseconds. */
const keepMs = 50
/**
 * For how long who wants the table waits where something in it is locked here. Most programs keep a lock for less, and then the page goes as it was, without the disk; to write
 * the table down takes no less. Milliseconds.
 */
const graceMs = 2

export interface PageTenureOptions {
  readonly page: LockPage
  readonly environment: FsEnvironment
  /** The page is had: this is on it. May throw; then it is not had. */
  readonly adopt: (found: LockTable, mode: 'read' | 'write') => void
  /** The right to write was lost, and with it what was not written down. */
  readonly lost: () => void
  /** It is time to let the page go: `isToEnd`. */
  readonly toEnd: () => void
  /** Whether programs here have locks in the table. */
  readonly isInUse: () => boolean
}

/**
 * How a mount has the page with a file's table of locks: not at all; for writing, where the table is its own to change, in memory; or for reading, where it waits for others to
 * change it. It is told when others want the page.
 */
export class PageTenure {
  readonly #options: PageTenureOptions
  #lock: Lock | undefined
  #isToEnd = false
  #cancelKeep: (() => void) | undefined
  /** Somebody waits for the page, and for what programs here have locked. */
  #cancelGrace: (() => void) | undefined

  constructor(options: PageTenureOptions) {
    this.#options = options
  }

  get isHeld(): boolean {
    return this.#lock !== undefined
  }

  /** Others want the page, or it was had for long enough. */
  get isToEnd(): boolean {
    return this.#isToEnd && this.isHeld
  }

  /** Whether the table is this mount's to change, without any waiting. Throws `FsError`. */
  writeAtOnce(): boolean {
    const { page, lost } = this.#options
    if (this.#lock?.mode === 'write') {
      if (stands(this.#lock)) return true
      lost()
    }
    this.drop()
    const lock = page.tryLock('write')
    if (lock === undefined) return false
    this.#begin(lock, keepMs)
    return true
  }

  /** The same when the page has come. */
  async write(): Promise<void> {
    if (!this.writeAtOnce()) this.#begin(await this.#options.page.lock('write'), keepMs)
  }

  /** Has the page for reading, until others want it. May end at once. Throws `EINTR` by the signal. */
  async read(signal: AbortSignal): Promise<void> {
    this.#begin(await this.#options.page.lock('read', signal), undefined)
  }

  /** Programs here have given back what others may wait for. */
  noteUnused(): void {
    if (this.#cancelGrace !== undefined) this.end()
  }

  /** It is time to let the page go. */
  end(): void {
    this.#isToEnd = true
    this.#options.toEnd()
  }

  /** Lets the page go, with the table written down where it was had for writing. Rejects where that may not have happened. */
  async writeDown(table: LockTable): Promise<void> {
    const { page } = this.#options
    const lock = this.#leave()
    try {
      if (lock?.mode === 'write' && page.store(lock, table) === 'written')
        await lock.unlock({ timeoutMs: page.timeoutMs })
    } finally {
      lock?.discard()
    }
  }

  /** Lets the page go as it was. */
  drop(): void {
    this.#leave()?.discard()
  }

  #leave(): Lock | undefined {
    const lock = this.#lock
    this.#lock = undefined
    this.#isToEnd = false
    this.#cancelKeep?.()
    this.#cancelKeep = undefined
    this.#cancelGrace?.()
    this.#cancelGrace = undefined
    return lock
  }

  #begin(lock: Lock, forMs: number | undefined): void {
    const { page, environment, adopt, isInUse } = this.#options
    try {
      adopt(page.load(lock), lock.mode === 'read' ? 'read' : 'write')
    } catch (reason) {
      lock.discard()
      throw reason
    }
    this.#lock = lock
    const end = (): void => {
      if (this.#lock === lock) this.end()
    }
    lock.onWanted(() => {
      if (this.#lock !== lock) return
      if (lock.mode === 'write' && isInUse()) this.#cancelGrace ??= environment.after(graceMs, end)
      else this.end()
    })
    if (forMs !== undefined) this.#cancelKeep = environment.after(forMs, end)
  }
}
