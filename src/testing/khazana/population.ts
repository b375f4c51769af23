import { formatAddress } from '../../address/address.js'
import type { Node } from '../../node/node.js'
import type { Prng } from '../../stdx/prng.js'
import { overlaps } from './overlaps.js'
import type { LoggedRegion, SpaceLog } from './space-log.js'

/** A node that there is, or was: on a machine of its own. */
export interface Inhabitant {
  /** Of the machine, and of the node. */
  readonly name: string
  /** It came after the start. */
  readonly isGuest: boolean
  hasServed: boolean
  /** Its address space and its regions are another's now, or may be. */
  hasLeft: boolean
  isLeaving: boolean
  /** In this life or an earlier one: it may have left without having had the time to say so. */
  wasLeaving: boolean
  node: Node | undefined
}

/** Fewer are not left behind: regions must be able to go somewhere. */
const inhabitantsMin = 2

/** The nodes of a cluster that come and go. */
export class Population {
  readonly #inhabitants = new Map<string, Inhabitant>()

  add(name: string, isGuest: boolean): Inhabitant {
    const inhabitant: Inhabitant = {
      ...{ name, isGuest, node: undefined },
      ...{ hasServed: false, isLeaving: false, wasLeaving: false, hasLeft: false },
    }
    this.#inhabitants.set(name, inhabitant)
    return inhabitant
  }

  /** Names of those that have not left. */
  get names(): readonly string[] {
    return this.#present.map(({ name }) => name)
  }

  get #present(): Inhabitant[] {
    return [...this.#inhabitants.values()].filter(({ hasLeft }) => !hasLeft)
  }

  /** Those that serve. */
  get nodes(): readonly Node[] {
    return this.#present.flatMap(({ node }) => (node === undefined ? [] : [node]))
  }

  /** Whether one more may leave. */
  mayLeave(): boolean {
    const staying = this.#present.filter(({ isLeaving, node }) => !isLeaving && node !== undefined)
    return staying.length > inhabitantsMin
  }

  /** How many have joined after the start, and how many have left. */
  get counts(): Readonly<Record<string, number>> {
    const all = [...this.#inhabitants.values()]
    return {
      joined: all.filter(({ isGuest, hasServed }) => isGuest && hasServed).length,
      left: all.filter(({ hasLeft }) => hasLeft).length,
    }
  }

  get isAnyLeaving(): boolean {
    return this.#present.some(({ isLeaving }) => isLeaving)
  }

  /** A node to join at, which may be down: one that has been up, or the first. */
  drawDoor(random: Prng, self: string): string {
    const others = this.#present.filter(({ name, hasServed }) => hasServed && name !== self)
    return others.length === 0 ? 'node-1' : random.pick(others).name
  }

  /** What must hold when all is at rest, one line for each thing that does not. */
  problems(space: SpaceLog): readonly string[] {
    const nodes: Node[] = []
    const found: string[] = []
    for (const { name, node } of this.#present) {
      if (node === undefined) found.push(`${name} is not up`)
      else nodes.push(node)
    }
    found.push(...this.#disagreements(nodes), ...overlaps(nodes))
    return [...found, ...homeless(nodes, space), ...undead(nodes, space)]
  }

  /** Who is the cluster manager, and who is in the cluster. */
  #disagreements(nodes: readonly Node[]): readonly string[] {
    const [first] = nodes
    if (first === undefined) return []
    const members = (node: Node): string => node.members.members.map((member) => member.node).join(' ')
    const found: string[] = []
    for (const node of nodes) {
      const [mine, theirs] = [node.members.manager, first.members.manager]
      if (mine !== theirs) found.push(`${node.name} takes ${mine} for the manager, ${first.name} ${theirs}`)
      if (members(node) !== members(first))
        found.push(`${node.name} knows ${members(node)}, ${first.name} knows ${members(first)}`)
    }
    for (const { name, hasLeft } of this.#inhabitants.values()) {
      if (hasLeft && first.members.members.some((member) => member.name === name && member.revision > 0))
        found.push(`${name} has left, and counts as a member`)
    }
    return found
  }
}

function undead(nodes: readonly Node[], space: SpaceLog): string[] {
  const isThere = ({ address, generation }: LoggedRegion): boolean =>
    nodes.some((node) => node.home.find(address)?.generation === generation)
  return space.ended
    .filter(isThere)
    .map(({ address, by }) => `${formatAddress(address)}, reserved by ${by} and unreserved, is still there`)
}

function homeless(nodes: readonly Node[], space: SpaceLog): string[] {
  return space.live
    .filter(({ address }) => !nodes.some((node) => node.home.find(address)?.address === address))
    .map(({ address, by }) => `${formatAddress(address)}, reserved by ${by}, has no home`)
}
