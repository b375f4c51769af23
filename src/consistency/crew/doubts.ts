import type { PageIndex, PageRange } from '../../address/page.js'
import type { StoredPage } from '../../wire/crew-message.js'
import type { CommitInDoubt, DoubtedPage } from '../contract.js'
import type { PlantedBug } from './planted-bug.js'

/**
 * How many numbers of a page the home leaves out where it loses a child that may write it, or voids such a right: those that the child may
 * have given to commits of which the home has not heard. A commit that is further ahead of the first one under way is never in doubt: its
 * outcome is unknown.
 */
export const versionsSkipped = 1024

/** What a page says of a commit. `overtaken`: it did not happen, and somebody has written since. */
type Evidence = 'done' | 'undone' | 'overtaken' | 'none'

/** What is true of a commit. `resend`: it did not happen, and nobody has written since. `lost`: it did not happen, and cannot any more. */
export type Finding = 'done' | 'resend' | 'lost' | 'unknown'

interface WantedPage {
  readonly page: PageIndex
  state: 'wanted' | 'taken' | 'refused'
}

/**
 * Commits of which a site does not know whether they happened, as the session with the home was lost on the way (ADR 27). All their pages
 * are taken, as by one lock for writing; the home says with the rights what it has stored; and then each of them ends, or is committed again.
 *
 * All rests on numbers: what a site has written has numbers that nobody else gives, since it had the exclusive right, homes leave out those that a
 * lost child may have given, and each era of a home group has its own. So a stored number tells whose bytes are stored.
 *
 * Rejected: to take them for one commit after the other, which keeps others from the pages of the later ones while it waits for those of the
 * first: locks that wait for each other; or does not, and so loses the later ones.
 */
export class Doubts {
  /** In the order in which they were begun. */
  #list: CommitInDoubt[] = []
  /** All their pages, in ascending order, of which those before `#next` are taken, or cannot be had. */
  #pages: WantedPage[] = []
  #next = 0
  /** What is stored, of pages to which this site has the exclusive right. */
  readonly #stored = new Map<PageIndex, StoredPage>()

  get list(): readonly CommitInDoubt[] {
    return this.#list
  }

  get isEmpty(): boolean {
    return this.#list.length === 0
  }

  add(doubts: readonly CommitInDoubt[]): void {
    this.#list = [...this.#list, ...doubts].sort((a, b) => a.commit - b.commit)
    const pages = new Set(this.#list.flatMap((doubt) => doubt.pages.map(({ page }) => page)))
    this.#pages = [...pages].sort((a, b) => a - b).map((page) => ({ page, state: 'wanted' }))
    this.#next = 0
  }

  /** Those that are left: all are over, or are commits again. */
  clear(): void {
    this.#list = []
    this.#pages = []
    this.#next = 0
    this.#stored.clear()
  }

  /** The page that is to be taken next; undefined where all are. */
  get next(): PageIndex | undefined {
    return this.#pages[this.#next]?.page
  }

  /** Those that are still to be taken. */
  get wanted(): readonly PageIndex[] {
    return this.#pages.slice(this.#next).map(({ page }) => page)
  }

  get taken(): readonly PageIndex[] {
    return this.#pages.filter(({ state }) => state === 'taken').map(({ page }) => page)
  }

  took(how: 'taken' | 'refused'): void {
    const page = this.#pages[this.#next]
    if (page !== undefined) page.state = how
    this.#next += 1
  }

  /** All are to be taken anew. */
  restart(): void {
    for (const page of this.#pages) page.state = 'wanted'
    this.#next = 0
  }

  /** Whether a page of the range is in doubt. */
  touches({ first, count }: PageRange): boolean {
    return this.#pages.some(({ page }) => page >= first && page < first + count)
  }

  learn(page: PageIndex, stored: StoredPage | undefined): void {
    if (stored !== undefined) this.#stored.set(page, stored)
  }

  storedOf(page: PageIndex): StoredPage | undefined {
    return this.#stored.get(page)
  }

  /** The exclusive right is gone: others may write. */
  forget(page: PageIndex): void {
    if (this.#stored.size > 0) this.#stored.delete(page)
  }

  /** The child is gone: nobody waits for what it has committed. */
  orphan(child: number): void {
    this.#list = this.#list.map((doubt): CommitInDoubt => {
      const { origin } = doubt
      return origin.kind === 'child' && origin.child === child
        ? { ...doubt, origin: { kind: 'nobody' } }
        : doubt
    })
  }

  /** What is known. `storedOf`: what is stored, of the pages that could be taken. `isBarred`: it may have read what never happened. */
  find(
    { pages }: CommitInDoubt,
    isBarred: boolean,
    storedOf: (page: PageIndex) => StoredPage | undefined,
    bug: PlantedBug | undefined,
  ): Finding {
    if (bug === 'resend-without-comparing') return 'resend'
    const found = pages.map((page) => evidenceOf(page, storedOf(page.page)))
    const isUndone = found.includes('undone') || found.includes('overtaken')
    // A commit happens as a whole.
    if (found.includes('done')) return isUndone ? 'unknown' : 'done'
    if (!isUndone) return 'unknown'
    return !isBarred && found.every((each) => each === 'undone') ? 'resend' : 'lost'
  }
}

function evidenceOf({ own, last }: DoubtedPage, stored: StoredPage | undefined): Evidence {
  if (stored === undefined) return 'none'
  const { version, overtaken, by } = stored
  if (version < own) return 'undone'
  if (version <= last) return 'done'
  if (by <= last || overtaken > last) return 'none'
  return overtaken < own ? 'overtaken' : 'done'
}

/** Pages of which is remembered over what somebody wrote whose number did not follow. */
const overtakingsMax = 4096
const noJump = { overtaken: -1, by: 0 } as const

/** At the home: where numbers have jumped, for as long as this is remembered. */
export class Overtakings {
  readonly #jumps = new Map<PageIndex, { readonly from: number; readonly to: number }>()

  /** `to` is about to be written over `from`; undefined: nobody knows what there was. */
  note(page: PageIndex, from: number | undefined, to: number): void {
    if (from === to - 1) return
    this.#jumps.delete(page)
    if (from === undefined) return
    this.#jumps.set(page, { from, to })
    if (this.#jumps.size <= overtakingsMax) return
    for (const oldest of this.#jumps.keys()) {
      this.#jumps.delete(oldest)
      return
    }
  }

  /** What was to be written was not. */
  forget(page: PageIndex): void {
    this.#jumps.delete(page)
  }

  of(page: PageIndex, stored: number): Omit<StoredPage, 'version'> {
    const jump = this.#jumps.get(page)
    return jump !== undefined && stored >= jump.to ? { overtaken: jump.from, by: jump.to } : noJump
  }
}
