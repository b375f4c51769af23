import { clusterId, nodeId } from '../address/identity.js'
import type { ClusterId, NodeId } from '../address/identity.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Store } from '../store/store.js'
import type { Member, NodeIdRange, PoolEntry } from '../wire/message.js'
import { parseAddress } from '../address/address.js'
import { formatAddress } from '../address/address.js'

/** What a node is, for life. */
export interface NodeIdentity {
  readonly cluster: ClusterId
  readonly node: NodeId
  readonly name: string
}

/** Numbers for new nodes that one node has, and another is to have. */
export interface PromisedIds {
  readonly to: NodeId
  readonly ids: readonly NodeIdRange[]
}

const identityKey = 'node/identity'
const incarnationKey = 'node/incarnation'
const listenKey = 'node/listen'
const lesseesKey = 'node/lessees'
/** Earlier forms have all members in one record. */
const membersKey = 'cluster/members'
const memberPrefix = 'cluster/member/'
const idsKey = 'cluster/ids'
const promisedKey = 'cluster/ids-promised'
const inheritedPrefix = 'cluster/ids-of/'
const grantPrefix = 'cluster/pool/'
const recordFormat = 1

/** A node's own small records in its store. Every `write` is durable when it resolves. */
export class NodeRecord {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Undefined for a new directory. Throws `bad-format`. */
  get identity(): NodeIdentity | undefined {
    const value = this.#read(identityKey)
    if (value === undefined) return undefined
    const record = value as { format: number; cluster: string; node: number; name: string }
    if (record.format !== recordFormat) {
      throw new KhazanaError('bad-format', `this directory has format ${record.format}: use a newer khazana`)
    }
    return { cluster: clusterId(record.cluster), node: nodeId(record.node), name: record.name }
  }

  writeIdentity(identity: NodeIdentity): Promise<void> {
    return this.#write(identityKey, { format: recordFormat, ...identity })
  }

  /** Counts the starts of this node. */
  get incarnation(): number {
    return (this.#read(incarnationKey) as number | undefined) ?? 0
  }

  writeIncarnation(incarnation: number): Promise<void> {
    return this.#write(incarnationKey, incarnation)
  }

  /** Where the node listened last, `host:port`, so that others find it again. */
  get listen(): string | undefined {
    return this.#read(listenKey) as string | undefined
  }

  writeListen(listen: string): Promise<void> {
    return this.#write(listenKey, listen)
  }

  /** Whether anybody may hold rights that this node gave out. */
  get hasLessees(): boolean {
    return this.#read(lesseesKey) === true
  }

  writeHasLessees(hasLessees: boolean): Promise<void> {
    return this.#write(lesseesKey, hasLessees)
  }

  get members(): Member[] {
    const members = this.#store.list(memberPrefix).map(([, value]) => parse(value) as Member)
    if (members.length > 0) return members
    const earlier = this.#read(membersKey) as { members: Member[] } | undefined
    return (earlier?.members ?? []).map((member) => ({ ...member, revision: 0, state: 'in' }))
  }

  /** Numbers that this node may give to others; undefined where that was never said. */
  get ids(): NodeIdRange[] | undefined {
    return this.#read(idsKey) as NodeIdRange[] | undefined
  }

  /** Numbers that were this node's, and are promised to another one. */
  get promisedIds(): PromisedIds | undefined {
    return this.#read(promisedKey) as PromisedIds | undefined
  }

  writePromisedIds(promised: PromisedIds): Promise<void> {
    return this.#store.commit({
      puts: [
        { key: promisedKey, value: encode(promised) },
        { key: idsKey, value: encode([]) },
      ],
    })
  }

  dropPromisedIds(): Promise<void> {
    return this.#store.commit({ deletes: [promisedKey] })
  }

  /** Whether the numbers of a node that has left were taken over here. */
  hasIdsOf(node: NodeId): boolean {
    return this.#store.get(`${inheritedPrefix}${node}`) !== undefined
  }

  /** This node's numbers, now with those of a node that leaves. */
  writeInheritedIds(from: NodeId, ids: readonly NodeIdRange[]): Promise<void> {
    return this.#store.commit({
      puts: [
        { key: idsKey, value: encode(ids) },
        { key: `${inheritedPrefix}${from}`, value: encode(true) },
      ],
    })
  }

  /** What has changed of the members, and with it the numbers that are left. */
  writeMembers(members: readonly Member[], ids?: readonly NodeIdRange[]): Promise<void> {
    const puts = members.map((member) => ({ key: `${memberPrefix}${member.node}`, value: encode(member) }))
    if (ids !== undefined) puts.push({ key: idsKey, value: encode(ids) })
    return this.#store.commit({ puts })
  }

  /** All address space that this node has granted as cluster manager. */
  get grants(): PoolEntry[] {
    return this.#store.list(grantPrefix).map(([key, value]) => {
      const { size, node } = parse(value) as { size: string; node: number }
      return { start: parseAddress(key.slice(grantPrefix.length)), size: BigInt(size), node: nodeId(node) }
    })
  }

  writeGrant({ start, size, node }: PoolEntry): Promise<void> {
    return this.#write(grantPrefix + formatAddress(start), { size: size.toString(), node })
  }

  #read(key: string): unknown {
    const value = this.#store.get(key)
    return value === undefined ? undefined : parse(value)
  }

  #write(key: string, value: unknown): Promise<void> {
    return this.#store.commit({ puts: [{ key, value: encode(value) }] })
  }
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function parse(value: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(value)) as unknown
  } catch (error) {
    throw new KhazanaError('bad-format', 'a record of the node cannot be read', { cause: error })
  }
}
