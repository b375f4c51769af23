import { fenceCountMax } from '../../address/fence.js'
import type { FenceMark } from '../../address/fence.js'
import type { SiteId } from '../../address/identity.js'
import { isNode } from '../../address/identity.js'
import type { PlantedBug } from './planted-bug.js'

/**
 * How far beyond what its parent knows a child may count: what its loss costs of the numbers of an era, and what it has left to
 * count, from half of it on, while it asks for more. Nodes may be far from the home and have clients of their own.
 */
const allowance = { node: 2 ** 16, client: 2 ** 11 } as const

type Kind = keyof typeof allowance

/**
 * The fences of one region at one site: a clock as Lamport's. A context that asks for its fence gets the next count of its site.
 * Whatever moves the exclusive right to a page from one site to another carries the count of the sender, and the
 * receiver goes on from there: so of two contexts that had a page one after the other, the later one has the higher number,
 * wherever they were. A lock that never asks changes nothing.
 *
 * A child that is lost with an exclusive right may have given numbers that nobody has heard of. Therefore each site counts up to a limit only,
 * which its parent has told it. A parent that loses such a child goes on beyond all limits that it told.
 * The limit of the root is what its storage has set aside: beyond that it goes on after a crash. So no message is needed
 * for a number, no write, and no wait, unless a site has used half of what it was told, and then it asks for more
 * before it needs it.
 *
 * Limits are of all nodes and of all clients of a site, not of each: a sibling that hands a token over hands its limit on.
 */
export class Fences {
  readonly #plantedBug: PlantedBug | undefined
  #used: number
  #limit: number
  /** What there was between the two when the limit was raised last. */
  #span: number
  /** The highest limits told to children. */
  readonly #told: Record<Kind, number> = { node: 0, client: 0 }
  /** Whether the parent has yet to answer. */
  isAsking = false

  constructor({ used, limit }: FenceMark, plantedBug: PlantedBug | undefined) {
    this.#used = used
    this.#limit = limit
    this.#span = limit - used
    this.#plantedBug = plantedBug
  }

  get used(): number {
    return this.#used
  }

  get mark(): FenceMark {
    return { used: this.#used, limit: this.#limit }
  }

  /** The next count; `not-yet` where there is none until more is told. */
  take(): number | 'not-yet' | 'used-up' {
    if (this.#used >= this.#limit) return this.#used >= fenceCountMax ? 'used-up' : 'not-yet'
    this.#used += 1
    return this.#used
  }

  /** Whether it is time to ask for more. */
  get isLow(): boolean {
    return this.#limit - this.#used <= this.#span / 2
  }

  /**
   * From the parent, or storage. What it said before does not count any more: a node that has begun anew knows nothing of what it told its
   * clients.
   */
  learn({ used, limit }: FenceMark): void {
    if (used > this.#used) this.#used = used
    if (limit > this.#limit) this.#span = Math.max(0, limit - this.#used)
    this.#limit = limit
  }

  /** From a sibling that hands a token over. They have one parent, which goes by the highest limit of all. */
  inherit({ used, limit }: FenceMark): void {
    this.learn({ used, limit: Math.max(limit, this.#limit) })
  }

  /** From a child: how far it has counted. No further than it was let, whatever it says. */
  hear(child: SiteId, used: number): void {
    const heard = Math.min(used, this.#told[kindOf(child)])
    if (heard > this.#used) this.#used = heard
  }

  /** What a child that gets an exclusive right, or asks for more, is told. */
  tell(child: SiteId): FenceMark {
    const kind = kindOf(child)
    const limit = Math.min(this.#limit, this.#used + allowance[kind])
    if (limit > this.#told[kind]) this.#told[kind] = limit
    return { used: this.#used, limit }
  }

  /** A child with an exclusive right is lost: it may have counted as far as it was let. */
  lose(child: SiteId): void {
    if (this.#plantedBug === 'no-fence-beyond-the-lost') return
    const told = this.#told[kindOf(child)]
    if (told > this.#used) this.#used = told
  }
}

function kindOf(child: SiteId): Kind {
  return isNode(child) ? 'node' : 'client'
}
