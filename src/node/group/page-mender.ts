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
  /** Until when those that read a page that nobody could give are not made to wait again. */
  readonly #inVain = new Map<string, number>()
  #isAtWork = false

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
        const found = await this.#search(region, page, searchMsMax)
        if (found?.version === store.versionOf(region.space, page)) return found
        // It may have been written or freed meanwhile.
        if (!store.isDamaged(region.space, page)) continue
        this.#inVain.set(key, clock.now() + searchMsMax)
        throw reason
      }
    }
  }

  /** Tries once to mend all that is known to be damaged. Never rejects. */
  async mendAll(): Promise<void> {
    const { store, copies, signal } = this.#options
    if (store.damage.length === 0) this.#inVain.clear()
    if (this.#isAtWork || store.damage.length === 0) return
    this.#isAtWork = true
    const regions = new Map([...copies.all()].map((region) => [region.space, region]))
    for (const found of store.damage) {
      const region = found.kind === 'page' ? regions.get(found.space) : undefined
      if (found.kind !== 'page' || region === undefined) continue
      if (signal.aborted) break
      await this.#search(region, found.page, 0)
    }
    this.#isAtWork = false
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

  /** Never rejects. */
  #search(region: GroupedRegion, page: PageIndex, patienceMs: number): Promise<StoredPage | undefined> {
    const key = `${region.space}/${page}`
    const running = this.#searches.get(key)
    if (running !== undefined) return running
    const search = this.#find(region, page, patienceMs)
      .catch((reason: unknown) => {
        const { logger, group } = this.#options
        logger.log('warn', 'a damaged page is not mended', {
          group,
          page,
          reason: KhazanaError.from(reason).message,
        })
        return undefined
      })
      .finally(() => this.#searches.delete(key))
    this.#searches.set(key, search)
    return search
  }

  async #find(region: GroupedRegion, page: PageIndex, patienceMs: number): Promise<StoredPage | undefined> {
    const { clock, signal, store } = this.#options
    const until = clock.now() + patienceMs
    const version = store.versionOf(region.space, page)
    const isWanted = (): boolean =>
      !signal.aborted &&
      store.isDamaged(region.space, page) &&
      store.versionOf(region.space, page) === version
    for (;;) {
      if (!isWanted()) return undefined
      const bytes = await this.#ask(region, page, version)
      if (bytes === 'lost' || !isWanted()) return undefined
      if (bytes !== undefined) {
        await this.#put(region, { page, version, bytes })
        return { version, bytes }
      }
      if (clock.now() >= until) return undefined
      await pause(clock, roundMs, signal)
    }
  }

  /** One round. `lost`: all members have it damaged; undefined: nobody has it at the moment. */
  async #ask(
    region: GroupedRegion,
    page: PageIndex,
    version: Version,
  ): Promise<Uint8Array | 'lost' | undefined> {
    const { members, reached, bug } = this.#options
    const { address, generation, pageSize } = region.descriptor
    const wanted = { address, generation, page, version }
    const possible = new Set(reached())
    const others = members()
    const first = others.filter((node) => possible.delete(node))
    let damaged = 0
    for (const node of [...first, ...possible].slice(0, askedMax)) {
      const answer = await this.#questions.ask(node, wanted)
      if (answer.kind === 'found' && answer.bytes.length === pageSize) {
        if (answer.version === version || bug === 'take-any-version') return answer.bytes
      }
      if (answer.kind === 'damaged' && others.includes(node)) damaged += 1
    }
    return others.length > 0 && damaged === others.length ? 'lost' : undefined
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
    const { store, logger, group, mended } = this.#options
    try {
      await store.commit({ mends: [{ space, page, version, bytes }] })
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code !== 'no-space' && code !== 'busy') throw reason
      return
    }
    mended()
    logger.log('info', 'mended a damaged page from another member of its home group', {
      group,
      region: formatAddress(address),
      page,
      version,
    })
  }
}
