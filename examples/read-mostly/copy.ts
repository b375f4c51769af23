import { isErrorCode } from 'khazana'
import type {
  CmEffect,
  CmEvent,
  CommitId,
  ConsistencyManager,
  ErrorCode,
  EvictAnswer,
  LockId,
  LockMode,
  LockTerms,
  PageIndex,
  PageRange,
  PageView,
  ParcelId,
  SiteId,
} from 'khazana'
import { lockPagesMax } from './message.js'
import type { Message, ToCopy, ToHome } from './message.js'
import { covers, pagesOf } from './pages.js'

/** A lock that the home was asked for, until it is known what became of it. Reading ends with the grant. */
interface AskedLock {
  readonly lock: LockId
  readonly range: PageRange
  readonly kind: 'read' | 'write'
  /** The same object from the lock's beginning to its end. */
  readonly terms: LockTerms
  state: 'waiting' | 'writing' | 'ending'
  /** Once it is `ending`: what was written, patch by patch, and the number to say so with. */
  written: readonly PageIndex[]
  patches: readonly ParcelId[]
  ticket: number
}

interface Failure {
  readonly code: ErrorCode
  readonly message: string
}

/** A site that is not the home: a node, or a client of one. Its frames are copies, and the home sends what has changed. */
export class Copy implements ConsistencyManager<Message> {
  readonly #home: SiteId
  #isConnected = false
  /** Pages that there is a copy of. */
  readonly #held = new Set<PageIndex>()
  /** By the number that the home knows it by. */
  readonly #locks = new Map<number, AskedLock>()
  #number = 0
  #effects: CmEffect<Message>[] = []

  constructor(home: SiteId) {
    this.#home = home
  }

  /** The hit: no message, no promise. Only reading can be one. */
  tryAcquire(first: PageIndex, count: number, mode: LockMode): boolean {
    return mode === 'read' && pagesOf({ first, count }).every((page) => this.#held.has(page))
  }

  /** A lock ends under which nothing was written. Of locks to read, nobody keeps count. */
  release(
    _first: PageIndex,
    _count: number,
    _mode: LockMode,
    terms: LockTerms,
  ): readonly CmEffect<Message>[] {
    this.#giveBack((asked) => asked.terms === terms)
    return this.#takeEffects()
  }

  step(event: CmEvent<Message>): readonly CmEffect<Message>[] {
    switch (event.kind) {
      case 'lock':
        this.#onLock(event)
        break
      case 'cancel':
        this.#giveBack(({ lock }) => lock === event.lock)
        break
      case 'unlock':
        this.#onUnlock(event)
        break
      case 'message':
        this.#onMessage(event.message as ToCopy, event.parcels)
        break
      case 'parent-ready':
        this.#onHomeFound()
        break
      case 'parent-lost':
        this.#onHomeLost()
        break
      case 'quiesce': // What is known only here is on its way already.
      case 'resume':
      case 'alarm': // The rest is told to the home, or in "crew".
      case 'child-lost':
      case 'durable':
      case 'not-durable':
      case 'loaded':
      case 'freed':
      case 'grace-ended':
      case 'sibling-lost':
      case 'doubt-ended':
        break
    }
    return this.#takeEffects()
  }

  #takeEffects(): readonly CmEffect<Message>[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #tell(message: ToHome, patches: readonly ParcelId[] = []): void {
    if (!this.#isConnected) return
    const attach = patches.map((parcel) => ({ kind: 'parcel', parcel }) as const)
    this.#effects.push({ kind: 'send', to: this.#home, message, attach })
  }

  // ---- locks ------------------------------------------------------------------------------------------------------

  #onLock({ lock, range, mode, terms }: Extract<CmEvent<Message>, { kind: 'lock' }>): void {
    if (range.count > lockPagesMax) {
      const message = `read-mostly locks at most ${lockPagesMax} pages at once`
      this.#effects.push({ kind: 'refuse', lock, code: 'unsupported', message })
      return
    }
    const kind = mode === 'read' ? 'read' : 'write'
    const number = ++this.#number
    const asked: AskedLock = {
      lock,
      range,
      kind,
      terms,
      state: 'waiting',
      written: [],
      patches: [],
      ticket: 0,
    }
    this.#locks.set(number, asked)
    this.#tell({ kind, lock: number, ...range })
  }

  /** The lock is not wanted any more: before it was granted, or without having been used. */
  #giveBack(isMeant: (asked: AskedLock) => boolean): void {
    for (const [number, asked] of this.#locks) {
      if (asked.state === 'ending' || !isMeant(asked)) continue
      this.#locks.delete(number)
      this.#tell({ kind: 'unlock', lock: number })
    }
  }

  /** The patches go to the home, and are kept here until it is known whether they count. */
  #onUnlock({ terms, written, parcels, ticket }: Extract<CmEvent<Message>, { kind: 'unlock' }>): void {
    for (const [number, asked] of this.#locks) {
      if (asked.terms !== terms) continue
      asked.state = 'ending'
      asked.written = written
      asked.patches = parcels
      asked.ticket = ticket
      for (const parcel of parcels) this.#effects.push({ kind: 'keep', parcel })
      this.#tell({ kind: 'wrote', lock: number, pages: written }, parcels)
    }
  }

  /** It is known what became of the lock. */
  #end(number: number, failure: Failure | undefined): void {
    const asked = this.#locks.get(number)
    if (asked === undefined) return
    const { lock, state, written, patches, ticket } = asked
    this.#locks.delete(number)
    if (state !== 'ending') {
      if (failure !== undefined) this.#effects.push({ kind: 'refuse', lock, ...failure })
      return
    }
    written.forEach((page, index) => {
      const parcel = patches[index]
      if (parcel === undefined) return
      if (failure === undefined) this.#effects.push({ kind: 'apply', page, parcel })
      this.#effects.push({ kind: 'forget', parcel })
    })
    this.#effects.push({ kind: 'ended', commit: number as CommitId, ticket, failure })
  }

  // ---- what the home says -----------------------------------------------------------------------------------------

  #onMessage(message: ToCopy, frames: readonly ParcelId[]): void {
    switch (message.kind) {
      case 'granted':
        return this.#onGranted(message.lock, frames)
      case 'durable':
        return this.#end(message.lock, undefined)
      case 'failed': {
        const code = isErrorCode(message.code) ? message.code : 'internal'
        return this.#end(message.lock, { code, message: message.message })
      }
      case 'changed':
        // Unless it has crossed the word that the copy was dropped.
        if (this.#held.has(message.page as PageIndex)) this.#takeIn([message.page as PageIndex], frames)
        return
      case 'gone':
        return this.#forget(message.page as PageIndex)
    }
  }

  #onGranted(number: number, frames: readonly ParcelId[]): void {
    const asked = this.#locks.get(number)
    // Unless it has crossed the word that the lock is not wanted.
    if (asked?.state !== 'waiting') return
    this.#takeIn(pagesOf(asked.range), frames)
    this.#effects.push({ kind: 'grant', lock: asked.lock })
    if (asked.kind === 'write') asked.state = 'writing'
    else this.#locks.delete(number)
  }

  #takeIn(pages: readonly PageIndex[], frames: readonly ParcelId[]): void {
    frames.forEach((parcel, index) => {
      const page = pages[index]
      if (page === undefined) return
      this.#held.add(page)
      this.#effects.push({ kind: 'apply', page, parcel })
    })
  }

  #forget(page: PageIndex): void {
    if (this.#held.delete(page)) this.#effects.push({ kind: 'drop', page })
  }

  // ---- the home lost and found ------------------------------------------------------------------------------------

  /** Copies stay, and are read. Who was writing has lost the lock, and whether a write has come there is not known. */
  #onHomeLost(): void {
    this.#isConnected = false
    for (const [number, { state, range }] of this.#locks) {
      if (state === 'ending') {
        this.#end(number, { code: 'outcome-unknown', message: 'the home was lost before it answered' })
      } else if (state === 'writing') {
        this.#locks.delete(number)
        for (const page of pagesOf(range)) this.#effects.push({ kind: 'break', page })
      }
    }
  }

  /** It knows nothing of this site, and what has changed was not sent: copies begin anew, and who waits asks again. */
  #onHomeFound(): void {
    this.#isConnected = true
    for (const page of [...this.#held]) this.#forget(page)
    for (const [number, { kind, range }] of this.#locks) this.#tell({ kind, lock: number, ...range })
  }

  // ---- what the node asks -----------------------------------------------------------------------------------------

  evict(page: PageIndex): EvictAnswer<Message> {
    // A patch needs the page that it changes. And the word that a copy was dropped must not cross one that brings it.
    for (const { range } of this.#locks.values()) {
      if (covers(range, page)) return { kind: 'refused', effects: [] }
    }
    if (this.#held.delete(page)) this.#tell({ kind: 'drop', page })
    return { kind: 'allowed', effects: this.#takeEffects() }
  }

  /** Frames here are durable at the home: the patches of a write show only when they are. */
  isUnsettled(): boolean {
    return false
  }

  needsLease(mode: LockMode): boolean {
    return mode !== 'read'
  }

  isQuiet(): boolean {
    return this.#locks.size === 0
  }

  inspect(page: PageIndex): PageView {
    const locks = [...this.#locks.values()].filter(({ range }) => covers(range, page))
    return {
      right: this.#held.has(page) ? 'shared' : 'none',
      version: -1, // Only the home counts versions.
      children: new Map(),
      readers: 0,
      writing: locks.some(({ state }) => state === 'writing'),
      waiting: locks.filter(({ state }) => state === 'waiting').length,
      unsettled: false,
      freshAt: -Infinity, // Nor is the age of a copy known.
    }
  }

  pages(): Iterable<PageIndex> {
    return this.#held
  }
}
