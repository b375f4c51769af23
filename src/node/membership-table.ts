import { founder, noCluster } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Hello, Member, Members } from '../wire/message.js'
import type { NodeRecord } from './node-record.js'

export interface MembershipOptions {
  readonly self: NodeId
  readonly record: NodeRecord
  /** The table has changed: tell others, look for new peers. */
  readonly changed: (members: Members) => void
}

/**
 * Who is in the cluster. The founder's table is the one that counts: it gives ids, and tells all others of every
 * change. The interface behind which a replicated table will stand when the founder is no longer special.
 */
export class MembershipTable {
  readonly #options: MembershipOptions
  #revision: number
  #members: readonly Member[]
  /** Changes are made durable one after the other. */
  #saving: Promise<void> = Promise.resolve()

  constructor(options: MembershipOptions) {
    this.#options = options
    const { revision, members } = options.record.members
    this.#revision = revision
    this.#members = members
  }

  get isFounder(): boolean {
    return this.#options.self === founder
  }

  get message(): Members {
    return { kind: 'members', revision: this.#revision, members: this.#members }
  }

  get members(): readonly Member[] {
    return this.#members
  }

  find(node: SiteId): Member | undefined {
    return this.#members.find((member) => member.node === node)
  }

  /** The founder's newer table. */
  async learn({ revision, members }: Members): Promise<void> {
    if (this.isFounder || revision <= this.#revision) return
    await this.#set(revision, members)
  }

  /** The id of a node that introduces itself. At the founder, a new node becomes a member, and moves are noted. */
  async admit(hello: Hello): Promise<NodeId> {
    const { site, name, listen } = hello
    if (site === this.#options.self) {
      throw new KhazanaError('invalid-argument', `node ${site} is this node: is its directory a copy?`)
    }
    if (site === 0 || hello.cluster === noCluster) {
      if (!this.isFounder) {
        const where = this.find(founder)?.listen ?? 'the founder'
        throw new KhazanaError('unsupported', `only the founding node takes new nodes in: join ${where}`)
      }
      return this.#join(name, listen)
    }
    if (this.isFounder) {
      const known = this.find(site)
      if (known === undefined) throw new KhazanaError('wrong-cluster', `this cluster has no node ${site}`)
      if (known.listen !== listen || known.name !== name) await this.#put({ ...known, name, listen })
    }
    return site as NodeId
  }

  async #join(name: string, listen: string): Promise<NodeId> {
    const node = (Math.max(...this.#members.map((member) => member.node)) + 1) as NodeId
    await this.#put({ node, name: name === '' ? `node-${node}` : name, listen })
    return node
  }

  /** Notes where this node itself is. */
  async putSelf(member: Member): Promise<void> {
    const known = this.find(member.node)
    if (known?.listen === member.listen && known.name === member.name) return
    await this.#put(member)
  }

  #put(member: Member): Promise<void> {
    const others = this.#members.filter((known) => known.node !== member.node)
    const members = [...others, member].sort((a, b) => a.node - b.node)
    return this.#set(this.#revision + 1, members)
  }

  #set(revision: number, members: readonly Member[]): Promise<void> {
    this.#revision = revision
    this.#members = members
    const saved = this.#saving.then(async () => {
      await this.#options.record.writeMembers(revision, members)
      this.#options.changed({ kind: 'members', revision, members })
    })
    // Whoever asked for this change is told; the next one is tried all the same.
    this.#saving = saved.catch(() => undefined)
    return saved
  }
}
