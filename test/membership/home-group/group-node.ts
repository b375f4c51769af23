import type { NodeId } from '../../../src/address/identity.js'
import { Backup } from '../../../src/membership/home-group/backup.js'
import type { BackupEffect, BackupEvent } from '../../../src/membership/home-group/backup-terms.js'
import { nextEra, versionAfter } from '../../../src/membership/home-group/era.js'
import type { GroupBug } from '../../../src/membership/home-group/group-bug.js'
import type { GroupChange } from '../../../src/membership/home-group/group-change.js'
import { groupSilenceMs, groupTakeoverPauseMs } from '../../../src/membership/home-group/group-limits.js'
import { isSameLink } from '../../../src/membership/home-group/link-name.js'
import type { LinkName } from '../../../src/membership/home-group/link-name.js'
import { Primary } from '../../../src/membership/home-group/primary.js'
import type {
  ChangeOutcome,
  PrimaryEffect,
  PrimaryEvent,
} from '../../../src/membership/home-group/primary-terms.js'
import { TouchedPages } from '../../../src/membership/home-group/touched-pages.js'
import { clockDriftMax } from '../../../src/stdx/clock-drift.js'
import { assert, present, unreachable } from '../../../src/stdx/assert.js'
import type { Prng } from '../../../src/stdx/prng.js'
import { nameOf, wordsOfBatch, wordsOfMessage, wordsOfRecord } from './group-words.js'
import type { Granted, Snapshot } from './model-coordinator.js'
import { eraName } from './model-disk.js'
import type { Batch, ModelDisk, Page } from './model-disk.js'
import type { Host, Message } from './model-network.js'

/** The world of one process. Time is that of its own clock. */
export interface NodeSurroundings {
  readonly prng: Prng
  readonly bug: GroupBug | undefined
  /** Milliseconds of the own clock. */
  now(): number
  /** Not after a crash. */
  after(ms: number, run: () => void): void
  send(to: NodeId, message: Message): void
  /** Answers, sooner or later; undefined where there was none. */
  snapshot(answer: (snapshot: Snapshot | undefined) => void): void
  transact(change: GroupChange, answer: (outcome: ChangeOutcome) => void): void
  /** Undefined where there was no answer, or the own key was not last put at that revision. */
  grant(was: number | undefined, answer: (granted: Granted | undefined) => void): void
  keepAlive(lease: number, answer: (isAlive: boolean | undefined) => void): void
  onServe(reign: number): void
  onCommit(commit: number): void
  onOver(kind: 'acknowledge' | 'fail', reign: number, commit: number): void
  say(line: string): void
}

export const leaseMs = 5_000
const flushMsMax = 12
const againMs = 300
const pollMs = 3_000

/** One node, driven by the machines of a home group as a real one would be. */
export class GroupNode implements Host {
  readonly node: NodeId
  readonly disk: ModelDisk
  readonly #world: NodeSurroundings
  isUp = true
  stoppedUntil = 0
  #primary: Primary | undefined
  #backup: Backup | undefined
  readonly #sessions = new Set<NodeId>()
  #snapshot: Snapshot | undefined
  /** The lease, and until when it is valid by the own clock. */
  #lease: { readonly lease: number; readonly key: number; validUntil: number; isTold: boolean } | undefined
  readonly #alarms = new Map<NodeId | 'takeover', number>()
  #alarmSerial = 0
  // At a primary.
  #reign = 0
  #lastCommit = 0
  /** Commits that are on their way to the disk. */
  #writing: number[] = []
  readonly #payloads = new Map<number, Batch>()
  readonly #lastVersions = new Map<string, number>()
  readonly #links = new Map<NodeId, LinkName>()
  #wanted: readonly NodeId[] | undefined
  // At a backup.
  #touched = new TouchedPages<string>()
  #held = new Map<string, Page | undefined>()
  #incoming: Message | undefined
  #isFlushing = false

  constructor(node: NodeId, disk: ModelDisk, world: NodeSurroundings) {
    this.node = node
    this.disk = disk
    this.#world = world
  }

  start(): void {
    this.#obtain()
    this.#poll()
  }

  get isServing(): boolean {
    return this.isUp && this.#primary?.isServing === true
  }

  /** It has read the record since it was started. */
  get isReady(): boolean {
    return this.#snapshot !== undefined
  }

  get isPrimary(): boolean {
    return this.#primary !== undefined
  }

  get #name(): string {
    return nameOf(this.node)
  }

  // The lease.

  #obtain(): void {
    const again = (): void => this.#world.after(againMs, () => this.#obtain())
    this.#world.snapshot((snapshot) => {
      if (snapshot === undefined) {
        again()
        return
      }
      const askedAt = this.#world.now()
      this.#world.grant(snapshot.living.get(this.node), (granted) => {
        const validUntil = askedAt + leaseMs * (1 - clockDriftMax)
        if (granted === undefined || validUntil <= this.#world.now()) {
          again()
          return
        }
        this.#lease = { ...granted, validUntil, isTold: true }
        this.#tellLease({ kind: 'lease-held', key: granted.key })
        this.#watchLease()
        this.#keep()
      })
    })
  }

  #keep(): void {
    const lease = this.#lease
    if (lease === undefined) return
    this.#world.after(leaseMs / 3, () => {
      if (this.#lease !== lease) return
      const askedAt = this.#world.now()
      this.#world.keepAlive(lease.lease, (isAlive) => {
        if (this.#lease !== lease) return
        if (isAlive === false) {
          this.#lapse()
          this.#obtain()
          return
        }
        if (isAlive === true) {
          lease.validUntil = Math.max(lease.validUntil, askedAt + leaseMs * (1 - clockDriftMax))
          // It lives still, though it had run out by the own clock.
          if (!lease.isTold && lease.validUntil > this.#world.now()) {
            lease.isTold = true
            this.#tellLease({ kind: 'lease-held', key: lease.key })
            this.#watchLease()
          }
        }
        this.#keep()
      })
    })
  }

  #watchLease(): void {
    const lease = this.#lease
    if (lease?.isTold !== true) return
    this.#world.after(Math.max(0, lease.validUntil - this.#world.now()), () => {
      if (this.#lease !== lease || !lease.isTold) return
      this.look()
      this.#watchLease()
    })
  }

  /** Before anything else happens here: has the lease run out meanwhile? */
  look(): void {
    if (this.#lease?.isTold !== true || this.#world.now() < this.#lease.validUntil) return
    this.#lease.isTold = false
    this.#tellLease({ kind: 'lease-lapsed' })
  }

  #lapse(): void {
    const wasTold = this.#lease?.isTold === true
    this.#lease = undefined
    if (wasTold) this.#tellLease({ kind: 'lease-lapsed' })
  }

  #tellLease(
    event: { readonly kind: 'lease-held'; readonly key: number } | { readonly kind: 'lease-lapsed' },
  ): void {
    this.#tellPrimary(event)
    this.#tellBackup(event)
  }

  // What the coordinator has.

  /** Again and again, as a watch that has been lost would. */
  #poll(): void {
    this.#world.snapshot((snapshot) => {
      if (snapshot !== undefined) this.onSnapshot(snapshot)
      this.#world.after(this.#backup === undefined && this.#primary === undefined ? againMs : pollMs, () =>
        this.#poll(),
      )
    })
  }

  #read(): void {
    this.#world.snapshot((snapshot) => {
      if (snapshot === undefined) this.#world.after(againMs, () => this.#read())
      else this.onSnapshot(snapshot)
    })
  }

  onSnapshot(snapshot: Snapshot): void {
    if (this.#snapshot === undefined || snapshot.seen.at >= this.#snapshot.seen.at) this.#snapshot = snapshot
    if (this.#backup === undefined && this.#primary === undefined) {
      this.#becomeBackup(this.#snapshot)
      return
    }
    this.#tellPrimary({ kind: 'record', seen: snapshot.seen })
    this.#tellBackup({ kind: 'record', seen: snapshot.seen })
    this.#tellGone()
  }

  #tellGone(): void {
    const { seen, living } = present(this.#snapshot, 'a snapshot was taken')
    this.#tellBackup({ kind: 'gone', nodes: seen.record.members.filter((node) => !living.has(node)) })
  }

  // Roles.

  #becomeBackup({ seen }: Pick<Snapshot, 'seen'>): void {
    this.#primary = undefined
    this.#alarms.clear()
    this.#payloads.clear()
    this.#links.clear()
    this.#wanted = undefined
    this.#backup = new Backup(this.node, seen, this.#world.bug)
    if (this.#lease?.isTold === true) this.#tellBackup({ kind: 'lease-held', key: this.#lease.key })
    this.#tellGone()
  }

  #becomePrimary({ seen }: Pick<Snapshot, 'seen'>): void {
    const { bug } = this.#world
    this.#backup = undefined
    this.#alarms.clear()
    this.#reign = seen.record.reign
    this.#lastCommit = 0
    this.#writing = []
    this.#lastVersions.clear()
    this.#links.clear()
    this.#primary = new Primary(this.node, seen, bug)
    const version = nextEra(this.#era)
    const batch = new Map([[eraName, { version, value: String(version) }]])
    this.#write(batch, () => this.#tellPrimary({ kind: 'durable', commit: 0 }))
    if (this.#lease?.isTold === true) this.#tellPrimary({ kind: 'lease-held', key: this.#lease.key })
    for (const node of [...this.#sessions]) this.#tellPrimary({ kind: 'session-began', node })
  }

  get #era(): number {
    return this.disk.pages.get(eraName)?.version ?? 1
  }

  // Sessions.

  onSession(peer: NodeId, kind: 'session-began' | 'session-lost'): void {
    if (!this.isUp) return
    this.look()
    if (kind === 'session-began') this.#sessions.add(peer)
    else this.#sessions.delete(peer)
    this.#tellPrimary({ kind, node: peer })
    if (kind === 'session-lost') this.#tellBackup({ kind, node: peer })
    else if (this.#primary !== undefined && this.#world.prng.chance(0.1)) this.#offer(peer)
  }

  /** As its driver finds it, or as it has said that it has a copy. */
  #offer(node: NodeId): void {
    const key = this.#snapshot?.living.get(node)
    if (key !== undefined) this.#tellPrimary({ kind: 'candidate', candidate: { node, key } })
  }

  #findCandidate(): void {
    if (this.#wanted === undefined || this.#primary === undefined) return
    const except = this.#wanted
    const possible = [...this.#sessions].filter(
      (node) => !except.includes(node) && this.#snapshot?.living.has(node) === true,
    )
    if (possible.length > 0) {
      this.#wanted = undefined
      this.#offer(this.#world.prng.pick(possible))
      return
    }
    this.#world.after(againMs, () => this.#findCandidate())
  }

  // The primary.

  /** A user writes. False where that is not taken. */
  commit(writes: ReadonlyMap<string, string | undefined>): boolean {
    if (this.#primary === undefined || !this.isServing) return false
    const commit = this.#lastCommit + 1
    const batch = new Map<string, Page | undefined>()
    for (const [name, value] of writes) {
      const used = this.#world.bug === 'reuse-versions' ? 0 : (this.#lastVersions.get(name) ?? 0)
      const before = Math.max(this.disk.pages.get(name)?.version ?? 0, used)
      const version = versionAfter(before, this.#era, this.#world.bug)
      this.#lastVersions.set(name, version)
      batch.set(name, value === undefined ? undefined : { version, value })
    }
    this.#payloads.set(commit, batch)
    const effects = this.#primary.step({ kind: 'commit', commit })
    if (effects.some(({ kind }) => kind === 'refuse')) {
      this.#payloads.delete(commit)
      return false
    }
    this.#lastCommit = commit
    this.#world.say(`${this.#name}: commit ${commit} ${wordsOfBatch(batch)}`)
    const reign = this.#reign
    this.#writing.push(commit)
    this.#write(batch, () => {
      if (this.#reign !== reign) return
      this.#writing.shift()
      this.#tellPrimary({ kind: 'durable', commit })
    })
    this.#world.onCommit(commit)
    this.#perform(effects)
    return true
  }

  /** The disk refuses the newest commits, as many as that, where they are on their way to it. */
  refuse(count: number): void {
    const refused = this.#writing.slice(-count)
    if (!this.isServing || refused.length < count || refused.at(-1) !== this.#lastCommit) return
    this.#writing.splice(-count)
    this.disk.refuse(count)
    const commit = refused[0] as number
    this.#world.say(`(the disk of ${this.#name} refuses what is from commit ${commit} on)`)
    this.#tellPrimary({ kind: 'not-durable', commit })
  }

  #tellPrimary(event: PrimaryEvent): void {
    if (this.#primary !== undefined) this.#perform(this.#primary.step(event))
  }

  #perform(effects: readonly PrimaryEffect[]): void {
    for (const effect of effects) this.#performPrimary(effect)
  }

  #performPrimary(effect: PrimaryEffect): void {
    const world = this.#world
    switch (effect.kind) {
      case 'serve':
        world.say(`${this.#name}: serve`)
        world.onServe(this.#reign)
        return
      case 'stop-serving':
        world.say(`${this.#name}: stop serving`)
        return
      case 'deposed':
        world.say(`${this.#name}: is deposed`)
        this.#becomeBackup(effect)
        return
      case 'refuse':
        return
      case 'acknowledge':
      case 'fail':
        world.say(`${this.#name}: ${effect.kind} commit ${effect.commit}`)
        world.onOver(effect.kind, this.#reign, effect.commit)
        return
      case 'forget':
        for (const commit of [...this.#payloads.keys()])
          if (commit <= effect.commit) this.#payloads.delete(commit)
        return
      case 'synchronise':
        this.#links.set(effect.node, effect.name)
        this.#send(effect.node, { kind: 'begin', name: effect.name, how: effect.how })
        return
      case 'send': {
        const { name, index, commit } = effect
        const batch = present(this.#payloads.get(commit), 'a payload is kept until it is to be forgotten')
        this.#send(effect.node, { kind: 'entry', name, index, commit, batch })
        return
      }
      case 'send-whole':
        this.#send(effect.node, { kind: 'whole', name: effect.name, index: effect.index })
        return
      case 'end-link':
        this.#links.delete(effect.node)
        this.#send(effect.node, { kind: 'parted', name: effect.name })
        return
      case 'propose':
        this.#propose(effect.what, (outcome) =>
          this.#tellPrimary({ kind: 'outcome', change: effect.change, outcome }),
        )
        return
      case 'read-record':
        this.#read()
        return
      case 'set-alarm': {
        const { node } = effect
        this.#alarm(node, groupSilenceMs, () => {
          this.#tellPrimary({ kind: 'silence', node })
        })
        return
      }
      case 'find-candidate':
        world.say(`${this.#name}: find a candidate`)
        if (this.#wanted === undefined) world.after(againMs, () => this.#findCandidate())
        this.#wanted = effect.except
        return
      case 'end-search':
        this.#wanted = undefined
        return
      case 'dismiss':
        this.#send(effect.node, { kind: 'dismiss', reign: this.#reign, epoch: effect.epoch })
        return
      default:
        unreachable(effect)
    }
  }

  #propose(what: GroupChange, told: (outcome: ChangeOutcome) => void): void {
    this.#world.say(`${this.#name} -> coordinator: ${wordsOfRecord(what.record)}`)
    const machine = this.#primary ?? this.#backup
    this.#world.transact(what, (outcome) => {
      this.#world.say(`coordinator -> ${this.#name}: ${outcome.kind}`)
      // The machine that asked may be over.
      if (machine === (this.#primary ?? this.#backup)) told(outcome)
    })
  }

  #alarm(key: NodeId | 'takeover', ms: number, run: () => void): void {
    const serial = ++this.#alarmSerial
    this.#alarms.set(key, serial)
    this.#world.after(ms, () => {
      if (this.#alarms.get(key) !== serial) return
      this.#alarms.delete(key)
      run()
    })
  }

  /** Pages are read one by one, and sent a little later. */
  #compare(node: NodeId, name: LinkName, versions: ReadonlyMap<string, number>): void {
    const isOpen = (): boolean => {
      const link = this.#links.get(node)
      return link !== undefined && isSameLink(link, name) && this.#primary !== undefined
    }
    const left = this.#world.prng.shuffle([...new Set([...versions.keys(), ...this.disk.pages.keys()])])
    const next = (): void => {
      if (!isOpen()) return
      const page = left.pop()
      if (page === undefined) {
        this.#tellPrimary({ kind: 'compared', node, name })
        return
      }
      const is = this.disk.pages.get(page)
      this.#world.after(this.#world.prng.between(0, 30), () => {
        if (!isOpen()) return
        if (is?.version !== versions.get(page)) this.#send(node, { kind: 'difference', name, page, is })
        next()
      })
    }
    next()
  }

  // The backup.

  #tellBackup(event: BackupEvent): void {
    if (this.#backup === undefined) return
    for (const effect of this.#backup.step(event)) this.#performBackup(effect)
  }

  #performBackup(effect: BackupEffect): void {
    const world = this.#world
    switch (effect.kind) {
      case 'open': {
        const { name } = effect
        this.#touched = new TouchedPages(world.bug)
        this.#held = new Map()
        const versions = new Map([...this.disk.pages].map(([page, { version }]) => [page, version]))
        this.#send(name.from, { kind: 'list', name, versions })
        return
      }
      case 'store':
        this.#write(this.#accept(), () => undefined)
        return
      case 'hold':
        for (const [page, is] of this.#accept()) this.#held.set(page, is)
        return
      case 'store-held':
        this.#write(this.#held, () => this.#tellBackup({ ...effect, kind: 'durable' }))
        this.#held = new Map()
        return
      case 'flush':
        this.#write(new Map(), () => this.#tellBackup({ ...effect, kind: 'durable' }))
        return
      case 'drop-held':
        this.#held = new Map()
        return
      case 'acknowledge':
        this.#send(effect.name.from, effect)
        return
      case 'refuse':
        this.#send(effect.to, { kind: 'refuse', reign: effect.reign })
        return
      case 'propose':
        this.#propose(effect.what, (outcome) =>
          this.#tellBackup({ kind: 'outcome', change: effect.change, outcome }),
        )
        return
      case 'read-record':
        this.#read()
        return
      case 'set-alarm':
        this.#alarm('takeover', effect.pauses * groupTakeoverPauseMs, () =>
          this.#tellBackup({ kind: 'alarm' }),
        )
        return
      case 'clear-alarm':
        this.#alarms.delete('takeover')
        return
      case 'become-primary':
        world.say(`${this.#name}: is the primary`)
        this.#becomePrimary(effect)
        return
      case 'discard':
        world.say(`${this.#name}: throw the copy away`)
        this.#write(new Map([...this.disk.pages.keys()].map((page) => [page, undefined])), () => undefined)
        this.#becomeBackup(present(this.#snapshot, 'a snapshot was taken'))
        return
      default:
        unreachable(effect)
    }
  }

  /** What is to be taken of what just came. */
  #accept(): Batch {
    const message = this.#incoming
    if (message?.kind === 'entry') {
      for (const page of message.batch.keys()) this.#touched.touch(page)
      return message.batch
    }
    assert(message?.kind === 'difference', 'it was content that came')
    return this.#touched.takes(message.page) ? new Map([[message.page, message.is]]) : new Map()
  }

  // What both have.

  onMessage(from: NodeId, message: Message): void {
    if (!this.isUp) return
    this.look()
    this.#incoming = message
    switch (message.kind) {
      case 'begin':
        this.#tellPrimary({ kind: 'other-reign', reign: message.name.reign })
        this.#tellBackup(message)
        return
      case 'difference':
      case 'entry':
      case 'whole':
      case 'parted':
        this.#tellBackup(message)
        return
      case 'list':
        this.#tellPrimary({ kind: 'heard', node: from, name: message.name })
        this.#compare(from, message.name, message.versions)
        return
      case 'acknowledge':
        this.#tellPrimary({ kind: 'stored', node: from, name: message.name, index: message.index })
        return
      case 'refuse':
        this.#tellPrimary({ kind: 'other-reign', reign: message.reign })
        return
      case 'dismiss':
        this.#tellBackup({ kind: 'dismissed', reign: message.reign, epoch: message.epoch })
        return
      default:
        unreachable(message)
    }
  }

  #send(to: NodeId, message: Message): void {
    this.#world.say(`${this.#name} -> ${nameOf(to)}: ${wordsOfMessage(message)}`)
    this.#world.send(to, message)
  }

  #write(batch: Batch, onDurable: () => void): void {
    this.disk.write(batch, onDurable)
    if (!this.#isFlushing) this.#flush()
  }

  #flush(): void {
    this.#isFlushing = true
    const { pendingCount } = this.disk
    this.#world.after(this.#world.prng.between(1, flushMsMax), () => {
      this.disk.flush(Math.min(pendingCount, this.disk.pendingCount))
      this.#isFlushing = false
      if (this.disk.pendingCount > 0) this.#flush()
    })
  }
}
