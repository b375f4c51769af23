import type { Address } from '../../address/address.js'
import type { SiteId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { CmMessage } from '../../consistency/contract.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { RegionFrame } from '../page-memory.js'
import type { PageStamp } from '../../wire/crew-message.js'
import type { Session } from '../session/session.js'
import type { FrameTable } from './frame-table.js'

/** Bytes of pages in one message: small enough that leases are renewed between two on a slow link. */
export const messagePagesBytesMax = 1024 * 1024

/** Pages that are given up in one message. */
const yieldPagesMax = 4096

export interface OutgoingOptions {
  readonly region: Address
  readonly generation: number
  readonly era: number
  readonly pageSize: number
  readonly frames: FrameTable
  readonly session: (peer: SiteId) => Session | undefined
  /** Pages that were to be sent and cannot be read. */
  readonly unreadable: (to: SiteId, message: CmMessage, page: PageIndex, error: KhazanaError) => void
}

/** A message, and the frames that go with it as they were when it was said, or undefined where the disk has them. */
interface Entry {
  readonly message: CmMessage
  readonly pages: readonly (Uint8Array | undefined)[]
}

/**
 * What a region's manager says to its peers, in order, with the bytes. Mostly a message leaves at once. Where its
 * pages must come from the disk first, or the peer takes no more, it and all that follows to that peer wait: at most
 * what the peer has asked for.
 */
export class Outgoing {
  readonly #options: OutgoingOptions
  readonly #waiting = new Map<SiteId, Entry[]>()
  /**
   * What is given up to a peer, until something else is said to it, or this turn is over: memory gives pages up one by one, and a message for each would cost those who
   * read or write many pages more than these.
   */
  readonly #givenUp = new Map<SiteId, Yield>()

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  send(to: SiteId, message: CmMessage): void {
    const isGivingUp = message.kind === 'yield' && !message.handed
    const before = this.#givenUp.get(to)
    if (before !== undefined) {
      const both = isGivingUp ? together(before, message) : undefined
      if (both !== undefined) {
        this.#givenUp.set(to, both)
        return
      }
      this.#sendGivenUp(to)
    }
    if (!isGivingUp) {
      this.#send(to, message)
      return
    }
    this.#givenUp.set(to, message)
    queueMicrotask(() => {
      this.#sendGivenUp(to)
    })
  }

  #sendGivenUp(to: SiteId): void {
    const message = this.#givenUp.get(to)
    if (message === undefined) return
    this.#givenUp.delete(to)
    this.#send(to, message)
  }

  #send(to: SiteId, message: CmMessage): void {
    const session = this.#options.session(to)
    if (session === undefined || session.loss !== undefined) return
    for (const part of split(message, this.#options.pageSize)) {
      const entry: Entry = { message: part, pages: this.#pagesOf(part) }
      const waiting = this.#waiting.get(to)
      if (waiting !== undefined) waiting.push(entry)
      else if (!this.#sendNow(session, entry)) void this.#sendWaiting(to, session, [entry])
    }
  }

  /** Drops what was to be sent to a peer whose session is lost. */
  forget(peer: SiteId): void {
    this.#givenUp.delete(peer)
    this.#waiting.delete(peer)
  }

  #sendNow(session: Session, { message, pages }: Entry): boolean {
    if (pages.length === 0) {
      this.#post(session, message, [])
      return true
    }
    if (!session.writable || !pages.every((bytes) => bytes !== undefined)) return false
    this.#post(session, message, pages)
    return true
  }

  /** Sends what waits for a peer, one after the other. Never rejects. */
  async #sendWaiting(to: SiteId, session: Session, entries: Entry[]): Promise<void> {
    this.#waiting.set(to, entries)
    const isCurrent = (): boolean => this.#waiting.get(to) === entries && session.loss === undefined
    for (let entry = entries[0]; entry !== undefined && isCurrent(); entry = entries[0]) {
      try {
        if (entry.pages.length > 0 && !session.writable) await session.whenWritable()
        const { message, pages } = await this.#load(to, entry)
        const isEmpty = entry.pages.length > 0 && stampsOf(message)?.length === 0
        if (!isEmpty && isCurrent()) this.#post(session, message, pages)
      } catch {
        // The session is lost, and with it everything that waits for it: its loss is told to all who must know.
        break
      }
      entries.shift()
    }
    if (this.#waiting.get(to) === entries) this.#waiting.delete(to)
  }

  /** The entry with all its bytes, and without the pages that cannot be read, which is told. */
  async #load(to: SiteId, entry: Entry): Promise<Entry> {
    const stamps = stampsOf(entry.message)?.filter((stamp) => stamp.hasBytes) ?? []
    // All at once: those that lie together on the disk are one read.
    const loaded = await Promise.all(
      stamps.map(async ({ page }, slot) => entry.pages[slot] ?? this.#loadPage(to, entry.message, page)),
    )
    const unreadable = new Set<PageIndex>()
    stamps.forEach(({ page }, slot) => {
      if (loaded[slot] === undefined) unreadable.add(page)
    })
    return {
      message: without(entry.message, unreadable),
      pages: loaded.filter((bytes) => bytes !== undefined),
    }
  }

  async #loadPage(to: SiteId, message: CmMessage, page: PageIndex): Promise<Uint8Array | undefined> {
    let frame: RegionFrame
    try {
      frame = await this.#options.frames.load(page)
    } catch (error) {
      this.#options.unreadable(to, message, page, KhazanaError.from(error))
      return undefined
    }
    frame.pins -= 1
    frame.isEscaped = true
    return frame.bytes
  }

  #pagesOf(message: CmMessage): (Uint8Array | undefined)[] {
    const pages: (Uint8Array | undefined)[] = []
    for (const stamp of stampsOf(message) ?? []) {
      if (stamp.hasBytes) pages.push(this.#options.frames.peek(stamp.page))
    }
    return pages
  }

  #post(session: Session, body: CmMessage, pages: readonly (Uint8Array | undefined)[]): void {
    const { region, generation, era } = this.#options
    const bytes = pages.filter((page) => page !== undefined)
    session.send({ kind: 'cm', region, generation, era, body }, bytes)
  }
}

type Yield = Extract<CmMessage, { readonly kind: 'yield' }>

/** Both in one, where the pages of the second follow those of the first. */
function together(first: Yield, second: Yield): Yield | undefined {
  const { range, keep } = first
  const count = range.count + second.range.count
  const follows = range.first + range.count === second.range.first
  if (!follows || keep !== second.keep || count > yieldPagesMax) return undefined
  return { ...second, range: { first: range.first, count } }
}

/** The pages a message speaks of with their versions, where it does. */
export function stampsOf(message: CmMessage): readonly PageStamp[] | undefined {
  if (message.kind === 'grant' || message.kind === 'commit') return message.pages
  if (message.kind === 'transfer') return [message.page]
  return undefined
}

function without(message: CmMessage, pages: ReadonlySet<PageIndex>): CmMessage {
  if (pages.size === 0 || message.kind !== 'grant') return message
  return { ...message, pages: message.pages.filter(({ page }) => !pages.has(page)) }
}

/** A message over many large pages as several. */
function split(message: CmMessage, pageSize: number): readonly CmMessage[] {
  if (message.kind !== 'grant' && message.kind !== 'commit') return [message]
  const pagesMax = Math.max(1, Math.floor(messagePagesBytesMax / pageSize))
  if (message.pages.length <= pagesMax) return [message]
  const parts: CmMessage[] = []
  for (let start = 0; start < message.pages.length; start += pagesMax) {
    const pages = message.pages.slice(start, start + pagesMax)
    const isLast = start + pagesMax >= message.pages.length
    parts.push(message.kind === 'grant' ? { ...message, pages } : { ...message, pages, final: isLast })
  }
  return parts
}
