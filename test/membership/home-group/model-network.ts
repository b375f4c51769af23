import type { NodeId } from '../../../src/address/identity.js'
import type { LinkName } from '../../../src/membership/home-group/link-name.js'
import type { SyncMode } from '../../../src/membership/home-group/primary-terms.js'
import type { Prng } from '../../../src/stdx/prng.js'
import type { Batch, Page } from './model-disk.js'
import type { ModelTime } from './model-time.js'

export type Message =
  | { readonly kind: 'begin'; readonly name: LinkName; readonly how: SyncMode }
  | { readonly kind: 'list'; readonly name: LinkName; readonly versions: ReadonlyMap<string, number> }
  | {
      readonly kind: 'difference'
      readonly name: LinkName
      readonly page: string
      readonly is: Page | undefined
    }
  | {
      readonly kind: 'entry'
      readonly name: LinkName
      readonly index: number
      readonly commit: number
      readonly batch: Batch
    }
  | { readonly kind: 'whole'; readonly name: LinkName; readonly index: number }
  | { readonly kind: 'acknowledge'; readonly name: LinkName; readonly index: number }
  | { readonly kind: 'refuse'; readonly reign: number }
  | { readonly kind: 'parted'; readonly name: LinkName }
  | { readonly kind: 'dismiss'; readonly reign: number; readonly epoch: number }

type Item = Message | { readonly kind: 'session-began' } | { readonly kind: 'session-lost' }

/** A process at an end of the network. */
export interface Host {
  readonly node: NodeId
  readonly isUp: boolean
  /** Ready for sessions. */
  readonly isReady: boolean
  /** When it goes on; in the past unless it is stopped. */
  readonly stoppedUntil: number
  onSession(peer: NodeId, kind: 'session-began' | 'session-lost'): void
  onMessage(peer: NodeId, message: Message): void
}

/** One way of a session: in order, nothing twice, until it ends. */
interface Way {
  readonly items: { readonly at: number; readonly item: Item }[]
  stalledSince: number | undefined
  isPumping: boolean
}

interface Session {
  readonly ends: readonly [Host, Host]
  readonly ways: readonly [Way, Way]
  isOpen: boolean
}

/** What a way that lets nothing through may last before the session ends, in milliseconds. */
const stallMs = 2_500
const lookMs = 40

/** Sessions between nodes, which come and go. */
export class ModelNetwork {
  readonly #time: ModelTime
  readonly #prng: Prng
  readonly #delay: () => number
  readonly #sessions = new Map<string, Session>()
  /** `from>to` of ways that let nothing through. */
  readonly blocked = new Set<string>()

  constructor(time: ModelTime, prng: Prng, delay: () => number) {
    this.#time = time
    this.#prng = prng
    this.#delay = delay
  }

  /** Where there is none yet, and both can be reached. */
  connect(a: Host, b: Host): void {
    const key = keyOf(a.node, b.node)
    const isPossible = [a, b].every((one) => one.isUp && one.isReady && one.stoppedUntil <= this.#time.now)
    if (!isPossible || this.#sessions.has(key)) return
    if (this.blocked.has(`${a.node}>${b.node}`) || this.blocked.has(`${b.node}>${a.node}`)) return
    const session: Session = { ends: [a, b], ways: [way(), way()], isOpen: true }
    this.#sessions.set(key, session)
    this.#put(session, 0, { kind: 'session-began' })
    this.#put(session, 1, { kind: 'session-began' })
  }

  send(from: NodeId, to: NodeId, message: Message): void {
    const session = this.#sessions.get(keyOf(from, to))
    if (session?.isOpen !== true) return
    this.#put(session, session.ends[0].node === to ? 0 : 1, message)
  }

  /** Both ends are told, each in its own time; what is on its way is gone. */
  cut(a: NodeId, b: NodeId): void {
    const session = this.#sessions.get(keyOf(a, b))
    if (session?.isOpen !== true) return
    session.isOpen = false
    let left = 2
    for (const side of [0, 1] as const) {
      session.ways[side].items.length = 0
      const tell = (): void => {
        const host = session.ends[side]
        if (host.isUp && host.stoppedUntil > this.#time.now) {
          this.#time.after(host.stoppedUntil - this.#time.now, tell)
          return
        }
        host.onSession(session.ends[1 - side]?.node as NodeId, 'session-lost')
        left -= 1
        if (left === 0) this.#sessions.delete(keyOf(a, b))
      }
      this.#time.after(this.#prng.between(0, 400), tell)
    }
  }

  cutAll(node: NodeId): void {
    for (const { ends } of [...this.#sessions.values()]) {
      if (ends.some((end) => end.node === node)) this.cut(ends[0].node, ends[1].node)
    }
  }

  #put(session: Session, side: 0 | 1, item: Item): void {
    const { items } = session.ways[side]
    items.push({ at: this.#time.now + this.#delay(), item })
    this.#pump(session, side)
  }

  #pump(session: Session, side: 0 | 1): void {
    const line = session.ways[side]
    const next = line.items[0]
    if (line.isPumping || next === undefined) return
    line.isPumping = true
    this.#time.after(Math.max(0, next.at - this.#time.now), () => {
      line.isPumping = false
      if (session.isOpen) this.#deliver(session, side)
    })
  }

  #deliver(session: Session, side: 0 | 1): void {
    const line = session.ways[side]
    const host = session.ends[side]
    const peer = (session.ends[1 - side] as Host).node
    const isBlocked = this.blocked.has(`${peer}>${host.node}`)
    if (isBlocked || host.stoppedUntil > this.#time.now) {
      line.stalledSince ??= this.#time.now
      if (this.#time.now - line.stalledSince > stallMs) this.cut(host.node, peer)
      else {
        line.isPumping = true
        this.#time.after(lookMs, () => {
          line.isPumping = false
          if (session.isOpen) this.#deliver(session, side)
        })
      }
      return
    }
    line.stalledSince = undefined
    const { item } = line.items.shift() as { readonly item: Item }
    if (item.kind === 'session-began' || item.kind === 'session-lost') host.onSession(peer, item.kind)
    else host.onMessage(peer, item)
    this.#pump(session, side)
  }
}

function way(): Way {
  return { items: [], stalledSince: undefined, isPumping: false }
}

function keyOf(a: NodeId, b: NodeId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`
}
