import type { SiteId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { MessageCodec } from '../../consistency/contract.js'
import { present } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { cmBodyBytesMax } from '../../wire/limits.js'
import { ContractViolation, demand } from './contract-violation.js'
import { changedBy } from './parcel-table.js'
import type { Parcel } from './parcel-table.js'
import type { ProtocolSite } from './protocol-site.js'
import type { WorldLog } from './world-log.js'
import type { Letter, Link, WorldSites } from './world-sites.js'

/** Messages that may follow from each other before time passes. */
const deliveriesMax = 100_000

/** The messages of a world: each crosses the protocol's codec, and waits on its link until it is delivered. */
export class WorldMail<M> {
  /** Names of children that get nothing of what is sent to them. */
  readonly deaf = new Set<string>()
  readonly #sites: WorldSites<M>
  readonly #codec: MessageCodec<M>
  readonly #log: WorldLog<M>
  /** Bytes. */
  readonly #pageSize: number
  /** What is on its way, in the order of sending; or was, and was delivered out of turn. */
  readonly #letters: (readonly [Link<M>, 'toHome' | 'toChild'])[] = []

  constructor(sites: WorldSites<M>, codec: MessageCodec<M>, log: WorldLog<M>, pageSize: number) {
    this.#sites = sites
    this.#codec = codec
    this.#log = log
    this.#pageSize = pageSize
  }

  send(
    sender: string,
    to: SiteId,
    message: M,
    parcels: readonly Parcel[],
    pages: readonly PageIndex[],
  ): void {
    const from = this.#sites.site(sender)
    const target = this.#sites.withId(to)
    demand(target !== undefined, `${from.name} sends to site ${to}, which there is not`)
    demand(target !== from, `${from.name} sends to itself`)
    demand(
      from.isHome || target.isHome,
      `${from.name} sends to ${target.name}, which is neither its parent nor its child`,
    )
    const bytes = this.#codec.encode(message)
    demand(bytes.length <= cmBodyBytesMax, `${from.name} sends a message of ${bytes.length} bytes`)
    const words = this.#log.wordsOf(message, parcels, pages)
    this.#checkCodec(from, bytes, words)
    const link = this.#sites.link(from.isHome ? target.name : from.name)
    const isUp = link.isCarrying && (from.isHome ? link.homeThinksUp : link.childThinksUp)
    if (!isUp || this.deaf.has(target.name)) return
    this.#log.onSent({ from: from.name, to: target.name }, message, words, bytes, parcels)
    const direction = from.isHome ? 'toChild' : 'toHome'
    link[direction].push({ bytes: bytes.slice(), parcels, words })
    this.#letters.push([link, direction])
  }

  #checkCodec(from: ProtocolSite<M>, bytes: Uint8Array, words: string): void {
    const again = this.#codec.encode(this.#codec.decode(bytes))
    const isSame = again.length === bytes.length && again.every((byte, at) => byte === bytes[at])
    demand(isSame, `${from.name} sends ${words}: decoded and encoded again it is something else`)
  }

  /** Messages on their way, the oldest first. */
  queue(from: string, to: string): readonly Letter[] {
    return this.#queue(from, to)
  }

  #queue(from: string, to: string): Letter[] {
    return from === this.#sites.home.name ? this.#sites.link(to).toChild : this.#sites.link(from).toHome
  }

  /** The oldest message between the two arrives. Answers whether there was one. */
  deliver(from: string, to: string): boolean {
    const letter = this.#queue(from, to).shift()
    if (letter === undefined) return false
    const site = this.#sites.site(from)
    const target = this.#sites.site(to)
    try {
      const message = this.#codec.decode(letter.bytes)
      target.step((parcels) => ({ kind: 'message', from: site.id, message, parcels }), letter.parcels)
    } catch (cause) {
      if (!(cause instanceof KhazanaError)) throw cause
      throw new ContractViolation(
        `${to} refuses "${letter.words}", which the manager at ${from} sent: ${cause.message}`,
        {
          cause,
        },
      )
    }
    return true
  }

  /** As `deliver`, and says so in the log: for scripts in which the order of arriving matters. */
  arrive(from: string, to: string): void {
    const letter = present(this.#queue(from, to)[0], `a message of ${from} is on its way to ${to}`)
    this.#log.add(`(${letter.words} arrives at ${to})`)
    this.deliver(from, to)
  }

  /** All messages arrive, in the order of sending, and those that follow from them. */
  deliverAll(): void {
    const home = this.#sites.home.name
    for (let count = 0; count < deliveriesMax; count++) {
      const next = this.#letters.shift()
      if (next === undefined) return
      const [{ child }, direction] = next
      if (direction === 'toHome') this.deliver(child.name, home)
      else this.deliver(home, child.name)
    }
    throw new ContractViolation('the managers send messages without end')
  }

  /** See `ProtocolWorld.inject`. */
  inject(from: string, said: Uint8Array | M, parcels: readonly Parcel[]): boolean {
    const { home } = this.#sites
    const child = this.#sites.site(from)
    try {
      // The driver looks at what came before the manager hears of it.
      for (const parcel of parcels) changedBy(new Uint8Array(this.#pageSize), parcel)
      const bytes = said instanceof Uint8Array ? said : this.#codec.encode(said)
      const message = this.#codec.decode(bytes)
      home.step((ids) => ({ kind: 'message', from: child.id, message, parcels: ids }), parcels)
      return false
    } catch (cause) {
      if (!(cause instanceof KhazanaError) || cause.code !== 'protocol-error') throw cause
      this.#log.add(`(${home.name} refuses what ${from} says: ${cause.message})`)
      return true
    }
  }

  /** All that is on its way between the two is lost. */
  drop(link: Link<M>): void {
    link.toHome.length = 0
    link.toChild.length = 0
    // Empty queues make their letters void: the list may hold more than there are, in the same order.
    for (let at = this.#letters.length - 1; at >= 0; at--) {
      if (this.#letters[at]?.[0] === link) this.#letters.splice(at, 1)
    }
  }
}
