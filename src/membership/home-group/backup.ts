import type { NodeId } from '../../address/identity.js'
import { unreachable } from '../../stdx/assert.js'
import type { BackupEffect, BackupEvent } from './backup-terms.js'
import type { GroupBug } from './group-bug.js'
import { renewal, takeover } from './group-change.js'
import type { GroupChange, LivingNode } from './group-change.js'
import { primaryOf } from './group-record.js'
import type { GroupRecord, SeenRecord } from './group-record.js'
import { isSameLink } from './link-name.js'
import type { LinkName } from './link-name.js'
import type { ChangeOutcome, SyncMode } from './primary-terms.js'
import { Standing } from './standing.js'

interface OpenLink {
  readonly name: LinkName
  readonly how: SyncMode
  isWhole: boolean
}

/**
 * One home group at a node that is not its primary: a member, one that will be, or one that was. What must hold:
 *
 * - What a primary sends is taken while no later reign is known here. So a record must have been read since this node was started,
 *   before anything is taken.
 * - What is acknowledged is durable.
 * - At every moment the disk of a member holds a state that the group was in, with all that was acknowledged, or will turn out not to have been: what a
 *   synchronisation brings to a member is put there as one.
 * - It takes over by changing the record that it is a member of, which nobody has changed. Whether it may be is decided there, not here.
 *
 * A primary that was started again begins as one of these: what it had sent and not made durable is lost, so it begins a new reign.
 *
 * A pure state machine: `step` says what to do. It is over with `become-primary` or `discard`.
 */
export class Backup {
  readonly #self: NodeId
  readonly #bug: GroupBug | undefined
  readonly #standing: Standing
  #key: number | undefined
  #gone: ReadonlySet<NodeId> = new Set()
  #link: OpenLink | undefined
  /** The latest that a primary spoke of; the record here may be older. */
  #reign: number
  /** The place in the order of those that live for which it waits, or has waited. */
  #place: number | undefined
  #hasWaited = false
  #hasAlarm = false
  #dismissed: number | undefined
  /** What was asked for in this run, by its reign: a record of it makes this node the primary. */
  readonly #asked = new Set<number>()
  #isOver = false
  #effects: BackupEffect[] = []

  /** `seen`: read since this node was started. */
  constructor(self: NodeId, seen: SeenRecord, bug?: GroupBug) {
    this.#self = self
    this.#bug = bug
    this.#standing = new Standing(seen, bug)
    this.#reign = seen.record.reign
  }

  /** The newest record that is known. */
  get seen(): SeenRecord {
    return this.#standing.seen
  }

  /** Whether a primary has begun to bring it up to date, and can be heard. */
  get isLinked(): boolean {
    return this.#link !== undefined
  }

  step(event: BackupEvent): readonly BackupEffect[] {
    if (this.#isOver) return []
    this.#effects = []
    this.#on(event)
    this.#goOn()
    return this.#effects
  }

  #on(event: BackupEvent): void {
    switch (event.kind) {
      case 'lease-held':
        this.#key = event.key
        return
      case 'lease-lapsed':
        this.#key = undefined
        return
      case 'record':
        this.#onRecord(event.seen)
        return
      case 'outcome':
        this.#onOutcome(event.change, event.outcome)
        return
      case 'gone':
        this.#gone = new Set(event.nodes)
        return
      case 'begin':
        this.#onBegin(event.name, event.how)
        return
      case 'difference':
      case 'entry':
        this.#onContent(event)
        return
      case 'whole':
        this.#onWhole(event.name, event.index)
        return
      case 'durable':
        if (this.#bug === 'acknowledge-before-durable' || !this.#isOpen(event.name)) return
        this.#effects.push({ kind: 'acknowledge', name: event.name, index: event.index })
        return
      case 'session-lost':
        if (this.#link?.name.from === event.node) this.#endLink()
        return
      case 'parted':
        if (this.#isOpen(event.name)) this.#endLink()
        return
      case 'alarm':
        this.#hasAlarm = false
        this.#hasWaited = true
        return
      case 'dismissed':
        this.#onDismissed(event.reign, event.epoch)
        return
      default:
        unreachable(event)
    }
  }

  #onDismissed(reign: number, epoch: number): void {
    if (!this.#isCurrent(reign)) return
    this.#dismissed = epoch
    if (this.seen.record.epoch < epoch) this.#want(this.seen.at + 1)
  }

  #onRecord(seen: SeenRecord): void {
    const isNews = this.#standing.onRecord(seen)
    if (this.#standing.isWaiting) this.#effects.push({ kind: 'read-record' })
    if (!isNews) return
    this.#reign = Math.max(this.#reign, seen.record.reign)
    if (this.#link !== undefined && !this.#isCurrent(this.#link.name.reign)) this.#endLink()
  }

  #onOutcome(change: number, outcome: ChangeOutcome): void {
    this.#standing.onOutcome(change, outcome)
    if (outcome.kind === 'applied') this.#reign = Math.max(this.#reign, this.seen.record.reign)
    else this.#want(outcome.kind === 'refused' ? outcome.revision : this.seen.at)
    // Whatever stood in the way, it is not asked for again at once.
    if (outcome.kind !== 'applied') this.#wait(1)
  }

  #want(revision: number): void {
    if (this.#standing.want(revision)) this.#effects.push({ kind: 'read-record' })
  }

  /** Whether no later reign is known. */
  #isCurrent(reign: number): boolean {
    return reign >= this.#reign || this.#bug === 'ignore-the-reign'
  }

  #isOpen(name: LinkName): boolean {
    return this.#link !== undefined && isSameLink(this.#link.name, name)
  }

  #onBegin(name: LinkName, how: SyncMode): void {
    if (!this.#isCurrent(name.reign)) {
      this.#effects.push({ kind: 'refuse', to: name.from, reign: this.#reign })
      return
    }
    this.#endLink()
    this.#reign = Math.max(this.#reign, name.reign)
    this.#link = { name, how, isWhole: false }
    this.#effects.push({ kind: 'open', name, how })
  }

  #onContent(event: Extract<BackupEvent, { readonly kind: 'difference' | 'entry' }>): void {
    const link = this.#link
    if (link === undefined || !this.#isOpen(event.name)) return
    const isHeld = link.how === 'at-once' && !link.isWhole
    this.#effects.push({ kind: isHeld ? 'hold' : 'store' })
    if (event.kind === 'entry' && !isHeld) this.#flush(event.name, event.index)
  }

  #onWhole(name: LinkName, index: number): void {
    const link = this.#link
    if (link === undefined || !this.#isOpen(name)) return
    link.isWhole = true
    if (link.how === 'at-once') this.#effects.push({ kind: 'store-held', name, index })
    else this.#flush(name, index)
    if (link.how === 'at-once') this.#acknowledgeEarly(name, index)
  }

  #flush(name: LinkName, index: number): void {
    this.#effects.push({ kind: 'flush', name, index })
    this.#acknowledgeEarly(name, index)
  }

  #acknowledgeEarly(name: LinkName, index: number): void {
    if (this.#bug === 'acknowledge-before-durable') this.#effects.push({ kind: 'acknowledge', name, index })
  }

  #endLink(): void {
    if (this.#link?.how === 'at-once' && !this.#link.isWhole) this.#effects.push({ kind: 'drop-held' })
    this.#link = undefined
  }

  #goOn(): void {
    if (this.#isOver) return
    const { record } = this.seen
    if (primaryOf(record) === this.#self && this.#isOwnReign(record)) {
      this.#endLink()
      this.#end({ kind: 'become-primary', seen: this.seen })
      return
    }
    if (this.#mayDiscard(record)) {
      this.#endLink()
      this.#end({ kind: 'discard' })
      return
    }
    this.#takeOver(record)
  }

  /** A record of this reign was asked for by this run of the node. */
  #isOwnReign(record: GroupRecord): boolean {
    return this.#asked.has(record.reign) || this.#bug === 'resume-the-reign'
  }

  #end(effect: BackupEffect): void {
    this.#isOver = true
    this.#clearAlarm()
    this.#effects.push(effect)
  }

  /** By the word of a primary of no earlier reign, and by a record that is no older. */
  #mayDiscard(record: GroupRecord): boolean {
    if (this.#dismissed === undefined || record.epoch < this.#dismissed) return false
    const isMember = this.#standing.members().has(this.#self)
    this.#dismissed = undefined
    return !isMember
  }

  #takeOver(record: GroupRecord): void {
    const place = this.#placeIn(record)
    if (place === undefined) {
      this.#rest()
      return
    }
    if (this.#place === undefined || place < this.#place) {
      this.#hasWaited = place === 0
      this.#place = place
      if (place === 0) this.#clearAlarm()
      else this.#setAlarm(place)
    }
    if (!this.#hasWaited || this.#key === undefined || !this.#standing.isFree) return
    const what = this.#nextChange({ node: this.#self, key: this.#key })
    this.#asked.add(what.record.reign)
    this.#effects.push({ kind: 'propose', change: this.#standing.propose(what), what })
  }

  /** How many living members go before this one; undefined where nobody is to take over. */
  #placeIn({ members }: GroupRecord): number | undefined {
    const at = members.indexOf(this.#self)
    if (at === 0) return 0
    if (at < 0 || !this.#gone.has(members[0] as NodeId)) return undefined
    return members.slice(1, at).filter((node) => !this.#gone.has(node)).length
  }

  #nextChange(self: LivingNode): GroupChange {
    const { seen } = this
    return primaryOf(seen.record) === this.#self ? renewal(seen, self) : takeover(seen, self, this.#gone)
  }

  #rest(): void {
    this.#clearAlarm()
    this.#place = undefined
    this.#hasWaited = false
  }

  #wait(pauses: number): void {
    this.#hasWaited = false
    this.#place = 0
    this.#setAlarm(pauses)
  }

  #setAlarm(pauses: number): void {
    this.#hasAlarm = true
    this.#effects.push({ kind: 'set-alarm', pauses })
  }

  #clearAlarm(): void {
    if (this.#hasAlarm) this.#effects.push({ kind: 'clear-alarm' })
    this.#hasAlarm = false
  }
}
