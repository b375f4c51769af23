import type { NodeId, SiteId } from '../address/identity.js'
import type { Member, MemberStamp } from '../wire/message.js'

/**
 * Who is in the cluster, as one node knows it. Tables are merged entry by entry, in any order and any number of times, with
 * the same outcome everywhere: a node's newer word of itself goes before its older, and that it has left before all. So no node
 * needs to be asked before a table may change, and parts of a cluster that were cut off agree again as soon as they talk.
 */
export class MemberTable {
  readonly #members = new Map<NodeId, Member>()

  get size(): number {
    return this.#members.size
  }

  /** All that ever came, also those that have left, in order of their numbers. */
  all(): Member[] {
    return [...this.#members.values()].sort((a, b) => a.node - b.node)
  }

  /** Those that have not left, in order of their numbers. */
  present(): Member[] {
    return this.all().filter(({ state }) => state === 'in')
  }

  find(node: SiteId): Member | undefined {
    return this.#members.get(node as NodeId)
  }

  /** Takes over what is newer. Answers with that: who else may not know it is to be told. */
  merge(members: readonly Member[]): Member[] {
    const news = members.filter((member) => isNewer(member, this.#members.get(member.node)))
    for (const member of news) this.#members.set(member.node, member)
    return news
  }

  /** All that is known, in short. */
  stamps(): MemberStamp[] {
    return this.all().map(({ node, revision, state }) => ({ node, revision, state }))
  }

  /** What is missing, or older, in a table of these stamps. */
  missingIn(stamps: readonly MemberStamp[]): Member[] {
    const theirs = new Map(stamps.map((stamp) => [stamp.node, stamp]))
    return this.all().filter((member) => isNewer(member, theirs.get(member.node)))
  }

  /** Whether a table of these stamps has anything that is missing, or older, here. */
  lacksAnyOf(stamps: readonly MemberStamp[]): boolean {
    return stamps.some((stamp) => isNewer(stamp, this.#members.get(stamp.node)))
  }
}

function isNewer(stamp: MemberStamp, known: MemberStamp | undefined): boolean {
  if (known === undefined) return true
  if (known.state !== stamp.state) return stamp.state === 'left'
  return stamp.revision > known.revision
}
