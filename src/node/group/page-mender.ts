import { formatAddress } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import { neverWritten } from '../../address/page.js'
import type { PageIndex, Version } from '../../address/page.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Store, StoredPage } from '../../store/store.js'
import type { GroupMessage, WantedPage } from '../../wire/group-message.js'
import type { GroupedRegion } from '../home/home-group.js'
import { pause } from '../pause.js'
import type { GroupCopies } from './group-copies.js'
import type { MendBug } from './mend-bug.js'
import { PageQuestions } from './page-questions.js'

/** How long whoever reads a damaged page waits for somebody to give it. */
const searchMsMax = 5000
/** Between two rounds of questions. */
const roundMs = 200
/** Nodes that are asked in one round. */
const askedMax = 16
/** Pages for which others are asked in vain at one go: the turn of the rest comes with the next. What is lost for good must not keep nodes busy. */
const vainMax = 256
/** For how long others keep a copy that nobody needs, after a page was mended here: meanwhile the other members mend theirs from this one. */
const settleMs = 5000

/** What there is of a page whose bytes nobody can give at the moment. */
export interface LostPage {
  readonly version: Version
  readonly bytes: undefined
}

export interface PageMenderOptions {
  readonly group: string
  readonly clock: Clock
  readonly logger: Logger
  readonly store: Pick<Store, 'read' | 'commit' | 'versionOf' | 'isDamaged' | 'damage'>
  readonly copies: GroupCopies
  /** Ends all that waits. */
  readonly signal: AbortSignal
  /** Members but this node, whether or not they can be reached. */
  readonly members: () => readonly NodeId[]
  /** Who can be reached, member or not: a copy of one that was removed is as good, where it has the page in that version. */
  readonly reached: () => Iterable<NodeId>
  /** Nothing is sent where there is no session. */
  readonly send: (node: NodeId, body: GroupMessage, pages?: readonly Uint8Array[]) => void
  /** A page is sound again. */
  readonly mended: () => void
  readonly bug: MendBug | undefined
}

/**
 * Reads pages of a home group from this node's store, and gets those back from other nodes whose record is damaged here. Pages of one version have the same
 * bytes at all members (docs/adr/0021-home-groups.md), so a page may be taken from whoever has the very version that the index of the store, which the log's
 * tables tell, says was here, whatever part that node has in the group, and no other: an older one is not what was acknowledged, and a newer one is a
 * commit that is on its way here, and takes the damaged record's place by itself. The store puts it there only while that record is the
 * newest, so that no commit is overtaken.
 */
export class PageMender {
  readonly #options: PageMenderOptions
  readonly #questions: PageQuestions
  /** Under way, by space and page. */
  readonly #searches = new Map<string, Promise<StoredPage | undefined>>()
  readonly #rounds = new Map<string, Promise<StoredPage | 'lost' | undefined>>()
  /** Until when those that read a page that nobody could give are not made to wait again. */
  readonly #inVain = new Map<string, number>()
  #isAtWork = false
  /** How many damaged pages have had their turn. */
  #turns = 0
  #mendedAt = -Infinity

  constructor(options: PageMenderOptions) {
    this.#options = options
    this.#questions = new PageQuestions(options.clock, options.send)
  }

  close(): void {
    this.#questions.close()
  }

  /** As `Store.read`. Throws `damaged` where nobody can give the page. */
  async read(region: GroupedRegion, page: PageIndex): Promise<StoredPage | undefined> {
    const { store, signal, clock, bug } = this.#options
    const key = `${region.space}/${page}`
    for (;;) {
      try {
        return await store.read(region.space, page)
      } catch (reason) {
        if (KhazanaError.from(reason).code !== 'damaged' || signal.aborted) throw reason
        const version = store.versionOf(region.space, page)
        if (bug === 'serve-zeros') return { version, bytes: new Uint8Array(region.descriptor.pageSize) }
        if (clock.now() < (this.#inVain.get(key) ?? -Infinity)) throw reason
        const found = await this.#search(region, page)
        if (found?.version === store.versionOf(region.space, page)) return found
        // It may have been written or freed meanwhile.
        if (!store.isDamaged(region.space, page)) continue
        this.#inVain.set(key, clock.now() + searchMsMax)
        throw reason
      }
    }
  }

  /**
   * The same for who can go on without the bytes: others are asked once, and nobody is waited for. `asks` is called before each is asked. Throws what
   * `Store.read` throws but `damaged`.
   */
  async find(
    region: GroupedRegion,
    page: PageIndex,
    asks: () => void,
  ): Promise<StoredPage | LostPage | undefined> {
    const { store, signal, clock, bug } = this.#options
    const { space } = region
    for (;;) {
      try {
        return await store.read(space, page)
      } catch (reason) {
        if (KhazanaError.from(reason).code !== 'damaged' || signal.aborted) throw reason
        const version = store.versionOf(space, page)
        if (bug === 'serve-zeros') return { version, bytes: new Uint8Array(region.descriptor.pageSize) }
        const isInVain = clock.now() < (this.#inVain.get(`${space}/${page}`) ?? -Infinity)
        const found = isInVain ? undefined : await this.#round(region, page, asks)
        if (typeof found === 'object' && found.version === store.versionOf(space, page)) return found
        // It may have been written or freed meanwhile.
        if (store.isDamaged(space, page)) return { version: store.versionOf(space, page), bytes: undefined }
      }
    }
  }

  /** Tries once to mend what is known to be damaged, but asks for no more than `vainMax` pages that nobody has. Never rejects. */
  async mendAll(): Promise<void> {
    const { store, signal } = this.#options
    if (store.damage.length === 0) this.#inVain.clear()
    if (this.#isAtWork || store.damage.length === 0) return
    this.#isAtWork = true
    const damaged = [...this.#damaged()]
    const start = this.#turns
    let vain = 0
    for (let at = 0; at < damaged.length && vain < vainMax && !signal.aborted; at++) {
      const next = damaged[(start + at) % damaged.length]
      if (next === undefined) break
      const found = await this.#round(next.region, next.page)
      if (typeof found !== 'object') vain += 1
      this.#turns += 1
    }
    this.#isAtWork = false
  }

  /**
   * Mends what the node can give. Answers whether its copy is of no more use: it has nothing of what is damaged here, and what was mended lately is at other members,
   * too, as far as can be told. Never rejects.
   */
  async exhaust(node: NodeId): Promise<boolean> {
    const { store, clock, signal } = this.#options
    try {
      for (const { region, page } of this.#damaged()) {
        const version = store.versionOf(region.space, page)
        const answer = await this.#askOne(node, region, page, version)
        if (answer === 'silent' || signal.aborted) return false
        if (typeof answer === 'string') continue
        await this.#put(region, { page, version, bytes: answer })
        if (store.isDamaged(region.space, page)) return false
      }
    } catch (reason) {
      this.#warn(reason)
      return false
    }
    return clock.now() >= this.#mendedAt + settleMs
  }

  /** What is known to be damaged of this group's pages. */
  *#damaged(): Generator<{ readonly region: GroupedRegion; readonly page: PageIndex }> {
    const { store, copies } = this.#options
    if (store.damage.length === 0) return
    const regions = new Map([...copies.all()].map((region) => [region.space, region]))
    for (const found of store.damage) {
      const region = found.kind === 'page' ? regions.get(found.space) : undefined
      if (found.kind !== 'page' || region === undefined) continue
      // It may have been mended, written or freed since the list was made.
      if (store.isDamaged(found.space, found.page)) yield { region, page: found.page }
    }
  }

  onMessage(
    from: NodeId,
    body: Extract<GroupMessage, { kind: 'page-wanted' | 'page-given' }>,
    pages: readonly Uint8Array[],
  ): void {
    if (body.kind === 'page-given') this.#questions.onGiven(from, body, pages)
    else void this.#answer(from, body.question, body.wanted)
  }

  /** What is durable here in that version is right, whoever leads the group. Never rejects. */
  async #answer(node: NodeId, question: number, wanted: WantedPage): Promise<void> {
    const { copies, store, send, bug } = this.#options
    const region = copies.get(wanted.address)
    const say = (answer: 'other' | 'damaged'): void => {
      send(node, { kind: 'page-given', question, answer, version: neverWritten })
    }
    if (region?.descriptor.generation !== wanted.generation) {
      say('other')
      return
    }
    try {
      const stored = await store.read(region.space, wanted.page)
      const isWanted = stored?.version === wanted.version || bug === 'take-any-version'
      if (stored === undefined || !isWanted) say('other')
      else {
        const { version, bytes } = stored
        send(node, { kind: 'page-given', question, answer: 'found', version }, [bytes])
      }
    } catch (reason) {
      // Whatever else is wrong with the store, it is no help; its own node hears of it.
      say(KhazanaError.from(reason).code === 'damaged' ? 'damaged' : 'other')
    }
  }

  /** Until somebody gives it, or it takes too long. Never rejects. */
  #search(region: GroupedRegion, page: PageIndex): Promise<StoredPage | undefined> {
    const key = `${region.space}/${page}`
    const running = this.#searches.get(key)
    if (running !== undefined) return running
    const search = this.#searchPatiently(region, page).finally(() => this.#searches.delete(key))
    this.#searches.set(key, search)
    return search
  }

  async #searchPatiently(region: GroupedRegion, page: PageIndex): Promise<StoredPage | undefined> {
    const { clock, signal, store } = this.#options
    const until = clock.now() + searchMsMax
    const version = store.versionOf(region.space, page)
    for (;;) {
      const found = await this.#round(region, page)
      if (found === 'lost') return undefined
      if (found !== undefined || clock.now() >= until) return found
      if (!this.#isWanted(region, page, version)) return undefined
      await pause(clock, roundMs, signal)
    }
  }

  #isWanted({ space }: GroupedRegion, page: PageIndex, version: Version): boolean {
    const { signal, store } = this.#options
    return !signal.aborted && store.isDamaged(space, page) && store.versionOf(space, page) === version
  }

  /** Others are asked once, and what one of them gives is put here. One at a time for each page. Never rejects. */
  #round(
    region: GroupedRegion,
    page: PageIndex,
    asks: () => void = () => undefined,
  ): Promise<StoredPage | 'lost' | undefined> {
    const key = `${region.space}/${page}`
    const running = this.#rounds.get(key)
    if (running !== undefined) {
      asks()
      return running
    }
    const round = this.#runRound(region, page, asks)
      .catch((reason: unknown) => {
        this.#warn(reason, page)
        return undefined
      })
      .finally(() => this.#rounds.delete(key))
    this.#rounds.set(key, round)
    return round
  }

  async #runRound(
    region: GroupedRegion,
    page: PageIndex,
    asks: () => void,
  ): Promise<StoredPage | 'lost' | undefined> {
    const version = this.#options.store.versionOf(region.space, page)
    if (!this.#isWanted(region, page, version)) return undefined
    const bytes = await this.#ask(region, page, version, asks)
    if (!this.#isWanted(region, page, version)) return undefined
    if (bytes === undefined || bytes === 'lost') return bytes
    await this.#put(region, { page, version, bytes })
    return { version, bytes }
  }

  #warn(reason: unknown, page?: PageIndex): void {
    const { logger, group } = this.#options
    const { message } = KhazanaError.from(reason)
    logger.log('warn', 'a damaged page is not mended', { group, page, reason: message })
  }

  /** One round. `lost`: all members have it damaged; undefined: nobody has it at the moment. */
  async #ask(
    region: GroupedRegion,
    page: PageIndex,
    version: Version,
    asks: () => void,
  ): Promise<Uint8Array | 'lost' | undefined> {
    const { members, reached } = this.#options
    const possible = new Set(reached())
    const others = members()
    const first = others.filter((node) => possible.delete(node))
    let damaged = 0
    for (const node of [...first, ...possible].slice(0, askedMax)) {
      asks()
      const answer = await this.#askOne(node, region, page, version)
      if (typeof answer !== 'string') return answer
      if (answer === 'damaged' && others.includes(node)) damaged += 1
    }
    return others.length > 0 && damaged === others.length ? 'lost' : undefined
  }

  async #askOne(
    node: NodeId,
    region: GroupedRegion,
    page: PageIndex,
    version: Version,
  ): Promise<Uint8Array | 'other' | 'damaged' | 'silent'> {
    const { address, generation, pageSize } = region.descriptor
    const answer = await this.#questions.ask(node, { address, generation, page, version })
    if (answer.kind !== 'found') return answer.kind
    const isWanted = answer.version === version || this.#options.bug === 'take-any-version'
    return isWanted && answer.bytes.length === pageSize ? answer.bytes : 'other'
  }

  /** Where the disk has no room now, the next look puts it there. Throws `storage-failed`, `closed`. */
  async #put(
    { descriptor: { address }, space }: GroupedRegion,
    {
      page,
      version,
      bytes,
    }: { readonly page: PageIndex; readonly version: Version; readonly bytes: Uint8Array },
  ): Promise<void> {
    const { store, logger, group, mended, clock } = this.#options
    try {
      await store.commit({ mends: [{ space, page, version, bytes }] })
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code !== 'no-space' && code !== 'busy') throw reason
      return
    }
    this.#mendedAt = clock.now()
    mended()
    logger.log('info', 'mended a damaged page from another member of its home group', {
      group,
      region: formatAddress(address),
      page,
      version,
    })
  }
}
