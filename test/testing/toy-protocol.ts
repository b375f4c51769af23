import type { SiteId } from '../../src/address/identity.js'
import type { LockTerms } from '../../src/address/lock-terms.js'
import { nextVersion } from '../../src/address/page.js'
import type { PageIndex, PageRange } from '../../src/address/page.js'
import type {
  CmEffect,
  CmEvent,
  CmOptions,
  CmSite,
  CommitId,
  ConsistencyManager,
  EvictAnswer,
  LockId,
  MessageCodec,
  PageView,
  ParcelId,
  ProtocolDefinition,
} from '../../src/consistency/contract.js'
import { KhazanaError, isErrorCode } from '../../src/stdx/errors.js'
import type { ErrorCode } from '../../src/stdx/errors.js'

/** What may be wrong with the toy, to see that the suite says so. */
export type ToyBug =
  | 'grants without mutual exclusion'
  | 'acknowledges before durable'
  | 'forgets an update'
  | 'never answers after a cancel'
  | 'never answers after the home was lost'
  | 'keeps the lock of a dead child'
  | 'grants pages without storage'
  | 'believes every child'
  | 'is never quiet'
  | 'does not wait for the end of grace'
  | 'ignores a failing disk'

export type ToyMessage =
  | { readonly kind: 'ask'; readonly id: number; readonly first: number; readonly count: number }
  | { readonly kind: 'release'; readonly id: number }
  | { readonly kind: 'commit'; readonly id: number; readonly pages: readonly number[] }
  | { readonly kind: 'granted'; readonly id: number }
  | { readonly kind: 'refused'; readonly id: number; readonly code: ErrorCode }
  | { readonly kind: 'committed'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode }

type Effects = CmEffect<ToyMessage>[]

/** A lock as the home has it: of a child, by the child's number, or its own. */
interface Turn {
  readonly from: SiteId | undefined
  readonly id: number
  readonly range: PageRange
  state: 'queued' | 'loading' | 'held' | 'persisting'
  ticket: number | undefined
}

/** A lock as the site that asks has it. */
interface Wish {
  readonly lock: LockId
  readonly range: PageRange
  readonly terms: LockTerms
  state: 'waiting' | 'open' | 'committing'
  ticket: number | undefined
}

/**
 * The simplest protocol there could be: the region has one lock. Whoever wants it asks the home, gets it with the bytes of
 * its pages, and gives it back with what it wrote; nothing is kept anywhere else.
 */
class ToyManager implements ConsistencyManager<ToyMessage> {
  readonly #site: CmSite
  readonly #bug: ToyBug | undefined
  readonly #wishes = new Map<number, Wish>()
  readonly #turns: Turn[] = []
  #effects: Effects = []
  #inGrace: boolean
  #isConnected = false
  #number = 0

  constructor(site: CmSite, options: CmOptions, bug: ToyBug | undefined) {
    this.#site = site
    this.#bug = bug
    this.#inGrace = options.grace === 'until-ended' && bug !== 'does not wait for the end of grace'
  }

  tryAcquire(): boolean {
    return false
  }

  release(
    _first: PageIndex,
    _count: number,
    _mode: string,
    terms: LockTerms,
  ): readonly CmEffect<ToyMessage>[] {
    for (const [id, wish] of this.#wishes) {
      if (wish.terms !== terms) continue
      this.#wishes.delete(id)
      if (this.#site.parent === undefined) this.#endTurn(undefined, id)
      else {
        this.#drop(wish.range)
        this.#tell({ kind: 'release', id })
      }
    }
    return this.#finish()
  }

  step(event: CmEvent<ToyMessage>): readonly CmEffect<ToyMessage>[] {
    switch (event.kind) {
      case 'lock': {
        const { lock, range, terms } = event
        const id = ++this.#number
        this.#wishes.set(id, { lock, range, terms, state: 'waiting', ticket: undefined })
        if (this.#site.parent === undefined) this.#queue(undefined, id, range)
        else this.#tell({ kind: 'ask', id, ...range })
        break
      }
      case 'cancel':
        this.#onCancel(event.lock)
        break
      case 'unlock':
        this.#onUnlock(event.terms, event.written, event.parcels, event.ticket)
        break
      case 'message':
        this.#onMessage(event.from, event.message, event.parcels)
        break
      case 'child-lost':
        if (this.#bug !== 'keeps the lock of a dead child') this.#onChildLost(event.child)
        break
      case 'parent-lost':
        this.#onParentLost()
        break
      case 'parent-ready':
        this.#isConnected = true
        if (this.#bug === 'never answers after the home was lost' && this.#number > 0) break
        for (const [id, { range }] of this.#wishes) this.#tell({ kind: 'ask', id, ...range })
        break
      case 'durable':
        this.#onPersisted(event.commit, undefined)
        break
      case 'not-durable':
        this.#onPersisted(event.commit, this.#bug === 'ignores a failing disk' ? undefined : event.code)
        break
      case 'loaded':
        this.#onLoaded(event.load, event.failure?.code)
        break
      case 'grace-ended':
        this.#inGrace = false
        break
      case 'doubt-ended':
      case 'sibling-lost':
      case 'freed':
      case 'alarm':
      case 'quiesce':
      case 'resume':
        break
    }
    return this.#finish()
  }

  #finish(): readonly CmEffect<ToyMessage>[] {
    if (this.#site.parent === undefined) this.#next()
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  // ---- who asks ---------------------------------------------------------------------------------------------------

  #tell(message: ToyMessage): void {
    if (this.#isConnected && this.#site.parent !== undefined) {
      this.#effects.push({ kind: 'send', to: this.#site.parent, message })
    }
  }

  #drop({ first, count }: PageRange): void {
    for (let page = first; page < first + count; page++) {
      this.#effects.push({ kind: 'drop', page })
    }
  }

  #onCancel(lock: LockId): void {
    for (const [id, wish] of this.#wishes) {
      if (wish.lock !== lock) continue
      this.#wishes.delete(id)
      if (this.#bug === 'never answers after a cancel') return
      if (this.#site.parent === undefined) this.#endTurn(undefined, id)
      else this.#tell({ kind: 'release', id })
    }
  }

  #onUnlock(
    terms: LockTerms,
    pages: readonly PageIndex[],
    parcels: readonly ParcelId[],
    ticket: number,
  ): void {
    for (const [id, wish] of this.#wishes) {
      if (wish.terms !== terms) continue
      wish.state = 'committing'
      wish.ticket = ticket
      if (this.#site.parent === undefined) {
        const turn = this.#turns.find((one) => one.from === undefined && one.id === id)
        if (turn !== undefined) this.#persist(turn, pages, parcels)
      } else {
        const attach = parcels.map((parcel) => ({ kind: 'parcel', parcel }) as const)
        this.#effects.push({
          kind: 'send',
          to: this.#site.parent,
          message: { kind: 'commit', id, pages },
          attach,
        })
        this.#drop(wish.range)
        if (this.#bug === 'acknowledges before durable') this.#endWish(id, undefined)
      }
    }
  }

  #endWish(id: number, code: ErrorCode | undefined): void {
    const wish = this.#wishes.get(id)
    if (wish?.ticket === undefined) return
    this.#wishes.delete(id)
    const failure = code === undefined ? undefined : { code, message: 'not kept' }
    this.#effects.push({ kind: 'ended', commit: id as CommitId, ticket: wish.ticket, failure })
  }

  #onParentLost(): void {
    this.#isConnected = false
    for (const [id, { state, range }] of this.#wishes) {
      if (state === 'committing') this.#endWish(id, 'outcome-unknown')
      if (state !== 'open') continue
      for (let page = range.first; page < range.first + range.count; page++) {
        this.#effects.push({ kind: 'break', page }, { kind: 'drop', page })
      }
    }
  }

  #onAnswer(message: ToyMessage, parcels: readonly ParcelId[]): void {
    const wish = this.#wishes.get(message.id)
    if (wish === undefined) return
    if (message.kind === 'granted' && wish.state === 'waiting') {
      wish.state = 'open'
      for (const [index, parcel] of parcels.entries()) {
        this.#effects.push({ kind: 'apply', page: (wish.range.first + index) as PageIndex, parcel })
      }
      this.#effects.push({ kind: 'grant', lock: wish.lock })
    }
    if (message.kind === 'refused') {
      this.#wishes.delete(message.id)
      this.#effects.push({ kind: 'refuse', lock: wish.lock, code: message.code, message: 'refused' })
    }
    if (message.kind === 'committed') this.#endWish(message.id, undefined)
    if (message.kind === 'failed') this.#endWish(message.id, message.code)
  }

  // ---- the home ---------------------------------------------------------------------------------------------------

  #queue(from: SiteId | undefined, id: number, range: PageRange): void {
    this.#turns.push({ from, id, range, state: 'queued', ticket: undefined })
  }

  /** The first in the queue has its turn. */
  #next(): void {
    if (this.#inGrace) return
    for (const turn of [...this.#turns]) {
      const isFirst = turn === this.#turns[0] || this.#bug === 'grants without mutual exclusion'
      if (!isFirst || turn.state !== 'queued') continue
      if (!this.#site.isAllocated(turn.range) && this.#bug !== 'grants pages without storage') {
        this.#refuse(turn, 'not-allocated')
      } else if (turn.from === undefined) {
        turn.state = 'held'
        const wish = this.#wishes.get(turn.id)
        if (wish === undefined) continue
        wish.state = 'open'
        this.#effects.push({ kind: 'grant', lock: wish.lock })
      } else {
        turn.state = 'loading'
        turn.ticket = ++this.#number
        this.#effects.push({ kind: 'load', load: turn.ticket, range: turn.range })
      }
    }
  }

  #onLoaded(load: number, code: ErrorCode | undefined): void {
    const turn = this.#turns.find((one) => one.state === 'loading' && one.ticket === load)
    if (turn?.from === undefined) return
    if (code !== undefined) return this.#refuse(turn, code)
    turn.state = 'held'
    const attach = Array.from(
      { length: turn.range.count },
      (_, index) => ({ kind: 'frame', page: (turn.range.first + index) as PageIndex }) as const,
    )
    this.#effects.push({ kind: 'send', to: turn.from, message: { kind: 'granted', id: turn.id }, attach })
  }

  #refuse(turn: Turn, code: ErrorCode): void {
    this.#turns.splice(this.#turns.indexOf(turn), 1)
    if (turn.from !== undefined) {
      this.#effects.push({ kind: 'send', to: turn.from, message: { kind: 'refused', id: turn.id, code } })
    } else {
      const wish = this.#wishes.get(turn.id)
      this.#wishes.delete(turn.id)
      if (wish !== undefined)
        this.#effects.push({ kind: 'refuse', lock: wish.lock, code, message: 'refused' })
    }
    this.#next()
  }

  #endTurn(from: SiteId | undefined, id: number): void {
    const index = this.#turns.findIndex(
      (turn) => turn.from === from && turn.id === id && turn.state !== 'persisting',
    )
    if (index >= 0) this.#turns.splice(index, 1)
  }

  #onChildLost(child: SiteId): void {
    for (const turn of this.#turns.filter(({ from }) => from === child)) this.#endTurn(child, turn.id)
  }

  #persist(turn: Turn, pages: readonly PageIndex[], parcels: readonly ParcelId[]): void {
    turn.state = 'persisting'
    turn.ticket = ++this.#number
    const kept = this.#bug === 'forgets an update' && this.#number % 4 === 0 ? pages.slice(1) : pages
    if (kept.length === 0) return this.#onPersisted(turn.ticket as CommitId, undefined)
    this.#effects.push({
      kind: 'persist',
      commit: turn.ticket as CommitId,
      pages: kept.map((page) => ({
        page,
        version: nextVersion(this.#site.versionOf(page)),
        parcels: parcels.filter((_, index) => pages[index] === page),
        by: turn.from,
      })),
    })
  }

  #onPersisted(commit: CommitId, code: ErrorCode | undefined): void {
    const index = this.#turns.findIndex((turn) => turn.state === 'persisting' && turn.ticket === commit)
    const [turn] = index < 0 ? [] : this.#turns.splice(index, 1)
    if (turn === undefined) return
    if (turn.from === undefined) return this.#endWish(turn.id, code)
    const message: ToyMessage =
      code === undefined ? { kind: 'committed', id: turn.id } : { kind: 'failed', id: turn.id, code }
    this.#effects.push({ kind: 'send', to: turn.from, message })
  }

  #onMessage(from: SiteId, message: ToyMessage, parcels: readonly ParcelId[]): void {
    if (from === this.#site.parent) return this.#onAnswer(message, parcels)
    const turn = this.#turns.find((one) => one.from === from && one.id === message.id)
    const mayBeWrong = this.#bug === 'believes every child'
    switch (message.kind) {
      case 'ask':
        if (turn !== undefined) throw nonsense('asks twice')
        return this.#queue(from, message.id, { first: message.first as PageIndex, count: message.count })
      case 'release':
        return this.#endTurn(from, message.id)
      case 'commit': {
        const pages = message.pages as readonly PageIndex[]
        const isWithin = pages.every(
          (page) =>
            turn !== undefined && page >= turn.range.first && page < turn.range.first + turn.range.count,
        )
        const isDistinct = new Set(pages).size === pages.length && pages.length > 0
        if (mayBeWrong) {
          const range: PageRange = { first: pages[0] ?? (0 as PageIndex), count: 1 }
          if (turn === undefined)
            this.#turns.push({ from, id: message.id, range, state: 'held', ticket: undefined })
          const held = this.#turns.find((one) => one.from === from && one.id === message.id)
          return held === undefined ? undefined : this.#persist(held, pages, parcels)
        }
        if (turn?.state !== 'held' || !isWithin || !isDistinct || parcels.length !== pages.length) {
          throw nonsense('commits what it has no lock on')
        }
        return this.#persist(turn, pages, parcels)
      }
      case 'granted':
      case 'refused':
      case 'committed':
      case 'failed':
        throw nonsense('speaks like a home')
    }
  }

  // ---- what is known ----------------------------------------------------------------------------------------------

  evict(page: PageIndex): EvictAnswer<ToyMessage> {
    const isOpen = [...this.#wishes.values()].some(
      ({ range, state }) => state === 'open' && page >= range.first && page < range.first + range.count,
    )
    return { kind: isOpen ? 'refused' : 'allowed', effects: [] }
  }

  isUnsettled(): boolean {
    return false
  }

  needsLease(): boolean {
    return true
  }

  isQuiet(): boolean {
    return this.#wishes.size === 0 && this.#turns.length === 0 && this.#bug !== 'is never quiet'
  }

  inspect(page: PageIndex): PageView {
    const isRoot = this.#site.parent === undefined
    return {
      right: 'none',
      version: isRoot ? this.#site.versionOf(page) : -1,
      children: new Map(),
      readers: 0,
      writing: false,
      waiting: this.#wishes.size,
      unsettled: false,
    }
  }

  pages(): Iterable<PageIndex> {
    return []
  }
}

function nonsense(what: string): KhazanaError {
  return new KhazanaError('protocol-error', `a child ${what}`)
}

const toyCodec: MessageCodec<ToyMessage> = {
  encode: (message) => new TextEncoder().encode(JSON.stringify(message)),
  decode: (bytes) => {
    let parsed: unknown
    try {
      parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    } catch (cause) {
      throw new KhazanaError('protocol-error', 'no JSON', { cause })
    }
    if (!isToyMessage(parsed)) throw new KhazanaError('protocol-error', 'no message of the toy')
    return parsed
  },
}

function isToyMessage(parsed: unknown): parsed is ToyMessage {
  if (typeof parsed !== 'object' || parsed === null) return false
  const one = parsed as Readonly<Record<string, unknown>>
  if (!isCount(one['id'])) return false
  switch (one['kind']) {
    case 'ask':
      return isCount(one['first']) && isCount(one['count']) && one['count'] >= 1 && one['count'] <= 64
    case 'commit':
      return Array.isArray(one['pages']) && one['pages'].every(isCount)
    case 'refused':
    case 'failed':
      return typeof one['code'] === 'string' && isErrorCode(one['code'])
    default:
      return one['kind'] === 'release' || one['kind'] === 'granted' || one['kind'] === 'committed'
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

export function toyWith(bug: ToyBug | undefined): ProtocolDefinition<ToyMessage> {
  return { name: 'toy', codec: toyCodec, create: (site, options) => new ToyManager(site, options, bug) }
}
