import { KhazanaError, nextVersion } from 'khazana'
import type {
  CmEffect,
  CmEvent,
  CmOptions,
  CmSite,
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
import type { Message, ToCopy } from './message.js'
import { covers, overlap, pagesOf, rangeOf } from './pages.js'

/** Why something could not be; undefined where it could. */
type Failure = { readonly code: ErrorCode; readonly message: string } | undefined

const noStorage = { code: 'not-allocated', message: 'the pages have no storage' } as const

/** Somebody who writes, or would like to: a caller here, or a copy. */
interface Writer {
  from:
    | { readonly kind: 'here'; readonly lock: LockId; readonly terms: LockTerms }
    | { readonly kind: 'copy'; readonly child: SiteId; readonly lock: number }
    // It was lost after what it wrote had come.
    | { readonly kind: 'nobody' }
  readonly range: PageRange
  /** `loading`: its pages are brought to memory, to be sent. `ending`: what it wrote is on its way to the disk. */
  state: 'waiting' | 'loading' | 'writing' | 'ending'
}

/**
 * The home has the truth on its disk, says who may write, and sends what has changed.
 *
 * It is told of one event at a time, and answers with what is to be done, in order. It never waits: what takes time ends
 * with another event.
 */
export class Home implements ConsistencyManager<Message> {
  readonly #site: CmSite
  readonly #everyMs: number
  /** After a restart: whether somebody may still believe to have a lock from before. */
  #isInGrace: boolean
  /** In the order of asking. One that overlaps an earlier one waits for it. */
  #writers: Writer[] = []
  /** Who has a copy of a page. */
  readonly #holders = new Map<PageIndex, Set<SiteId>>()
  /** How often a copy was lost: what was asked in an earlier session is not answered in a later one. */
  readonly #losses = new Map<SiteId, number>()
  /** What the holders have not been sent yet. */
  readonly #changed = new Set<PageIndex>()
  #isAlarmSet = false
  /** What is to happen when the pages have come to memory, or when they are durable. */
  readonly #loads = new Map<number, (failure: Failure) => void>()
  readonly #commits = new Map<CommitId, (failure: Failure) => void>()
  #number = 0
  #effects: CmEffect<Message>[] = []

  constructor(site: CmSite, options: CmOptions, everyMs: number) {
    this.#site = site
    this.#isInGrace = options.grace === 'until-ended'
    this.#everyMs = everyMs
  }

  /** Reading asks nobody. Writing takes its turn, by a `lock` event. */
  tryAcquire(first: PageIndex, count: number, mode: LockMode): boolean {
    return mode === 'read' && this.#site.isAllocated({ first, count })
  }

  /** A lock ends under which nothing was written. */
  release(_first: PageIndex, _count: number, mode: LockMode, terms: LockTerms): readonly CmEffect<Message>[] {
    if (mode !== 'read') this.#remove((writer) => isHere(writer, terms))
    return this.#finish()
  }

  step(event: CmEvent<Message>): readonly CmEffect<Message>[] {
    switch (event.kind) {
      case 'lock':
        this.#onLock(event)
        break
      case 'cancel':
        this.#remove(({ from }) => from.kind === 'here' && from.lock === event.lock)
        break
      case 'unlock':
        this.#onUnlock(event)
        break
      case 'message':
        this.#onMessage(event.from, event.message, event.parcels)
        break
      case 'child-lost':
        this.#onChildLost(event.child)
        break
      case 'loaded':
        end(this.#loads, event.load, event.failure)
        break
      case 'durable':
        end(this.#commits, event.commit, undefined)
        break
      case 'not-durable':
        end(this.#commits, event.commit, event)
        break
      case 'freed':
        this.#onFreed(event.range)
        break
      case 'grace-ended':
        this.#isInGrace = false
        break
      case 'alarm':
        this.#isAlarmSet = false
        for (const page of this.#changed) this.#sendToHolders(page)
        this.#changed.clear()
        break
      case 'quiesce': // Nothing waits here but copies, and those are sent all the time.
      case 'resume':
      case 'parent-lost': // The rest is told to copies, or in "crew".
      case 'parent-ready':
      case 'sibling-lost':
      case 'doubt-ended':
        break
    }
    return this.#finish()
  }

  /** Whatever has happened, somebody may be able to write now. */
  #finish(): readonly CmEffect<Message>[] {
    if (!this.#isInGrace) {
      this.#writers.forEach((writer, index) => {
        const mustWait = this.#writers.slice(0, index).some(({ range }) => overlap(range, writer.range))
        if (writer.state === 'waiting' && !mustWait) this.#begin(writer)
      })
    }
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #tell(to: SiteId, message: ToCopy, frames: readonly PageIndex[] = []): void {
    const attach = frames.map((page) => ({ kind: 'frame', page }) as const)
    this.#effects.push({ kind: 'send', to, message, attach })
  }

  // ---- callers here -----------------------------------------------------------------------------------------------

  #onLock({ lock, range, mode, terms }: Extract<CmEvent<Message>, { kind: 'lock' }>): void {
    if (!this.#site.isAllocated(range)) this.#effects.push({ kind: 'refuse', lock, ...noStorage })
    else if (mode === 'read') this.#effects.push({ kind: 'grant', lock })
    else this.#writers.push({ from: { kind: 'here', lock, terms }, range, state: 'waiting' })
  }

  #onUnlock({ terms, written, parcels, ticket }: Extract<CmEvent<Message>, { kind: 'unlock' }>): void {
    const writer = this.#writers.find((one) => isHere(one, terms))
    if (writer === undefined) return
    this.#persist(writer, written, parcels, (commit, failure) => {
      this.#effects.push({ kind: 'ended', commit, ticket, failure })
    })
  }

  // ---- copies -----------------------------------------------------------------------------------------------------

  #onMessage(child: SiteId, message: Message, patches: readonly ParcelId[]): void {
    switch (message.kind) {
      case 'read':
        return this.#sendLocked(child, message.lock, rangeOf(message), undefined)
      case 'write': {
        const { lock } = message
        if (this.#writerOf(child, lock) !== undefined) throw nonsense('one number for two locks')
        this.#writers.push({ from: { kind: 'copy', child, lock }, range: rangeOf(message), state: 'waiting' })
        return
      }
      case 'wrote':
        return this.#onWrote(child, message.lock, message.pages as readonly PageIndex[], patches)
      case 'unlock': {
        const writer = this.#writerOf(child, message.lock)
        if (writer?.state === 'ending') throw nonsense('that it wrote nothing, after what it wrote')
        return this.#remove((one) => one === writer)
      }
      case 'drop':
        this.#holders.get(message.page as PageIndex)?.delete(child)
        return
      case 'granted':
      case 'durable':
      case 'failed':
      case 'changed':
      case 'gone':
        throw nonsense('what only a home may say')
    }
  }

  /** The copy gets the pages of its lock as they are now, and from now on when they have changed. */
  #sendLocked(child: SiteId, lock: number, range: PageRange, writer: Writer | undefined): void {
    const losses = this.#losses.get(child)
    const answer = (failure: Failure): void => {
      if (this.#losses.get(child) !== losses) return
      // It may have given up meanwhile.
      if (writer !== undefined && !this.#writers.includes(writer)) return
      if (failure === undefined) {
        if (writer !== undefined) writer.state = 'writing'
        for (const page of pagesOf(range)) this.#addHolder(page, child)
        return this.#tell(child, { kind: 'granted', lock }, pagesOf(range))
      }
      this.#remove((one) => one === writer)
      const { code, message } = failure
      this.#tell(child, { kind: 'failed', lock, code, message })
    }
    if (!this.#site.isAllocated(range)) return answer(noStorage)
    this.#load(range, answer)
  }

  #addHolder(page: PageIndex, child: SiteId): void {
    const holders = this.#holders.get(page)
    if (holders === undefined) this.#holders.set(page, new Set([child]))
    else holders.add(child)
  }

  /** It says that it has written; whether it might is for the home to know. Whoever breaks the rules loses the session. */
  #onWrote(child: SiteId, lock: number, pages: readonly PageIndex[], patches: readonly ParcelId[]): void {
    const writer = this.#writerOf(child, lock)
    if (writer?.state !== 'writing') throw nonsense('that it wrote without a lock')
    if (!pages.every((page) => covers(writer.range, page))) throw nonsense('that it wrote beside its lock')
    if (pages.length === 0 || new Set(pages).size < pages.length || patches.length !== pages.length) {
      throw nonsense('that it wrote, and not what')
    }
    this.#persist(writer, pages, patches, (_commit, failure) => {
      if (writer.from.kind === 'nobody') return
      if (failure === undefined) return this.#tell(child, { kind: 'durable', lock })
      const { code, message } = failure
      this.#tell(child, { kind: 'failed', lock, code, message })
    })
  }

  /** What it was writing never happened, but for what has come already. */
  #onChildLost(child: SiteId): void {
    this.#losses.set(child, (this.#losses.get(child) ?? 0) + 1)
    const theirs = this.#writers.filter(({ from }) => from.kind === 'copy' && from.child === child)
    for (const writer of theirs) writer.from = { kind: 'nobody' }
    this.#remove(({ from, state }) => from.kind === 'nobody' && state !== 'ending')
    for (const holders of this.#holders.values()) holders.delete(child)
  }

  #writerOf(child: SiteId, lock: number): Writer | undefined {
    return this.#writers.find(
      ({ from }) => from.kind === 'copy' && from.child === child && from.lock === lock,
    )
  }

  // ---- writers ----------------------------------------------------------------------------------------------------

  #begin(writer: Writer): void {
    const { from, range } = writer
    if (from.kind === 'here') {
      writer.state = 'writing'
      this.#effects.push({ kind: 'grant', lock: from.lock })
    } else if (from.kind === 'copy') {
      writer.state = 'loading'
      this.#sendLocked(from.child, from.lock, range, writer)
    }
  }

  #remove(isMeant: (writer: Writer) => boolean): void {
    this.#writers = this.#writers.filter((writer) => !isMeant(writer))
  }

  /** All of it, or nothing. Nobody else writes the pages before it is known which. */
  #persist(
    writer: Writer,
    pages: readonly PageIndex[],
    patches: readonly ParcelId[],
    done: (commit: CommitId, failure: Failure) => void,
  ): void {
    writer.state = 'ending'
    const commit = ++this.#number as CommitId
    const by = writer.from.kind === 'copy' ? writer.from.child : undefined
    const committed = pages.map((page, index) => {
      return {
        page,
        version: nextVersion(this.#site.versionOf(page)),
        parcels: patches.slice(index, index + 1),
        by,
      }
    })
    this.#effects.push({ kind: 'persist', commit, pages: committed })
    this.#commits.set(commit, (failure) => {
      this.#remove((one) => one === writer)
      if (failure === undefined) for (const page of pages) this.#noteChanged(page)
      done(commit, failure)
    })
  }

  // ---- what has changed -------------------------------------------------------------------------------------------

  #noteChanged(page: PageIndex): void {
    this.#changed.add(page)
    if (this.#isAlarmSet) return
    this.#isAlarmSet = true
    this.#effects.push({ kind: 'alarm', at: this.#site.now + this.#everyMs })
  }

  #sendToHolders(page: PageIndex): void {
    if ((this.#holders.get(page)?.size ?? 0) === 0) return
    this.#load({ first: page, count: 1 }, (failure) => {
      // The next time, perhaps.
      if (failure !== undefined) return this.#noteChanged(page)
      for (const child of this.#holders.get(page) ?? []) this.#tell(child, { kind: 'changed', page }, [page])
    })
  }

  /** Frames can be sent only while they are in memory: in the effects of the event that says so. */
  #load(range: PageRange, then: (failure: Failure) => void): void {
    const load = ++this.#number
    this.#loads.set(load, then)
    this.#effects.push({ kind: 'load', load, range })
  }

  /** The one who frees the pages is a writer like others, so nobody is writing them now. */
  #onFreed(range: PageRange): void {
    for (const page of pagesOf(range)) {
      for (const child of this.#holders.get(page) ?? []) this.#tell(child, { kind: 'gone', page })
      this.#holders.delete(page)
      this.#changed.delete(page)
    }
    const isVain = (writer: Writer): boolean => writer.state === 'waiting' && overlap(writer.range, range)
    for (const { from } of this.#writers.filter(isVain)) {
      if (from.kind === 'here') this.#effects.push({ kind: 'refuse', lock: from.lock, ...noStorage })
      else if (from.kind === 'copy') this.#tell(from.child, { kind: 'failed', lock: from.lock, ...noStorage })
    }
    this.#remove(isVain)
  }

  // ---- what the node asks -----------------------------------------------------------------------------------------

  /** The disk has it. */
  evict(): EvictAnswer<Message> {
    return { kind: 'allowed', effects: [] }
  }

  /** Frames here change only when the disk has. */
  isUnsettled(): boolean {
    return false
  }

  needsLease(mode: LockMode): boolean {
    return mode !== 'read'
  }

  isQuiet(): boolean {
    return this.#writers.length === 0 && this.#loads.size === 0
  }

  inspect(page: PageIndex): PageView {
    const here = this.#writers.filter(({ from, range }) => from.kind === 'here' && covers(range, page))
    return {
      right: 'shared',
      version: this.#site.versionOf(page),
      children: new Map([...(this.#holders.get(page) ?? [])].map((child) => [child, 'shared'])),
      readers: 0,
      writing: here.some(({ state }) => state === 'writing'),
      waiting: here.filter(({ state }) => state === 'waiting').length,
      unsettled: false,
    }
  }

  pages(): Iterable<PageIndex> {
    return this.#holders.keys()
  }
}

function end<K>(open: Map<K, (failure: Failure) => void>, key: K, failure: Failure): void {
  const then = open.get(key)
  open.delete(key)
  then?.(failure)
}

function isHere({ from }: Writer, terms: LockTerms): boolean {
  return from.kind === 'here' && from.terms === terms
}

function nonsense(what: string): KhazanaError {
  return new KhazanaError('protocol-error', `a copy says ${what}`)
}
