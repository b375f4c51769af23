import type { HomeStorage } from './home-storage.js'
import type { ProtocolSite } from './protocol-site.js'
import type { WorldLog } from './world-log.js'
import type { WorldMail } from './world-mail.js'
import type { Link, WorldSites } from './world-sites.js'

export interface WorldSessionsOptions<M> {
  readonly sites: WorldSites<M>
  readonly mail: WorldMail<M>
  readonly storage: HomeStorage
  readonly log: WorldLog<M>
  /** The next place in the order of all that happens. */
  readonly nextOrder: () => number
}

/** The sessions of a world's children with the home, the leases that go with them, and the deaths of sites. */
export class WorldSessions<M> {
  /** See `ProtocolWorld.endGrace`. */
  isInGrace = false
  readonly #options: WorldSessionsOptions<M>

  constructor(options: WorldSessionsOptions<M>) {
    this.#options = options
  }

  #link(name: string): Link<M> {
    return this.#options.sites.link(name)
  }

  get #home(): ProtocolSite<M> {
    return this.#options.sites.home
  }

  #say(line: string): void {
    this.#options.log.add(line)
  }

  /** The session is lost, with all that is on its way. Nobody knows yet. */
  cut(name: string): void {
    const link = this.#link(name)
    if (!link.isCarrying) return
    this.#say(`(${name} and ${this.#home.name} cannot reach each other)`)
    this.#drop(link)
  }

  #drop(link: Link<M>): void {
    link.isCarrying = false
    this.#options.mail.drop(link)
  }

  /** The child learns that the session is lost. */
  childNotices(name: string): void {
    const link = this.#link(name)
    if (link.isCarrying || !link.childThinksUp) return
    this.#say(`${name}: (the parent is lost)`)
    link.childThinksUp = false
    this.#lapse(link.child)
    link.child.step({ kind: 'parent-lost' })
  }

  /** The home gives the child up. By then its lease has ended. */
  homeNotices(name: string): void {
    const link = this.#link(name)
    if (link.isCarrying || !link.homeThinksUp) return
    this.#say(`${this.#home.name}: (${name} is lost)`)
    this.#stop(link)
    link.homeThinksUp = false
    this.#home.step({ kind: 'child-lost', child: link.child.id })
  }

  #stop(link: Link<M>): void {
    if (link.childThinksUp) link.child.isStopped = true
    this.#lapse(link.child)
  }

  /** Sections that need a lease cannot be used from here on. */
  #lapse(site: ProtocolSite<M>): void {
    for (const section of site.sections) {
      if (section.state === 'open' && site.manager.needsLease(section.mode, section.request.terms))
        section.closeOrder ??= this.#options.nextOrder()
    }
  }

  /** The child's lease ends, though the session does not: its rights rest. */
  pauseLease(name: string): void {
    this.#options.sites.site(name).isStopped = true
  }

  /** The lease holds again, where the session lives. */
  renewLease(name: string): void {
    const link = this.#link(name)
    if (!link.isCarrying) return
    link.child.isStopped = false
    link.child.wake()
  }

  /** See `ProtocolWorld.connect`. */
  connect(name: string): boolean {
    const link = this.#link(name)
    if (link.isCarrying) return true
    if (link.childThinksUp || link.homeThinksUp) return false
    if (this.#options.log.lines.length > 0) this.#say(`${name}: (connected to ${this.#home.name})`)
    link.isCarrying = true
    link.childThinksUp = true
    link.homeThinksUp = true
    link.child.isStopped = false
    link.child.step({ kind: 'parent-ready' })
    // Those that were not broken are used again.
    for (const section of link.child.sections) if (section.state === 'open') section.closeOrder = undefined
    link.child.wake()
    return true
  }

  /** A child dies, and starts again with nothing. Until the home has noticed, it cannot connect. */
  crash(name: string): void {
    const link = this.#link(name)
    this.#say(`(${name} dies)`)
    this.#drop(link)
    link.childThinksUp = false
    link.child.crash('none')
  }

  /** See `ProtocolWorld.crashHome`. */
  crashHome(kept: number, reign: 'same-reign' | 'new-reign'): void {
    const { sites, storage } = this.#options
    this.#say(`(${this.#home.name} dies)`)
    for (let count = 0; count < kept; count++) storage.endFirst()
    storage.loseQueue()
    if (reign === 'new-reign') storage.beginReign()
    for (const link of sites.links) {
      this.#drop(link)
      link.homeThinksUp = false
    }
    this.isInGrace = true
    this.#home.crash('until-ended')
  }

  /** See `ProtocolWorld.endGrace`. */
  endGrace(): void {
    if (!this.isInGrace) return
    this.#say(`${this.#home.name}: (rights of before have ended)`)
    for (const link of this.#options.sites.links) if (!link.isCarrying) this.#stop(link)
    this.isInGrace = false
    this.#home.step({ kind: 'grace-ended' })
  }
}
