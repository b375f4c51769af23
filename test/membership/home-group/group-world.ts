import { nodeId } from '../../../src/address/identity.js'
import type { NodeId } from '../../../src/address/identity.js'
import type { GroupBug } from '../../../src/membership/home-group/group-bug.js'
import { firstRecord } from '../../../src/membership/home-group/group-record.js'
import { Prng } from '../../../src/stdx/prng.js'
import { GroupNode, leaseMs } from './group-node.js'
import type { NodeSurroundings } from './group-node.js'
import { GroupOracle } from './group-oracle.js'
import { nameOf } from './group-words.js'
import { ModelCoordinator } from './model-coordinator.js'
import { ModelDisk } from './model-disk.js'
import { ModelNetwork } from './model-network.js'
import { ModelTime } from './model-time.js'

export interface GroupWorldOptions {
  readonly seed: number
  readonly bug?: GroupBug | undefined
  readonly nodes: number
  readonly replicas: number
  /** Of a message, in milliseconds. */
  readonly delay: (prng: Prng) => number
  readonly say?: (line: string) => void
}

/** A place where a node runs: the node itself changes with each start. */
interface Slot {
  host: GroupNode
  rate: number
  /** Nothing that it asks of the coordinator comes through, or no answer does. */
  cutUntil: number
}

/** By how much rates may differ from that of true time, so that no two differ by more than `clockDriftMax`. */
const driftMax = 0.0049
const callMsMax = 1_500
const inspectionMs = 50

/** Some nodes, a coordinator, and the network between them. */
export class GroupWorld {
  readonly time = new ModelTime()
  readonly prng: Prng
  readonly coordinator: ModelCoordinator
  readonly network: ModelNetwork
  readonly oracle = new GroupOracle()
  readonly #options: GroupWorldOptions
  readonly #slots: Slot[]
  readonly #coordinatorRate: number
  #lastNode: number
  /** Changes that were sent and are not decided, by who sent them. */
  readonly #sent = new Map<NodeId, number>()
  #value = 0
  /** Faults end here. */
  isHealed = false

  constructor(options: GroupWorldOptions) {
    this.#options = options
    this.prng = Prng.fromSeed(options.seed)
    this.coordinator = new ModelCoordinator(firstRecord(nodeId(1), options.replicas))
    this.network = new ModelNetwork(this.time, this.prng, () => options.delay(this.prng))
    this.#lastNode = options.nodes
    this.#coordinatorRate = this.#drawRate()
    this.#slots = Array.from({ length: options.nodes }, (_, at) => this.#slot(nodeId(at + 1)))
  }

  get hosts(): GroupNode[] {
    return this.#slots.map(({ host }) => host)
  }

  get serving(): GroupNode | undefined {
    return this.hosts.find((host) => host.isServing && host.stoppedUntil < this.time.now)
  }

  start(): void {
    for (const { host } of this.#slots) host.start()
    this.#meet()
    this.#inspect()
  }

  /** The same node again, or another one with a new disk. */
  restart(at: number): void {
    const slot = this.#slots[at] as Slot
    if (slot.host.isUp) return
    slot.host = this.#node(slot.host.node, slot.host.disk.crashed(this.prng), slot)
    this.#say(`(${nameOf(slot.host.node)} starts again)`)
    slot.host.start()
  }

  crash(at: number): void {
    const { host } = this.#slots[at] as Slot
    if (!host.isUp) return
    host.isUp = false
    this.#say(`(${nameOf(host.node)} dies)`)
    this.network.cutAll(host.node)
  }

  /** Whether the group can bear to lose the disk: another member has its own, and no change of the node is on its way. */
  mayLose(at: number): boolean {
    const { node } = (this.#slots[at] as Slot).host
    const disks = new Set(this.hosts.map((host) => host.node))
    const others = this.coordinator.record.members.filter((one) => one !== node && disks.has(one))
    return others.length > 0 && this.#sent.size === 0
  }

  /** The node is gone for good, with its disk. Another one comes. */
  replace(at: number): void {
    this.crash(at)
    const slot = this.#slots[at] as Slot
    this.#lastNode += 1
    slot.host = this.#node(nodeId(this.#lastNode), new ModelDisk(), slot)
    this.#say(`(its disk is gone; ${nameOf(slot.host.node)} comes instead)`)
    slot.host.start()
  }

  stop(at: number, ms: number): void {
    const { host } = this.#slots[at] as Slot
    host.stoppedUntil = Math.max(host.stoppedUntil, this.time.now + ms)
  }

  cutFromCoordinator(at: number, ms: number): void {
    const slot = this.#slots[at] as Slot
    slot.cutUntil = Math.max(slot.cutUntil, this.time.now + ms)
  }

  heal(): void {
    this.isHealed = true
    this.network.blocked.clear()
    for (const [at, slot] of this.#slots.entries()) {
      slot.cutUntil = 0
      this.restart(at)
    }
  }

  /** A user writes some pages at whoever serves. */
  write(pages: readonly string[], removed: readonly string[] = []): boolean {
    const host = this.serving
    if (host === undefined) return false
    host.look()
    this.#value += 1
    const writes = new Map<string, string | undefined>(pages.map((page) => [page, `w${this.#value}`]))
    for (const page of removed) writes.set(page, undefined)
    const isTaken = host.commit(writes)
    this.#check()
    return isTaken
  }

  #slot(node: NodeId): Slot {
    const slot = { rate: this.#drawRate(), cutUntil: 0 } as Slot
    slot.host = this.#node(node, new ModelDisk(), slot)
    return slot
  }

  #drawRate(): number {
    return 1 + this.prng.between(-driftMax, driftMax)
  }

  #say(line: string): void {
    this.#options.say?.(line)
  }

  /** Sessions come again and again, wherever they can. */
  #meet(): void {
    for (const a of this.hosts) for (const b of this.hosts) if (a.node < b.node) this.network.connect(a, b)
    this.time.after(200, () => this.#meet())
  }

  #inspect(): void {
    this.#checkMembers()
    this.time.after(inspectionMs, () => this.#inspect())
  }

  #checkMembers(): void {
    const { members } = this.coordinator.record
    for (const { node, disk } of this.hosts)
      if (members.includes(node)) this.oracle.onMember(node, disk.durable)
  }

  #check(): void {
    const serving = this.hosts.filter((host) => host.isServing && host.stoppedUntil < this.time.now)
    this.oracle.onServing(serving.map(({ node }) => node))
  }

  #node(node: NodeId, disk: ModelDisk, slot: Slot): GroupNode {
    const { time, prng, oracle, coordinator } = this
    /** At the node, unless it has died. While it is stopped, later. */
    const at = (run: () => void): void => {
      if (!host.isUp) return
      if (host.stoppedUntil > time.now) {
        time.after(host.stoppedUntil - time.now, () => at(run))
        return
      }
      host.look()
      run()
      this.#check()
    }
    const delay = (): number => this.#options.delay(prng)
    const isCut = (): boolean => slot.cutUntil > time.now
    /** Asks the coordinator. Undefined where no answer came in time. */
    const call = <T>(
      ask: () => T | undefined,
      answer: (answer: T | undefined) => void,
      decided?: () => void,
    ): void => {
      let isOver = false
      const end = (value: T | undefined): void =>
        at(() => {
          if (!isOver) answer(value)
          isOver = true
        })
      // Now and then what was sent comes late, even after it has been given up.
      const isLate = !this.isHealed && prng.chance(0.03)
      const isLost = isCut() && prng.chance(0.7)
      time.after(isLate ? prng.between(0, 3 * callMsMax) : delay(), () => {
        decided?.()
        if (isLost) return
        const value = ask()
        if (!isCut()) time.after(delay(), () => end(value))
      })
      time.after(callMsMax, () => end(undefined))
    }
    const until = (): number => time.now + leaseMs / this.#coordinatorRate
    const world: NodeSurroundings = {
      prng,
      bug: this.#options.bug,
      now: () => time.now * slot.rate,
      after: (ms, run) => time.after(ms / slot.rate, () => at(run)),
      send: (to, message) => this.network.send(node, to, message),
      snapshot: (answer) => call(() => coordinator.snapshot(), answer),
      transact: (change, answer) => {
        this.#sent.set(node, (this.#sent.get(node) ?? 0) + 1)
        const decided = (): void => {
          const left = (this.#sent.get(node) ?? 1) - 1
          if (left > 0) this.#sent.set(node, left)
          else this.#sent.delete(node)
        }
        const ask = () => this.#changing(() => coordinator.transact(change))
        call(ask, (outcome) => answer(outcome ?? { kind: 'unknown' }), decided)
      },
      grant: (was, answer) => {
        const ask = () =>
          this.#changing(() => {
            const granted = coordinator.grant(node, was, until())
            if (granted !== undefined) this.#endLater(granted.lease, node)
            return granted
          })
        call(ask, answer)
      },
      keepAlive: (lease, answer) => call(() => coordinator.keepAlive(lease, until()), answer),
      onServe: (reign) => oracle.onServe(node, reign, host.disk.pages),
      onCommit: (commit) => oracle.onCommit(commit, host.disk.pages),
      onOver: (kind, reign, commit) => {
        oracle.onOver(kind, node, reign, commit)
        this.#checkMembers()
      },
      say: (line) => this.#say(line),
    }
    const host: GroupNode = new GroupNode(node, disk, world)
    return host
  }

  #endLater(lease: number, node: NodeId): void {
    const end = this.coordinator.endOf(lease)
    if (end === undefined) return
    if (this.time.now >= end) {
      this.#say(`(the lease of ${nameOf(node)} ends)`)
      this.#changing(() => this.coordinator.end(lease))
      return
    }
    this.time.after(end - this.time.now, () => this.#endLater(lease, node))
  }

  /** Those that watch hear of it, unless they cannot be reached. */
  #changing<T>(change: () => T): T {
    const result = change()
    const snapshot = this.coordinator.snapshot()
    for (const { host, cutUntil } of this.#slots) {
      if (cutUntil > this.time.now || !host.isReady) continue
      const tell = (): void => {
        if (!host.isUp) return
        if (host.stoppedUntil > this.time.now) {
          this.time.after(host.stoppedUntil - this.time.now, tell)
          return
        }
        host.look()
        host.onSnapshot(snapshot)
        this.#check()
      }
      // Mostly after whoever made the change has its answer.
      this.time.after(1.5 * this.#options.delay(this.prng), tell)
    }
    return result
  }
}
