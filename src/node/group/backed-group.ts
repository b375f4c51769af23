import type { Address } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import { Backup } from '../../membership/home-group/backup.js'
import type { BackupEffect, BackupEvent } from '../../membership/home-group/backup-terms.js'
import type { GroupBug } from '../../membership/home-group/group-bug.js'
import type { GroupChange } from '../../membership/home-group/group-change.js'
import { groupTakeoverPauseMs } from '../../membership/home-group/group-limits.js'
import type { SeenRecord } from '../../membership/home-group/group-record.js'
import { isSameLink } from '../../membership/home-group/link-name.js'
import type { LinkName } from '../../membership/home-group/link-name.js'
import type { ChangeOutcome } from '../../membership/home-group/primary-terms.js'
import { TouchedPages } from '../../membership/home-group/touched-pages.js'
import { unreachable } from '../../stdx/assert.js'
import type { KhazanaError } from '../../stdx/errors.js'
import type { GroupMessage, GroupRegionStamps } from '../../wire/group-message.js'
import { groupRegionsMax } from '../../wire/limits.js'
import type { GroupCopies } from './group-copies.js'
import { stepOf } from './group-step.js'
import type { GroupStep } from './group-step.js'
import { HeldChanges } from './held-changes.js'

export interface BackedGroupOptions {
  readonly self: NodeId
  readonly group: string
  /** Read since this node was started. */
  readonly seen: SeenRecord
  readonly clock: Clock
  readonly copies: GroupCopies
  readonly bug?: GroupBug | undefined
  /** Tells of a lease that is past, before anything else happens. */
  readonly look: () => void
  /** Nothing is sent where there is no session. */
  readonly send: (node: NodeId, body: GroupMessage) => void
  readonly propose: (change: GroupChange) => Promise<ChangeOutcome>
  /** Again and again until it succeeds. Never rejects. */
  readonly readRecord: () => Promise<SeenRecord>
  /** All that the primary had is durable here. */
  readonly upToDate: () => void
  /** This node is the primary now, in a reign of its own. */
  readonly becamePrimary: (seen: SeenRecord) => void
  /** The copy here is needed by nobody. */
  readonly discard: () => void
  /** The disk has refused something: what is here is behind, until it is read again. */
  readonly failed: (reason: KhazanaError) => void
}

/** What came last, for the effects that mean it. */
interface Arrived {
  readonly steps: readonly GroupStep[]
  readonly kind: 'entry' | 'difference'
  readonly name: LinkName
}

/** A home group at a node that is not its primary: performs what `Backup` decides. */
export class BackedGroup {
  readonly #options: BackedGroupOptions
  readonly #backup: Backup
  readonly #effects: BackupEffect[] = []
  #isPerforming = false
  #touched = new TouchedPages<string>()
  /** Regions that have ended since the comparison began, whatever began there since. */
  #ended = new Set<Address>()
  /** Of a commit that comes in parts. */
  #parts: GroupStep[] = []
  #held = new HeldChanges()
  #arrived: Arrived | undefined
  #alarm: Timer | undefined
  #telling: LinkName | undefined
  /** The entry of the open link that says that all has been compared. */
  #wholeIndex = Infinity
  #isOver = false

  constructor(options: BackedGroupOptions) {
    this.#options = options
    this.#backup = new Backup(options.self, options.seen, options.bug)
  }

  get seen(): SeenRecord {
    return this.#backup.seen
  }

  get isLinked(): boolean {
    return this.#backup.isLinked
  }

  tell(
    event: Extract<BackupEvent, { kind: 'lease-held' | 'lease-lapsed' | 'session-lost' | 'record' | 'gone' }>,
  ): void {
    this.#step(event)
  }

  close(): void {
    this.#isOver = true
    this.#alarm?.cancel()
  }

  /** Throws `protocol-error`. */
  onMessage(from: NodeId, message: GroupMessage, payloads: readonly Uint8Array[]): void {
    switch (message.kind) {
      case 'begin':
        return this.#step({ kind: 'begin', name: { from, ...message.name }, how: message.how })
      case 'difference':
        return this.#onDifference({ from, ...message.name }, stepOf(message.change, payloads))
      case 'entry':
        this.#parts.push(stepOf(message.change, payloads))
        if (!message.isLast) return
        this.#arrived = { steps: this.#parts, kind: 'entry', name: { from, ...message.name } }
        this.#parts = []
        return this.#step({ kind: 'entry', name: { from, ...message.name }, index: message.index })
      case 'whole':
        if (this.#telling !== undefined && isSameLink(this.#telling, { from, ...message.name }))
          this.#wholeIndex = message.index
        return this.#step({ kind: 'whole', name: { from, ...message.name }, index: message.index })
      case 'dismissed':
        return this.#step({ kind: 'dismissed', reign: message.reign, epoch: message.epoch })
      case 'parted':
        return this.#step({ kind: 'parted', name: { from, ...message.name } })
      // What only backups say.
      case 'have':
      case 'taken':
      case 'stored':
      case 'other-reign':
      case 'offer':
      case 'invite':
      case 'farewell':
      // Of whoever has a copy, and answered before it comes here.
      case 'page-wanted':
      case 'page-given':
        return
      default:
        unreachable(message)
    }
  }

  #onDifference(name: LinkName, step: GroupStep): void {
    this.#arrived = { steps: [step], kind: 'difference', name }
    this.#step({ kind: 'difference', name })
  }

  /** That the lease is past comes before anything else that happens. */
  #step(event: BackupEvent): void {
    if (!this.#isOver) this.#options.look()
    if (this.#isOver) return
    this.#effects.push(...this.#backup.step(event))
    if (this.#isPerforming) return
    this.#isPerforming = true
    try {
      for (let next = this.#effects.shift(); next !== undefined; next = this.#effects.shift())
        this.#perform(next)
    } finally {
      this.#isPerforming = false
    }
  }

  #perform(effect: BackupEffect): void {
    const { send, becamePrimary, discard, clock } = this.#options
    switch (effect.kind) {
      case 'open':
        this.#touched = new TouchedPages(this.#options.bug)
        this.#ended = new Set()
        this.#parts = []
        this.#held = new HeldChanges()
        this.#wholeIndex = Infinity
        return void this.#tellWhatIsHere(effect.name)
      case 'store':
        return this.#storeArrived()
      case 'hold':
        return this.#holdArrived()
      case 'store-held':
        this.#store([...this.#held.all()], () => {
          this.#onDurable(effect)
        })
        this.#held = new HeldChanges()
        return
      case 'flush':
        return this.#store([], () => {
          this.#onDurable(effect)
        })
      case 'drop-held':
        this.#held = new HeldChanges()
        return
      case 'acknowledge':
        return send(effect.name.from, { kind: 'stored', name: effect.name, index: effect.index })
      case 'refuse':
        return send(effect.to, { kind: 'other-reign', reign: effect.reign })
      case 'propose':
        return void this.#propose(effect.change, effect.what)
      case 'read-record':
        return void this.#read()
      case 'set-alarm':
        this.#alarm?.cancel()
        this.#alarm = clock.after(effect.pauses * groupTakeoverPauseMs, () => {
          this.#step({ kind: 'alarm' })
        })
        return
      case 'clear-alarm':
        this.#alarm?.cancel()
        return
      case 'become-primary':
        this.close()
        return becamePrimary(effect.seen)
      case 'discard':
        this.close()
        return discard()
      default:
        unreachable(effect)
    }
  }

  /** With all that was handed to the disk before. Never rejects. */
  async #tellWhatIsHere(name: LinkName): Promise<void> {
    const { copies, send, look } = this.#options
    this.#telling = name
    try {
      await copies.commit([])
    } catch {
      // Whoever handed it what it refused hears of it.
      return
    }
    look()
    if (this.#isOver || this.#telling !== name) return
    let regions: GroupRegionStamps[] = []
    for (const stamps of copies.stamps()) {
      regions.push(stamps)
      const isFull = regions.length >= groupRegionsMax || stamps.pages.length > 0
      if (!isFull) continue
      send(name.from, { kind: 'have', name, regions, isLast: false })
      regions = []
    }
    send(name.from, { kind: 'have', name, regions, isLast: true })
  }

  /** What just came, without what a commit has touched since the comparison began. */
  #takeArrived(): readonly GroupStep[] {
    const arrived = this.#arrived
    this.#arrived = undefined
    if (arrived === undefined) return []
    const { steps, kind } = arrived
    if (kind === 'difference') return steps.flatMap((step) => this.#untouched(step))
    for (const step of steps) this.#touch(step)
    return steps
  }

  #storeArrived(): void {
    const arrived = this.#arrived
    const steps = this.#takeArrived()
    if (arrived?.kind === 'difference') {
      this.#store(steps, () => {
        this.#options.send(arrived.name.from, { kind: 'taken', name: arrived.name })
      })
    } else this.#store(steps)
  }

  #holdArrived(): void {
    const arrived = this.#arrived
    for (const step of this.#takeArrived()) this.#held.add(step)
    if (arrived?.kind === 'difference')
      this.#options.send(arrived.name.from, { kind: 'taken', name: arrived.name })
  }

  #touch({ address, region, isEnd, frees, pages, lost }: GroupStep): void {
    if (isEnd) this.#ended.add(address)
    if (region !== undefined || isEnd) this.#touched.touch(`${address}`)
    for (const { first, count } of frees) {
      for (let page = first; page < first + count; page++) this.#touched.touch(`${address}/${page}`)
    }
    for (const { page } of [...pages, ...lost]) this.#touched.touch(`${address}/${page}`)
  }

  #untouched({ address, region, isEnd, frees, pages, lost }: GroupStep): readonly GroupStep[] {
    // What is there now came by commits alone.
    if (this.#ended.has(address)) return []
    const takes = (page: number): boolean => this.#touched.takes(`${address}/${page}`)
    const left = {
      frees: frees.filter(({ first }) => takes(first)),
      pages: pages.filter(({ page }) => takes(page)),
      lost: lost.filter(({ page }) => takes(page)),
    }
    if (this.#touched.takes(`${address}`)) return [{ address, region, isEnd, ...left }]
    // It began, or changed, meanwhile. What there is of its pages holds all the same.
    if (isEnd) return []
    return [{ address, region: undefined, isEnd: false, ...left }]
  }

  #onDurable({ name, index }: { readonly name: LinkName; readonly index: number }): void {
    if (index >= this.#wholeIndex && this.#telling !== undefined && isSameLink(this.#telling, name))
      this.#options.upToDate()
    this.#step({ kind: 'durable', name, index })
  }

  #store(steps: readonly GroupStep[], then?: () => void): void {
    const { copies, failed } = this.#options
    copies.submit(steps, (failure) => {
      if (this.#isOver) return
      // What a full disk refuses leaves this copy behind: nothing is acknowledged any more, and the primary does without it.
      if (failure !== undefined) failed(failure)
      else then?.()
    })
  }

  /** Never rejects. */
  async #propose(change: number, what: GroupChange): Promise<void> {
    const outcome = await this.#options.propose(what)
    this.#step({ kind: 'outcome', change, outcome })
  }

  /** Never rejects. */
  async #read(): Promise<void> {
    this.#step({ kind: 'record', seen: await this.#options.readRecord() })
  }
}
