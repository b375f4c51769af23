import type { Address } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { groupCommitsOpenMax, groupSilenceMs } from '../../membership/home-group/group-limits.js'
import type { GroupBug } from '../../membership/home-group/group-bug.js'
import type { GroupChange, LivingNode } from '../../membership/home-group/group-change.js'
import type { SeenRecord } from '../../membership/home-group/group-record.js'
import { isSameLink } from '../../membership/home-group/link-name.js'
import type { LinkName } from '../../membership/home-group/link-name.js'
import { Primary } from '../../membership/home-group/primary.js'
import type { ChangeOutcome, PrimaryEffect, PrimaryEvent } from '../../membership/home-group/primary-terms.js'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { SpaceId } from '../../store/space.js'
import type { CommitDone } from '../../store/store.js'
import type { GroupLink, GroupMessage } from '../../wire/group-message.js'
import type { RestoreProgress } from '../../wire/message.js'
import type { ByteRate } from '../byte-rate.js'
import type { OwnRecords } from '../home/region-log.js'
import { differences, missingPages, regionOf } from './comparison.js'
import type { CopyReader } from './comparison.js'
import type { GroupCopies } from './group-copies.js'
import { changeOf, partsOf } from './group-step.js'
import type { GroupStep } from './group-step.js'
import { Synchronisation } from './synchronisation.js'

export interface LedGroupOptions {
  readonly self: NodeId
  readonly group: string
  /** By which this node is the primary, in a reign that it has just begun. */
  readonly seen: SeenRecord
  readonly clock: Clock
  readonly logger: Logger
  readonly reader: CopyReader
  /** Of what nodes are sent that are no members yet. */
  readonly rate: ByteRate
  readonly copies: GroupCopies
  readonly bug?: GroupBug | undefined
  /** Tells of a lease that is past, before anything else happens. */
  readonly look: () => void
  /** Nothing is sent where there is no session. */
  readonly send: (node: NodeId, body: GroupMessage, pages?: readonly Uint8Array[]) => void
  /** Resolves when more can be sent to the node; rejects where there is no session. */
  readonly whenWritable: (node: NodeId) => Promise<void>
  readonly propose: (change: GroupChange) => Promise<ChangeOutcome>
  /** Again and again until it succeeds. Never rejects. */
  readonly readRecord: () => Promise<SeenRecord>
  /** Before a copy of a node is thrown away: what it alone may have is got from it. Answers whether it is of no more use. Never rejects. */
  readonly exhaust: (node: NodeId) => Promise<boolean>
  readonly findCandidate: (except: readonly NodeId[]) => Promise<LivingNode | undefined>
  /** When the key of a node that lives was put. */
  readonly keyOf: (node: NodeId) => number | undefined
  readonly serving: (isServing: boolean) => void
  /** This node leads the group no more, or not in this reign: another one does, or its disk has refused what its backups may have. */
  readonly ended: (reason: KhazanaError) => void
  /** Commits are needed no more: there is room for others. */
  readonly forgotten: () => void
}

/** Between two searches for a node that could be a member. */
const searchPauseMs = 200
/** Who waits for its turn longer than this says meanwhile that it is not the other's fault: shorter than `groupSilenceMs`. */
const signMs = 500

/** A home group at its primary: performs what `Primary` decides. */
export class LedGroup {
  readonly #options: LedGroupOptions
  readonly #primary: Primary
  /** What commits are, until they are over everywhere. */
  readonly #steps = new Map<number, readonly GroupStep[]>()
  /** Who waits for commits to be durable at all members. */
  readonly #waiting = new Map<number, CommitDone>()
  readonly #synchronisations = new Map<NodeId, Synchronisation>()
  readonly #alarms = new Map<NodeId, Timer>()
  /** Nodes that are about to hear that their copy is not needed. */
  readonly #dismissing = new Set<NodeId>()
  readonly #effects: PrimaryEffect[] = []
  #isPerforming = false
  #lastCommit = 0
  #forgottenTo = 0
  #search: object | undefined
  #isOver = false

  constructor(options: LedGroupOptions) {
    this.#options = options
    this.#primary = new Primary(options.self, options.seen, options.bug)
  }

  get isServing(): boolean {
    return this.#primary.isServing && !this.#isOver
  }

  /** Who is being brought up to date, and how far that is. */
  get restoring(): readonly RestoreProgress[] {
    return [...this.#synchronisations].flatMap(([node, one]) =>
      one.isWhole ? [] : [{ node, ...one.progress }],
    )
  }

  /** Whether a session with the node must be there. */
  needs(node: NodeId): boolean {
    return !this.#isOver && (this.#synchronisations.has(node) || this.seen.record.members.includes(node))
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get seen(): SeenRecord {
    return this.#primary.seen
  }

  /** All that was on this disk when the reign began is durable, with its new eras. */
  begin(): void {
    this.#step({ kind: 'durable', commit: 0 })
  }

  tell(event: Extract<PrimaryEvent, { kind: 'lease-held' | 'session-began' | 'session-lost' }>): void {
    this.#step(event)
  }

  /** As many commits are open as may be: `submit` comes when `forgotten` has been told. */
  get isFull(): boolean {
    return this.#lastCommit - this.#forgottenTo >= groupCommitsOpenMax
  }

  /**
   * Changes of regions that become durable as one, and records of this node alone that go with them. Calls `done` when they are at all members. `spaces`: where
   * regions that are new go here.
   */
  submit(
    steps: readonly GroupStep[],
    spaces: ReadonlyMap<Address, SpaceId>,
    own: () => OwnRecords,
    done: CommitDone,
  ): void {
    if (!this.#isOver) this.#options.look()
    if (this.#isOver) {
      done(notServed())
      return
    }
    const commit = this.#lastCommit + 1
    this.#lastCommit = commit
    this.#steps.set(commit, steps)
    this.#waiting.set(commit, done)
    this.#step({ kind: 'commit', commit })
    if (!this.#steps.has(commit)) return
    const { copies, ended } = this.#options
    const onDisk: CommitDone = (failure) => {
      if (failure === undefined) this.#step({ kind: 'durable', commit })
      else if (!this.#isOver) ended(failure)
    }
    copies.submit(steps, onDisk, own, spaces)
  }

  /** Nothing more is told or sent. What is open may have happened, or not. Idempotent. */
  close(error: KhazanaError): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const alarm of this.#alarms.values()) alarm.cancel()
    this.#alarms.clear()
    this.#search = undefined
    for (const one of this.#synchronisations.values()) one.end()
    const doubt = new KhazanaError('outcome-unknown', `it may have happened: ${error.message}`, {
      cause: error,
    })
    for (const commit of [...this.#waiting.keys()]) this.#end(commit, doubt)
    this.#steps.clear()
    this.#options.forgotten()
  }

  onMessage(node: NodeId, message: GroupMessage): void {
    switch (message.kind) {
      case 'have':
        return this.#onHave(node, message)
      case 'taken':
        return this.#onTaken(node, message.name)
      case 'stored':
        return this.#step({ kind: 'stored', node, name: this.#nameOf(message.name), index: message.index })
      case 'other-reign':
        return this.#step({ kind: 'other-reign', reign: message.reign })
      case 'farewell':
        return this.#step({ kind: 'session-lost', node })
      case 'offer': {
        const key = this.#options.keyOf(node)
        if (key !== undefined) this.#step({ kind: 'candidate', candidate: { node, key } })
        return
      }
      // What only primaries say.
      case 'begin':
      case 'difference':
      case 'entry':
      case 'whole':
      case 'parted':
      case 'dismissed':
      case 'invite':
      // Of whoever has a copy, and answered before it comes here.
      case 'page-wanted':
      case 'page-given':
        return
      default:
        unreachable(message)
    }
  }

  #nameOf({ reign, link }: { readonly reign: number; readonly link: number }): LinkName {
    return { from: this.#options.self, reign, link }
  }

  #onHave(node: NodeId, { name, regions, isLast }: Extract<GroupMessage, { kind: 'have' }>): void {
    const known = this.#synchronisations.get(node)
    const link = this.#nameOf(name)
    if (known === undefined || !isSameLink(known.name, link)) return
    known.stamps.add(regions)
    this.#step({ kind: 'heard', node, name: link })
    if (isLast) void this.#compare(node, known)
  }

  #onTaken(node: NodeId, name: GroupLink): void {
    const known = this.#synchronisations.get(node)
    if (known === undefined || !isSameLink(known.name, this.#nameOf(name))) return
    known.onTaken()
    this.#sign(node, known)
  }

  /**
   * The node is not silent. Of a member that does not count: while it lacks much nothing is acknowledged, so that it is better removed, and
   * comes back as one that is no member.
   */
  #sign(node: NodeId, { how, name }: Synchronisation): void {
    if (how === 'bit-by-bit') this.#step({ kind: 'heard', node, name })
  }

  /** Never rejects. */
  async #compare(node: NodeId, synchronisation: Synchronisation): Promise<void> {
    const { copies, reader, send, whenWritable, logger, group } = this.#options
    const { name, stamps } = synchronisation
    let lostPages = 0
    const isCurrent = (): boolean => !this.#isOver && this.#synchronisations.get(node) === synchronisation
    const asks = (): void => {
      if (isCurrent()) this.#sign(node, synchronisation)
    }
    try {
      // What is compared includes all that was committed before the link began.
      await copies.commit([])
      synchronisation.expect(missingPages(copies, reader, stamps))
      for await (const step of differences(copies, reader, stamps, asks)) {
        await this.#whenItsTurn(node, synchronisation, step)
        await synchronisation.whenRoom()
        if (!isCurrent()) break
        synchronisation.onSent(step)
        lostPages += step.lost.length
        send(node, { kind: 'difference', name, change: changeOf(step) }, bytesOf(step))
        await whenWritable(node)
      }
      if (isCurrent()) this.#step({ kind: 'compared', node, name })
    } catch (reason) {
      // The session is lost, which is told by itself; or the store has failed, or the node is closed.
      const { code, message } = KhazanaError.from(reason)
      if (isCurrent())
        logger.log('warn', 'a member of a home group was not brought up to date', {
          node,
          code,
          reason: message,
        })
    }
    if (lostPages > 0) {
      const what = 'pages of a home group that nobody can give went to a member as damaged'
      logger.log('error', what, { group, node, pages: lostPages })
    }
  }

  /**
   * Damage is known here once all members have told what they have, as what differs is read; a copy that may have what is damaged is not thrown away before. The node
   * offers it again until it hears something. Never rejects.
   */
  async #dismiss(node: NodeId, epoch: number): Promise<void> {
    const isServing = (): boolean => this.isServing
    if (!isServing() || this.#dismissing.has(node)) return
    this.#dismissing.add(node)
    const isOfNoUse = await this.#options.exhaust(node)
    this.#dismissing.delete(node)
    const { reign, epoch: now } = this.seen.record
    if (!isOfNoUse || !isServing() || now !== epoch) return
    this.#options.send(node, { kind: 'dismissed', reign, epoch })
  }

  /** A member that is behind holds up all that is acknowledged: it is not made to wait. */
  async #whenItsTurn(node: NodeId, synchronisation: Synchronisation, { pages }: GroupStep): Promise<void> {
    if (synchronisation.how === 'at-once') return
    const { clock, rate } = this.#options
    const bytes = pages.reduce((sum, page) => sum + page.bytes.length, 0)
    const turn = clock.now() + rate.reserve(bytes)
    for (let left = turn - clock.now(); left > 0; left = turn - clock.now()) {
      await new Promise<void>((resolve) => clock.after(Math.min(left, signMs), resolve))
      if (this.#synchronisations.get(node) !== synchronisation || this.#isOver) return
      this.#sign(node, synchronisation)
    }
  }

  /** That the lease is past comes before anything else that happens. */
  #step(event: PrimaryEvent): void {
    this.#options.look()
    if (this.#isOver) return
    this.#effects.push(...this.#primary.step(event))
    if (this.#isPerforming) return
    this.#isPerforming = true
    try {
      for (let next = this.#effects.shift(); next !== undefined; next = this.#effects.shift()) {
        this.#perform(next)
      }
    } finally {
      this.#isPerforming = false
    }
  }

  #perform(effect: PrimaryEffect): void {
    if (this.#isOver) return
    const { send, serving, ended } = this.#options
    switch (effect.kind) {
      case 'serve':
        return serving(true)
      case 'stop-serving':
        return serving(false)
      case 'deposed':
        return ended(new KhazanaError('unreachable', 'the home group has another primary'))
      case 'refuse':
        return this.#refuse(effect.commit, effect.why)
      case 'acknowledge':
        return this.#end(effect.commit, undefined)
      case 'fail':
        // Nothing that the own disk refuses is told to the machine: the reign is over then.
        return this.#end(effect.commit, new KhazanaError('internal', 'a commit of a home group was refused'))
      case 'forget':
        return this.#forget(effect.commit)
      case 'synchronise':
        this.#synchronisations.get(effect.node)?.end()
        this.#synchronisations.set(effect.node, new Synchronisation(effect.name, effect.how))
        return send(effect.node, { kind: 'begin', name: effect.name, how: effect.how })
      case 'send':
        return this.#send(effect)
      case 'send-whole':
        this.#onWhole(effect.node)
        return send(effect.node, { kind: 'whole', name: effect.name, index: effect.index })
      case 'end-link':
        this.#synchronisations.get(effect.node)?.end()
        this.#synchronisations.delete(effect.node)
        return send(effect.node, { kind: 'parted', name: effect.name })
      case 'propose':
        return void this.#propose(effect.change, effect.what)
      case 'read-record':
        return void this.#read()
      case 'set-alarm':
        return this.#setAlarm(effect.node)
      case 'find-candidate':
        return void this.#find(effect.except)
      case 'end-search':
        this.#search = undefined
        return
      case 'dismiss':
        return void this.#dismiss(effect.node, effect.epoch)
      default:
        unreachable(effect)
    }
  }

  /** In order, as they were made. */
  #forget(to: number): void {
    this.#forgottenTo = to
    for (const commit of this.#steps.keys()) {
      if (commit > to) break
      this.#steps.delete(commit)
    }
    this.#options.forgotten()
  }

  /** Its number is the next one's. */
  #refuse(commit: number, why: 'busy' | 'not-serving'): void {
    this.#steps.delete(commit)
    this.#lastCommit = commit - 1
    this.#end(
      commit,
      why === 'busy'
        ? new KhazanaError('busy', 'too many commits of the home group are under way: try again')
        : notServed(),
    )
  }

  #end(commit: number, failure: KhazanaError | undefined): void {
    const done = this.#waiting.get(commit)
    this.#waiting.delete(commit)
    done?.(failure)
  }

  #send({ node, name, index, commit }: Extract<PrimaryEffect, { kind: 'send' }>): void {
    const steps = this.#steps.get(commit)
    steps?.forEach((step, at) => {
      for (const { part, isLast: isEnd } of partsOf(this.#completed(step, node))) {
        const isLast = isEnd && at === steps.length - 1
        const entry = { kind: 'entry', name, index, change: changeOf(part), isLast } as const
        this.#options.send(node, entry, bytesOf(part))
      }
    })
  }

  #onWhole(node: NodeId): void {
    const synchronisation = this.#synchronisations.get(node)
    if (synchronisation !== undefined) synchronisation.isWhole = true
  }

  /** With the region's record, where that may not be there yet. */
  #completed(step: GroupStep, node: NodeId): GroupStep {
    if (step.region !== undefined || step.isEnd || this.#synchronisations.get(node)?.isWhole === true)
      return step
    const record = this.#options.copies.get(step.address)
    return record === undefined ? step : { ...step, region: regionOf(record) }
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

  #setAlarm(node: NodeId): void {
    this.#alarms.get(node)?.cancel()
    const alarm = this.#options.clock.after(groupSilenceMs, () => {
      this.#step({ kind: 'silence', node })
    })
    this.#alarms.set(node, alarm)
  }

  /** Never rejects. */
  async #find(except: readonly NodeId[]): Promise<void> {
    const search = {}
    this.#search = search
    const { clock, findCandidate } = this.#options
    const isOn = (): boolean => this.#search === search && !this.#isOver
    while (isOn()) {
      const candidate = await findCandidate(except)
      if (!isOn()) return
      if (candidate !== undefined) {
        this.#search = undefined
        this.#step({ kind: 'candidate', candidate })
        return
      }
      await new Promise<void>((resolve) => clock.after(searchPauseMs, resolve))
    }
  }
}

function bytesOf({ pages }: GroupStep): Uint8Array[] {
  return pages.map(({ bytes }) => bytes)
}

function notServed(): KhazanaError {
  return new KhazanaError('unreachable', 'the home group of the region is not served here at the moment')
}
