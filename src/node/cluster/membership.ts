import { founder, isNode, nodeId, nodeIdMax, noCluster } from '../../address/identity.js'
import type { NodeId, SiteId } from '../../address/identity.js'
import type { Clock, Timer } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import { ManagerRule } from '../../membership/manager-rule.js'
import type { ManagerEvent } from '../../membership/manager-rule.js'
import { MemberTable } from '../../membership/member-table.js'
import { NodeIdPool } from '../../membership/node-id-pool.js'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { membersMax } from '../../wire/limits.js'
import type { Hello, Member, Members, NodeIdRange } from '../../wire/message.js'
import type { NodeRecord, PromisedIds } from '../node-record.js'
import type { PeerIdentity, Session } from '../session/session.js'

/** News is gathered for so long before it is told to all. */
const gatherMs = 20
/** Members told of in one message. */
export const membersPerMessageMax = 500

export interface MembershipOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly logger: Logger
  readonly record: NodeRecord
  /** For how long a node that might be the manager may be silent before another one is taken for it. */
  readonly patienceMs: number
  /** Live sessions with nodes. */
  readonly sessions: () => Iterable<Session>
  /** A session is wanted with each of these, and with no others on behalf of the membership. */
  readonly keep: (nodes: readonly NodeId[]) => void
  /** A number for a node to join, from the manager. Throws as `Peers.call`. */
  readonly askForId: (manager: NodeId, name: string, listen: string) => Promise<NodeId>
  /** Where nodes are may have changed. */
  readonly changed: () => void
  readonly managerChanged: (manager: NodeId) => void
}

/** Who is in the cluster, who of them is its manager, and who may join it: a node's part in that. */
export class Membership {
  readonly #options: MembershipOptions
  readonly #table = new MemberTable()
  readonly #ids: NodeIdPool
  readonly #rule: ManagerRule
  #patience: Timer | undefined
  /** What is to be told to others; undefined where nothing is. */
  #news: Map<NodeId, Member> | undefined
  #gathering: Timer | undefined
  /** Changes are made durable one after the other. */
  #saving: Promise<void> = Promise.resolve()
  #isStopped = false
  /** Nodes whose numbers this one has taken in this life. */
  readonly #heirOf = new Set<NodeId>()
  /** Whether any other node has told who is in the cluster. */
  #hasHeard = false

  constructor(options: MembershipOptions) {
    this.#options = options
    const { record, self } = options
    this.#table.merge(record.members)
    this.#ids = new NodeIdPool(record.ids ?? firstIds(self, this.#table))
    this.#rule = new ManagerRule(self)
  }

  /** Notes what this node is, and begins to look for the manager. */
  async start(self: Member): Promise<void> {
    await this.#takeOver([self])
    this.#step({ kind: 'members', nodes: this.#nodes() })
  }

  stop(): void {
    this.#isStopped = true
    this.#patience?.cancel()
    this.#gathering?.cancel()
  }

  get manager(): NodeId {
    return this.#rule.manager
  }

  get isManager(): boolean {
    return this.manager === this.#options.self
  }

  /**
   * Whether there is no node in the cluster that this one does not know of: it is the manager, has been told of the others,
   * and hears them all, who would have told of any that came to them.
   */
  get isSureOfAll(): boolean {
    const { self, sessions } = this.#options
    if (!this.isManager || (self !== founder && !this.#hasHeard)) return false
    const reached = new Set([...sessions()].map(({ peer }) => peer.site))
    return this.members.every(({ node, revision }) => node === self || revision === 0 || reached.has(node))
  }

  /** Those that have not left, in order of their numbers. */
  get members(): readonly Member[] {
    return this.#table.present()
  }

  get leftCount(): number {
    return this.#table.size - this.#table.present().length
  }

  /** Also one that has left. */
  find(node: SiteId): Member | undefined {
    return this.#table.find(node)
  }

  /** `host:port` of a node in the cluster; undefined where it has left, is not known, or accepts no connections. */
  endpointOf(node: NodeId): string | undefined {
    const member = this.#table.find(node)
    return member?.state !== 'in' || member.listen === '' ? undefined : member.listen
  }

  // ---- sessions -----------------------------------------------------------------------------------------------------

  /** A session with the node has begun: what it says of itself is as good as news. */
  reached(session: Session): void {
    const { site, name, listen, incarnation, cluster } = session.peer
    // Who only asks for a number comes back with what it is.
    if (!isNode(site) || cluster === noCluster) return
    this.#learn([{ node: site, name, listen, revision: incarnation, state: 'in' }])
    this.#step({ kind: 'reached', node: site })
    if (site === this.manager) this.#ask(session)
  }

  lost({ site }: PeerIdentity): void {
    if (isNode(site)) this.#step({ kind: 'lost', node: site })
  }

  receive(from: Session, { members, known }: Members): void {
    this.#hasHeard = true
    this.#learn(members)
    if (known === undefined) return
    const missing = this.#table.missingIn(known)
    const isLacking = this.#table.lacksAnyOf(known)
    for (let at = 0; at < missing.length; at += membersPerMessageMax) {
      from.send({
        kind: 'members',
        members: missing.slice(at, at + membersPerMessageMax),
        known: undefined,
      })
    }
    if (isLacking) this.#ask(from)
  }

  #ask(session: Session): void {
    session.send({ kind: 'members', members: [], known: this.#table.stamps() })
  }

  // ---- joining ------------------------------------------------------------------------------------------------------

  /**
   * The number of a node that introduces itself: that which it has, or, for one that asks to join, a new one. Throws
   * `invalid-argument`, `wrong-cluster`, `unsupported`, and `unreachable` where no number can be had.
   */
  async admit({ site, name, listen, cluster }: Hello): Promise<NodeId> {
    const { self } = this.#options
    if (site === self) {
      throw new KhazanaError('invalid-argument', `node ${site} is this node: is its directory a copy?`)
    }
    if (this.hasLeft) throw hasLeftItself()
    if (site === 0 || cluster === noCluster) return this.#admitNew(name, listen)
    if (this.#table.find(site)?.state === 'left') {
      throw new KhazanaError(
        'wrong-cluster',
        `node ${site} has left this cluster: start it on a new directory to join again`,
      )
    }
    return site as NodeId
  }

  async #admitNew(name: string, listen: string): Promise<NodeId> {
    const { askForId } = this.#options
    if (this.isManager) return this.giveId(name, listen)
    try {
      const node = await askForId(this.manager, name, listen)
      await this.#takeOver([newMember(node, name, listen)])
      return node
    } catch (reason) {
      const error = KhazanaError.from(reason)
      // Meanwhile, perhaps: then nobody talks to it any more.
      if (this.hasLeft) throw hasLeftItself()
      if (error.code !== 'unreachable' && error.code !== 'timeout' && error.code !== 'outcome-unknown')
        throw error
      // Another one may be the manager soon: who joins tries again.
      if (!this.hasIds) throw noNumbersNow(this.manager, error)
      return this.giveId(name, listen)
    }
  }

  /** A number for a new node, from this node's own, which is durable as given when this resolves. Throws `unsupported`. */
  async giveId(name: string, listen: string): Promise<NodeId> {
    if (this.#table.size >= membersMax) {
      throw new KhazanaError('unsupported', `a cluster has at most ${membersMax} nodes`)
    }
    const node = this.#ids.take()
    if (node === undefined) {
      throw new KhazanaError(
        'unsupported',
        'this node has no numbers for new nodes left: join when the node that founded the cluster runs again',
      )
    }
    await this.#takeOver([newMember(node, name, listen)], this.#ids.ranges)
    return node
  }

  /** Numbers for a node that may have to admit others. Throws `unsupported`. */
  async giveSpareIds(): Promise<NodeIdRange> {
    const spare = this.#ids.takeSpare()
    if (spare === undefined) throw new KhazanaError('unsupported', 'this node has no spare numbers of nodes')
    await this.#takeOver([], this.#ids.ranges)
    return spare
  }

  get hasIds(): boolean {
    return this.#ids.size > 0
  }

  /**
   * All numbers that this node may give away are to be another node's: it gives none of them from when this resolves. Those that
   * were promised before are still that node's. Undefined where there are none.
   */
  async promiseIds(to: NodeId): Promise<PromisedIds | undefined> {
    const { record } = this.#options
    const before = record.promisedIds
    if (before !== undefined) return before
    if (this.#ids.size === 0) return undefined
    const promised = { to, ids: this.#ids.ranges }
    this.#ids.clear()
    await record.writePromisedIds(promised)
    return promised
  }

  /** The other node has them, or nobody. */
  dropPromisedIds(): Promise<void> {
    return this.#options.record.dropPromisedIds()
  }

  async takeIds(ranges: readonly NodeIdRange[]): Promise<void> {
    for (const range of ranges) this.#ids.give(range)
    await this.#takeOver([], this.#ids.ranges)
  }

  /** The numbers of a node that leaves, once, however often it says so: it does not hear that it was heard, perhaps. */
  async inheritIds(from: NodeId, ranges: readonly NodeIdRange[]): Promise<void> {
    const { record } = this.#options
    if (record.hasIdsOf(from) || this.#heirOf.has(from)) return
    this.#heirOf.add(from)
    for (const range of ranges) this.#ids.give(range)
    await record.writeInheritedIds(from, this.#ids.ranges)
  }

  /** This node has left, for good. Resolves when that is durable here, and told to those it has sessions with. */
  async leave(): Promise<void> {
    const { self, sessions } = this.#options
    const known = this.#table.find(self)
    if (known === undefined) return
    const left: Member = { ...known, revision: known.revision + 1, state: 'left' }
    await this.#takeOver([left], [])
    for (const session of sessions()) this.tellLeft(session.peer.site as NodeId)
  }

  /** Whether this node has left, in this life or an earlier one. */
  get hasLeft(): boolean {
    return this.#table.find(this.#options.self)?.state === 'left'
  }

  /** Says to the other node that this one has left. False where there is no session with it. */
  tellLeft(node: NodeId): boolean {
    const { self, sessions } = this.#options
    const own = this.#table.find(self)
    const session = [...sessions()].find(({ peer }) => peer.site === node)
    if (own === undefined || session === undefined) return false
    session.send({ kind: 'members', members: [own], known: undefined })
    return true
  }

  // ---- news ---------------------------------------------------------------------------------------------------------

  /** Never rejects. */
  #learn(members: readonly Member[]): void {
    this.#takeOver(members).catch((reason: unknown) => {
      this.#options.logger.log('error', 'the list of members could not be saved', {
        reason: KhazanaError.from(reason).message,
      })
    })
  }

  /** Takes over what is newer; resolves when it is durable, with the numbers that are left. */
  async #takeOver(members: readonly Member[], ids?: readonly NodeIdRange[]): Promise<void> {
    const news = this.#table.merge(members)
    if (news.length === 0 && ids === undefined) return
    if (news.length > 0 && !this.#isStopped) {
      this.#step({ kind: 'members', nodes: this.#nodes() })
      this.#options.changed()
      this.#gather(news)
    }
    const saved = this.#saving.then(() => this.#options.record.writeMembers(news, ids))
    // Whoever asked for this change is told; the next one is tried all the same.
    this.#saving = saved.catch(() => undefined)
    return saved
  }

  /** The manager tells everybody, others tell the manager. */
  #gather(news: readonly Member[]): void {
    const { clock } = this.#options
    const gathered = (this.#news ??= new Map<NodeId, Member>())
    for (const member of news) gathered.set(member.node, member)
    this.#gathering ??= clock.after(gatherMs, () => {
      this.#gathering = undefined
      this.#tell([...(this.#news?.values() ?? [])])
      this.#news = undefined
    })
  }

  #tell(news: readonly Member[]): void {
    for (const session of this.#options.sessions()) {
      if (!this.isManager && session.peer.site !== this.manager) continue
      for (let at = 0; at < news.length; at += membersPerMessageMax) {
        const members = news.slice(at, at + membersPerMessageMax)
        session.send({ kind: 'members', members, known: undefined })
      }
    }
  }

  // ---- the manager --------------------------------------------------------------------------------------------------

  #nodes(): NodeId[] {
    return this.#table.present().map(({ node }) => node)
  }

  #step(event: ManagerEvent): void {
    if (this.#isStopped) return
    const { clock, patienceMs, keep, managerChanged, sessions } = this.#options
    for (const effect of this.#rule.step(event)) {
      switch (effect.kind) {
        case 'keep':
          keep(effect.nodes)
          break
        case 'manager':
          managerChanged(effect.node)
          for (const session of sessions()) if (session.peer.site === effect.node) this.#ask(session)
          break
        case 'wait':
          this.#patience?.cancel()
          this.#patience = clock.after(patienceMs, () => {
            this.#step({ kind: 'alarm' })
          })
          break
        default:
          unreachable(effect)
      }
    }
  }
}

/** The founder has all numbers but those of its members; others have none of their own. */
function firstIds(self: NodeId, table: MemberTable): readonly NodeIdRange[] {
  if (self !== founder) return []
  const last = table.all().at(-1)?.node ?? founder
  return last === nodeIdMax ? [] : [{ first: nodeId(last + 1), count: nodeIdMax - last }]
}

function newMember(node: NodeId, name: string, listen: string): Member {
  return { node, name: name === '' ? `node-${node}` : name, listen, revision: 0, state: 'in' }
}

function noNumbersNow(manager: NodeId, cause: KhazanaError): KhazanaError {
  const why = `this node has no numbers for new nodes, and node ${manager}, the cluster manager, does not answer`
  return new KhazanaError('unreachable', `${why}: ${cause.message}`, { cause })
}

function hasLeftItself(): KhazanaError {
  return new KhazanaError('closed', 'this node has left its cluster: use another one')
}
