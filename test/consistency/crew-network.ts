import assert from 'node:assert/strict'
import { clientSite, isNode, nodeId } from '../../src/address/identity.js'
import type { SiteId } from '../../src/address/identity.js'
import type { CmEffect, CmMessage, ProtocolDefinition } from '../../src/consistency/contract.js'
import { crew } from '../../src/consistency/crew/crew.js'
import { CrewDisk } from './crew-disk.js'
import type { Value } from './crew-disk.js'
import type { Outcome, Section } from './crew-section.js'
import { CrewSite } from './crew-site.js'
import type { SiteSurroundings } from './crew-site.js'

/** A site of the tree, by name. The home has no parent and comes first; a site is a client if its name is in lower case. */
export interface Place {
  readonly name: string
  readonly parent?: string
}

/** The session between a site and its parent. Each side learns of its loss by itself. */
export interface Link {
  readonly child: CrewSite
  readonly parent: CrewSite
  session: number
  /** Whether messages pass. */
  isCarrying: boolean
  /** Whether the side still takes the session for alive. */
  childThinksUp: boolean
  parentThinksUp: boolean
}

/** The session between two nodes below one home. */
export interface SiblingLink {
  readonly ends: readonly [CrewSite, CrewSite]
  isCarrying: boolean
  /** Ends that do not know of the loss yet. */
  untold: Set<CrewSite>
}

/** Something on its way. `resume`: the parent has its own rights back, so that the child's lease holds again. */
type Parcel =
  | { readonly kind: 'message'; readonly message: CmMessage; readonly values: readonly Value[] }
  | { readonly kind: 'resume' }

interface Queue {
  readonly from: CrewSite
  readonly to: CrewSite
  readonly parcels: Parcel[]
}

/** Who watches: all may be left out. */
export interface NetworkHooks {
  readonly sent?: (from: CrewSite, to: CrewSite, message: CmMessage, values: readonly Value[]) => void
  readonly effect?: (site: CrewSite, effect: CmEffect) => void
  readonly outcome?: (site: CrewSite, section: Section, outcome: Outcome) => void
  readonly delaysGrant?: (site: CrewSite) => boolean
}

/**
 * The managers of one region in a tree of sites, with a queue for each ordered pair that talks, and the sessions
 * between them. Nothing moves by itself: the caller says which message arrives next and what fails.
 */
export class CrewNetwork implements SiteSurroundings {
  readonly sites: readonly CrewSite[]
  readonly home: CrewSite
  readonly disk = new CrewDisk()
  readonly links: readonly Link[]
  readonly siblings: readonly SiblingLink[]
  readonly queues: readonly Queue[]
  isInGrace = false
  /** Whether it is as with a home group: no home gives a number again that one before it gave. */
  readonly isBacked: boolean
  readonly #hooks: NetworkHooks
  readonly #byName = new Map<string, CrewSite>()
  readonly #byId = new Map<SiteId, CrewSite>()
  #session = 0

  constructor(
    places: readonly Place[],
    options: {
      readonly protocol?: ProtocolDefinition
      readonly hooks?: NetworkHooks
      readonly isBacked?: boolean
    },
  ) {
    this.#hooks = options.hooks ?? {}
    this.isBacked = options.isBacked ?? true
    for (const [index, { name, parent }] of places.entries()) {
      const isClient = name === name.toLowerCase()
      const site = new CrewSite(
        {
          id: isClient ? clientSite(2 ** 20 + index) : nodeId(index + 1),
          name,
          parent: parent === undefined ? undefined : this.site(parent).id,
          disk: parent === undefined ? this.disk : undefined,
          protocol: options.protocol ?? crew,
        },
        this,
      )
      this.#byName.set(name, site)
      this.#byId.set(site.id, site)
    }
    this.sites = [...this.#byName.values()]
    this.home = this.site(places[0]?.name ?? '')
    this.links = this.sites.flatMap((child) => {
      if (child.parent === undefined) return []
      const parent = this.#get(child.parent)
      return [{ child, parent, session: 0, isCarrying: false, childThinksUp: false, parentThinksUp: false }]
    })
    const nodes = this.sites.filter((site) => isNode(site.id) && site !== this.home)
    this.siblings = nodes.flatMap((one, index) =>
      nodes
        .slice(index + 1)
        .map((other): SiblingLink => ({ ends: [one, other], isCarrying: true, untold: new Set() })),
    )
    const pairs = [
      ...this.links.map(({ child, parent }) => [child, parent] as const),
      ...this.siblings.map(({ ends }) => ends),
    ]
    this.queues = pairs.flatMap(([one, other]) => [
      { from: one, to: other, parcels: [] },
      { from: other, to: one, parcels: [] },
    ])
    for (const link of this.links) this.connect(link)
  }

  site(name: string): CrewSite {
    const found = this.#byName.get(name)
    assert(found !== undefined, `there is no site ${name}`)
    return found
  }

  #get(id: SiteId): CrewSite {
    const found = this.#byId.get(id)
    assert(found !== undefined, `there is no site ${id}`)
    return found
  }

  link(child: CrewSite): Link {
    const found = this.links.find((link) => link.child === child)
    assert(found !== undefined, `${child.name} has no parent`)
    return found
  }

  #sibling(one: CrewSite, other: CrewSite): SiblingLink | undefined {
    return this.siblings.find(({ ends }) => ends.includes(one) && ends.includes(other))
  }

  queue(from: CrewSite, to: CrewSite): Queue {
    const found = this.queues.find((queue) => queue.from === from && queue.to === to)
    assert(found !== undefined, `${from.name} never talks to ${to.name}`)
    return found
  }

  childrenOf(parent: CrewSite): readonly Link[] {
    return this.links.filter((link) => link.parent === parent)
  }

  // ---- what sites ask ---------------------------------------------------------------------------------------------

  send(from: CrewSite, to: SiteId, message: CmMessage, values: readonly Value[]): void {
    const target = this.#get(to)
    if (!this.#carries(from, target)) return
    this.#hooks.sent?.(from, target, message, values)
    this.queue(from, target).parcels.push({ kind: 'message', message, values })
  }

  #carries(from: CrewSite, to: CrewSite): boolean {
    if (from.parent === to.id) {
      const link = this.link(from)
      return link.isCarrying && link.childThinksUp
    }
    if (to.parent === from.id) {
      const link = this.link(to)
      return link.isCarrying && link.parentThinksUp
    }
    return this.#sibling(from, to)?.isCarrying === true
  }

  siblingSession(child: SiteId): number | undefined {
    const link = this.link(this.#get(child))
    return link.parentThinksUp ? link.session : undefined
  }

  canReach(from: SiteId, sibling: SiteId): boolean {
    return this.#sibling(this.#get(from), this.#get(sibling))?.isCarrying === true
  }

  parentSession(site: SiteId): number | undefined {
    const link = this.link(this.#get(site))
    return link.childThinksUp ? link.session : undefined
  }

  onEffect(site: CrewSite, effect: CmEffect): void {
    this.#hooks.effect?.(site, effect)
  }

  onOutcome(site: CrewSite, section: Section, outcome: Outcome): void {
    this.#hooks.outcome?.(site, section, outcome)
  }

  delaysGrant(site: CrewSite): boolean {
    return this.#hooks.delaysGrant?.(site) ?? false
  }

  // ---- what the caller makes happen -------------------------------------------------------------------------------

  /** The oldest message of the queue arrives. */
  deliver(queue: Queue): void {
    const parcel = queue.parcels.shift()
    if (parcel === undefined) return
    // A renewal never reaches further than the lease of who sent it.
    if (parcel.kind === 'resume') queue.to.isStopped = !queue.from.isValid
    else
      queue.to.step(
        { kind: 'message', from: queue.from.id, message: parcel.message, parcels: [] },
        parcel.values,
      )
  }

  /** Delivers until nothing is on its way. Throws where that never ends. */
  deliverAll(): void {
    for (let round = 0; round < 10_000; round++) {
      const queue = this.queues.find(({ parcels }) => parcels.length > 0)
      if (queue === undefined) return
      this.deliver(queue)
    }
    assert.fail('messages without end')
  }

  connect(link: Link): void {
    if (link.isCarrying || link.childThinksUp || link.parentThinksUp) return
    const { child, parent } = link
    link.session = ++this.#session
    link.isCarrying = true
    link.childThinksUp = true
    link.parentThinksUp = true
    // A client's lease holds only while its node's does.
    child.isStopped = !parent.isValid
    child.step({ kind: 'parent-ready' })
    for (const { child: client } of this.childrenOf(child)) if (client.isStopped) this.#resume(client)
  }

  /** Lets the client use its rights again, once it has heard all that was said to it before. */
  #resume(client: CrewSite): void {
    const link = this.link(client)
    if (link.isCarrying && link.parent.isValid)
      this.queue(link.parent, client).parcels.push({ kind: 'resume' })
  }

  /** The session is lost, with all that is on its way. Nobody knows yet. */
  lose(link: Link): void {
    link.isCarrying = false
    this.#empty(link.child, link.parent)
  }

  #empty(one: CrewSite, other: CrewSite): void {
    this.queue(one, other).parcels.length = 0
    this.queue(other, one).parcels.length = 0
  }

  /** A node that is cut off learns of a new era, and so do its clients: each goes on with another manager. */
  beginEra(link: Link): void {
    const { child } = link
    if (link.childThinksUp || !isNode(child.id)) return
    child.switchManager()
    for (const below of this.childrenOf(child)) {
      if (!below.isCarrying) continue
      this.#empty(child, below.child)
      below.child.switchManager()
      below.child.isStopped = true
      below.child.step({ kind: 'parent-ready' })
    }
  }

  tellChild({ child }: Link): void {
    const link = this.link(child)
    if (link.isCarrying || !link.childThinksUp) return
    link.childThinksUp = false
    child.step({ kind: 'parent-lost' })
  }

  /** The parent gives a child up. By then the leases of the child and of those below it have run out. */
  tellParent(link: Link): void {
    if (link.isCarrying || !link.parentThinksUp) return
    this.#stop(link)
    link.parentThinksUp = false
    link.parent.step({ kind: 'child-lost', child: link.child.id })
  }

  #stop({ child, childThinksUp }: Link): void {
    if (childThinksUp) child.isStopped = true
    for (const { child: client } of this.childrenOf(child)) {
      client.isStopped = true
      this.#resume(client)
    }
  }

  loseSibling(sibling: SiblingLink): void {
    if (!sibling.isCarrying) return
    sibling.isCarrying = false
    sibling.untold = new Set(sibling.ends)
    this.#empty(...sibling.ends)
  }

  tellSibling(sibling: SiblingLink, end: CrewSite): void {
    if (sibling.untold.delete(end)) end.step({ kind: 'sibling-lost' })
  }

  connectSibling(sibling: SiblingLink): void {
    if (sibling.untold.size === 0) sibling.isCarrying = true
  }

  /**
   * The home dies and starts again on its disk. The first `kept` of the waiting groups had reached the platter. Where it is backed, that is a new reign, in
   * which all pages are told under new versions.
   */
  crashHome(kept: number): void {
    for (let group = 0; group < kept; group++) this.disk.endFirst()
    this.disk.loseQueue()
    if (this.isBacked) this.disk.beginReign()
    for (const link of this.childrenOf(this.home)) {
      this.lose(link)
      link.parentThinksUp = false
    }
    this.isInGrace = true
    this.home.crash('until-ended')
  }

  /** A lease has passed since the home started: whoever has not come back must have stopped. */
  endGrace(): void {
    if (!this.isInGrace) return
    for (const link of this.childrenOf(this.home)) {
      if (link.isCarrying) this.#stop({ ...link, childThinksUp: false })
      else this.#stop(link)
    }
    this.isInGrace = false
    this.home.step({ kind: 'grace-ended' })
  }

  /** A site other than the home dies and starts again with nothing. */
  crash(site: CrewSite): void {
    const link = this.link(site)
    this.lose(link)
    link.childThinksUp = false
    for (const below of this.childrenOf(site)) {
      this.lose(below)
      below.parentThinksUp = false
    }
    for (const sibling of this.siblings) {
      if (!sibling.ends.includes(site)) continue
      this.loseSibling(sibling)
      sibling.untold.delete(site)
    }
    site.crash('none')
  }
}
