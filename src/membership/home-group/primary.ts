import type { NodeId } from '../../address/identity.js'
import { assert, unreachable } from '../../stdx/assert.js'
import { BackupLink } from './backup-link.js'
import { CommitLine } from './commit-line.js'
import type { GroupBug } from './group-bug.js'
import { addition, removal } from './group-change.js'
import type { GroupChange, LivingNode } from './group-change.js'
import { primaryOf } from './group-record.js'
import type { SeenRecord } from './group-record.js'
import { isSameLink } from './link-name.js'
import type { LinkName } from './link-name.js'
import { Peer } from './peer.js'
import type { ChangeOutcome, PrimaryEffect, PrimaryEvent } from './primary-terms.js'
import { Standing } from './standing.js'

/**
 * One home group at its primary, for one reign (DESIGN 7). What must hold:
 *
 * - A commit is acknowledged when it is durable here and at all members of all records that may be in force, and at a node that is about to be
 *   added. So whoever takes over has it.
 * - The reign begins with commit 0, which is all that is here. It is served when that is at all members, too: else what somebody reads now could be gone
 *   with this node.
 * - It serves while its lease is held, and a record that was read since it was obtained says that it is the primary: nobody can take over then.
 * - A backup that is silent is removed first. Where the coordinator cannot be reached, nothing is acknowledged meanwhile.
 *
 *   session began ──synchronise──> compared ──send-whole──> stored ──> counts ──caught up──> added
 *
 * A pure state machine: `step` says what to do. It is over with `deposed`.
 */
export class Primary {
  readonly #self: NodeId
  readonly #reign: number
  readonly #bug: GroupBug | undefined
  readonly #standing: Standing
  readonly #peers = new Map<NodeId, Peer>()
  /** The revision at which the own key was put under the lease; undefined without a lease. */
  #key: number | undefined
  /** Of what was refused though the record is as it was: the own key is not, and nothing can be done under it. */
  #refused: { readonly key: number | undefined; readonly modified: number } | undefined
  #isServing = false
  #isOver = false
  readonly #commits = new CommitLine()
  #lastLink = 0
  #candidate: LivingNode | undefined
  /** The members beside which another one is being looked for. */
  #searched: ReadonlySet<NodeId> | undefined
  #effects: PrimaryEffect[] = []

  /** `seen`: a record by which this node is the primary, and whose reign was begun by this run of it. */
  constructor(self: NodeId, seen: SeenRecord, bug?: GroupBug) {
    assert(primaryOf(seen.record) === self, 'the primary of its group')
    this.#self = self
    this.#reign = seen.record.reign
    this.#bug = bug
    this.#standing = new Standing(seen, bug)
  }

  /** The newest record that is known. */
  get seen(): SeenRecord {
    return this.#standing.seen
  }

  get isServing(): boolean {
    return this.#isServing
  }

  step(event: PrimaryEvent): readonly PrimaryEffect[] {
    if (this.#isOver) return []
    this.#effects = []
    this.#on(event)
    this.#goOn()
    return this.#effects
  }

  #on(event: PrimaryEvent): void {
    switch (event.kind) {
      case 'lease-held':
        this.#key = event.key
        if (this.seen.at < event.key) this.#want(event.key)
        return
      case 'lease-lapsed':
        if (this.#bug !== 'skip-the-lease') this.#key = undefined
        return
      case 'record':
        this.#onRecord(event.seen)
        return
      case 'outcome':
        this.#onOutcome(event.change, event.outcome)
        return
      case 'session-began':
        this.#onSession(this.#peer(event.node))
        return
      case 'session-lost':
        this.#onLost(this.#peer(event.node))
        return
      case 'commit':
        this.#onCommit(event.commit)
        return
      case 'durable':
        this.#commits.onDurable(event.commit)
        return
      case 'not-durable':
        this.#onNotDurable(event.commit)
        return
      case 'stored':
        this.#onStored(this.#peer(event.node), event.name, event.index)
        return
      case 'heard': {
        const peer = this.#peer(event.node)
        if (peer.link !== undefined && isSameLink(peer.link.name, event.name)) peer.onSign()
        return
      }
      case 'compared': {
        const { node, link } = this.#peer(event.node)
        if (link === undefined || !isSameLink(link.name, event.name)) return
        this.#effects.push({ kind: 'send-whole', node, name: link.name, index: link.nextWhole() })
        return
      }
      case 'other-reign':
        // Then the record has changed since it was seen.
        if (event.reign > this.#reign) this.#want(this.seen.at + 1)
        return
      case 'silence':
        this.#peer(event.node).onAlarm()
        return
      case 'candidate':
        this.#onCandidate(event.candidate)
        return
      default:
        unreachable(event)
    }
  }

  #peer(node: NodeId): Peer {
    const known = this.#peers.get(node)
    if (known !== undefined) return known
    const peer = new Peer(node)
    this.#peers.set(node, peer)
    return peer
  }

  #onRecord(seen: SeenRecord): void {
    const isNews = this.#standing.onRecord(seen)
    if (this.#standing.isWaiting) this.#effects.push({ kind: 'read-record' })
    if (!isNews) return
    const { record } = this.seen
    if (record.reign === this.#reign && primaryOf(record) === this.#self) return
    if (this.#isServing) this.#effects.push({ kind: 'stop-serving' })
    this.#isServing = false
    this.#isOver = true
    this.#effects.push({ kind: 'deposed', seen: this.seen })
  }

  #onOutcome(change: number, outcome: ChangeOutcome): void {
    const { modified } = this.seen
    const record = this.#standing.onOutcome(change, outcome)
    if (outcome.kind === 'unknown') this.#want(this.seen.at)
    if (outcome.kind !== 'refused') return
    this.#want(outcome.revision)
    if (record === undefined) return
    // If the record is as it was, then a key is not: that of the candidate, or else the own one.
    const isAddition = record.members.some((node) => !this.seen.record.members.includes(node))
    if (!isAddition) this.#refused = { key: this.#key, modified }
    else if (this.#candidate !== undefined && record.members.includes(this.#candidate.node))
      this.#candidate = undefined
  }

  #want(revision: number): void {
    if (this.#standing.want(revision)) this.#effects.push({ kind: 'read-record' })
  }

  #onSession(peer: Peer): void {
    if (peer.hasSession) this.#onLost(peer)
    peer.onSession()
  }

  #onLost(peer: Peer): void {
    peer.onLost()
    if (this.#candidate?.node === peer.node) this.#candidate = undefined
  }

  #onCommit(commit: number): void {
    if (!this.#isServing || this.#commits.isFull) {
      this.#effects.push({ kind: 'refuse', commit, why: this.#isServing ? 'busy' : 'not-serving' })
      return
    }
    this.#commits.add(commit)
    for (const { node, link } of this.#peers.values()) {
      if (link === undefined) continue
      this.#effects.push({ kind: 'send', node, name: link.name, index: link.next(), commit })
    }
  }

  /** The backups have it, perhaps: what differs is taken from them again. */
  #onNotDurable(first: number): void {
    this.#commits.onRefused(first)
    for (const peer of this.#peers.values()) {
      peer.hasTo = Math.min(peer.hasTo, first - 1)
      if (peer.link !== undefined) this.#synchronise(peer)
    }
  }

  #onStored(peer: Peer, name: LinkName, index: number): void {
    const { link } = peer
    if (link === undefined || !isSameLink(link.name, name) || !link.onStored(index)) return
    if (link.isWhole) peer.hasTo = Math.max(peer.hasTo, link.storedTo)
    peer.onSign()
  }

  #onCandidate(candidate: LivingNode): void {
    const { node } = candidate
    this.#searched = undefined
    if (node === this.#self || this.#counts(node)) return
    const { record } = this.seen
    if (record.members.length >= record.replicas) {
      this.#effects.push({ kind: 'dismiss', node, epoch: record.epoch })
      return
    }
    const peer = this.#peer(node)
    if (this.#candidate !== undefined || !peer.hasSession) return
    this.#candidate = candidate
    this.#synchronise(peer)
  }

  #synchronise(peer: Peer): void {
    const { node } = peer
    this.#lastLink += 1
    const name = { from: this.#self, reign: this.#reign, link: this.#lastLink }
    peer.link = new BackupLink(name, this.#commits.last)
    const isMember = this.#standing.members().has(node) && this.#bug !== 'tear-synchronisation'
    const how = isMember ? 'at-once' : 'bit-by-bit'
    this.#effects.push({ kind: 'synchronise', node, name, how })
  }

  /** Whether it must have what is acknowledged. */
  #counts(node: NodeId): boolean {
    if (this.#standing.members().has(node)) return true
    // It may be added from here on.
    if (this.#bug === 'count-additions-late' || this.#candidate?.node !== node) return false
    return this.#peers.get(node)?.link?.isWhole === true
  }

  /** A lease, and a record that was read under it. */
  get #isSure(): boolean {
    if (this.#key === undefined) return false
    return this.#bug === 'trust-the-old-record' || this.seen.at >= this.#key
  }

  #goOn(): void {
    if (this.#isOver) return
    if (this.#candidate !== undefined && this.seen.record.members.includes(this.#candidate.node)) {
      this.#candidate = undefined
    }
    this.#change()
    this.#lookAtPeers()
    this.#serve()
    this.#acknowledge()
    this.#search()
  }

  #change(): void {
    if (this.#key === undefined || !this.#isSure || !this.#standing.isFree) return
    if (this.#refused?.key === this.#key && this.#refused.modified === this.seen.modified) return
    const what = this.#nextChange({ node: this.#self, key: this.#key })
    if (what !== undefined)
      this.#effects.push({ kind: 'propose', change: this.#standing.propose(what), what })
  }

  #nextChange(self: LivingNode): GroupChange | undefined {
    const { seen } = this
    const silent = seen.record.members.filter((node) => this.#peers.get(node)?.isSilent === true)
    if (silent.length > 0) return removal(seen, self, new Set(silent))
    if (this.#candidate !== undefined && this.#hasCaughtUp(this.#candidate.node)) {
      return addition(seen, self, this.#candidate)
    }
    return this.#standing.isInDoubt ? removal(seen, self, new Set()) : undefined
  }

  #hasCaughtUp(node: NodeId): boolean {
    const { record } = this.seen
    const peer = this.#peers.get(node)
    if (peer?.link?.isWhole !== true || record.members.length >= record.replicas) return false
    return peer.hasTo >= this.#commits.overTo || this.#bug === 'add-those-behind'
  }

  #lookAtPeers(): void {
    // Members with which there never was a session are silent as well.
    for (const node of this.#standing.members()) if (node !== this.#self) this.#peer(node)
    for (const peer of this.#peers.values()) {
      const { node } = peer
      if (this.#candidate?.node === node && peer.isSilent) this.#candidate = undefined
      const isWanted = this.#counts(node) || this.#candidate?.node === node
      if (isWanted && peer.hasSession && peer.link === undefined) this.#synchronise(peer)
      if (!isWanted) this.#letGo(peer)
      if (peer.watch(this.#owes(peer))) this.#effects.push({ kind: 'set-alarm', node })
      if (!isWanted && !peer.hasSession) this.#peers.delete(node)
    }
  }

  #letGo(peer: Peer): void {
    if (peer.link !== undefined) {
      this.#effects.push({ kind: 'end-link', node: peer.node, name: peer.link.name })
    }
    peer.letGo()
  }

  #owes(peer: Peer): boolean {
    return peer.link === undefined ? this.#counts(peer.node) : peer.link.owes
  }

  #serve(): void {
    const hasBegun = this.#bug === 'serve-at-once' || this.#everywhereTo() >= 0
    const serves = this.#isSure && hasBegun
    if (serves === this.#isServing) return
    this.#isServing = serves
    this.#effects.push({ kind: serves ? 'serve' : 'stop-serving' })
  }

  /** All commits up to this one are durable here, and at all that count. */
  #everywhereTo(): number {
    let to = this.#commits.durableTo
    if (this.#bug === 'acknowledge-before-backups') return to
    for (const { node, hasTo, isSilent } of this.#peers.values()) {
      if (isSilent && this.#bug === 'count-removals-early') continue
      if (this.#counts(node)) to = Math.min(to, hasTo)
    }
    return to
  }

  #acknowledge(): void {
    if (!this.#isServing) return
    this.#effects.push(...this.#commits.end(this.#everywhereTo()))
    let over = this.#commits.overTo
    for (const { link } of this.#peers.values()) if (link !== undefined) over = Math.min(over, link.storedTo)
    if (this.#commits.forget(over)) this.#effects.push({ kind: 'forget', commit: over })
  }

  #search(): void {
    const { replicas } = this.seen.record
    const members = this.#standing.members()
    const isMissing = this.#isSure && this.#candidate === undefined && members.size < replicas
    if (!isMissing) {
      if (this.#searched !== undefined) this.#effects.push({ kind: 'end-search' })
      this.#searched = undefined
      return
    }
    const searched = this.#searched
    if (searched?.size === members.size && [...members].every((node) => searched.has(node))) return
    this.#searched = members
    this.#effects.push({ kind: 'find-candidate', except: [...members] })
  }
}
