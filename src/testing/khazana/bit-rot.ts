import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { PageIndex, Version } from '../../address/page.js'
import type { Node } from '../../node/node.js'
import type { GroupPart } from '../../node/group/group-part.js'
import type { PagePlace } from '../../store/store.js'
import type { Prng } from '../../stdx/prng.js'
import { isNote, noteOf } from '../../node/transaction/note.js'
import { DirectoryDisk } from '../directory-disk.js'
import { SimDirectory } from '../sim-directory.js'
import type { SimMachine } from '../sim-machine.js'
import type { SpaceId } from '../../store/space.js'

const logPath = '/data/log'
/** Pages that are hit at one time, and bytes that change in each, at most. */
const pagesMax = 3
const bytesMax = 8

/** A page of a home group's region in the store of a node. */
export interface Kept {
  readonly group: string
  readonly address: Address
  /** The region that it is to become part of, where it is in a note of what was released together. */
  readonly region: Address | undefined
  readonly space: SpaceId
  readonly page: PageIndex
  readonly version: Version
}

interface Hit extends Kept {
  readonly machine: SimMachine
  readonly place: PagePlace
}

export interface BitRotOptions {
  readonly machines: () => readonly SimMachine[]
  /** That serves on the machine. */
  readonly nodeOn: (machine: SimMachine) => Node | undefined
}

/**
 * Changes bytes of pages that a disk has kept for a while. So that nothing is lost for good by it:
 *
 * - only pages of home groups are hit which another member that serves has in the same version, and sound; what is on one disk alone, which is regions
 *   without a group, the address map, and all records that are no pages, stays as it is;
 * - only where the group has all its members, and on one machine at a time, and not again before all that was hit is sound again, or gone;
 * - nothing of what was written last, as damage there cannot be told from a write that a crash has torn (docs/guarantees.md, P7).
 *
 * All the same it may come to two faults: while nobody has found the damage, the other members can be removed, and write over what they have. `lost` tells what
 * nobody has any more.
 */
export class BitRot {
  readonly #options: BitRotOptions
  #hits: Hit[] = []
  readonly #all: Kept[] = []

  constructor(options: BitRotOptions) {
    this.#options = options
  }

  /** Pages that were hit so far. */
  get count(): number {
    return this.#all.length
  }

  /** Says what was hit; undefined where nothing may be hit now. */
  hit(random: Prng): string | undefined {
    this.#hits = this.#hits.filter((one) => this.#isLeft(one))
    if (this.#hits.length > 0) return undefined
    const nodes = this.#options.machines().flatMap((machine) => this.#options.nodeOn(machine) ?? [])
    for (const machine of random.shuffle([...this.#options.machines()])) {
      const node = this.#options.nodeOn(machine)
      const log = logOf(machine)
      if (node === undefined || log === undefined) continue
      const targets = random.shuffle(candidates(node, nodes, machine)).slice(0, random.int(1, pagesMax))
      if (targets.length === 0) continue
      for (const target of targets) damage(log, target.place, random)
      this.#hits = targets
      this.#all.push(...targets.map(({ machine: _, place: __, ...kept }) => kept))
      return `${machine.name}: ${targets.map(nameOf).join(', ')}`
    }
    return undefined
  }

  /** Pages that were hit, and are damaged wherever they are, while all nodes serve. */
  lost(): readonly Kept[] {
    const nodes = this.#options.machines().flatMap((machine) => this.#options.nodeOn(machine) ?? [])
    const all = this.#all.flatMap((kept) =>
      kept.region === undefined ? [kept] : [kept, { ...kept, address: kept.region }],
    )
    return all.filter((kept) => isLost(kept, nodes))
  }

  /** Whether it is damaged still, as far as can be told. */
  #isLeft({ machine, group, address, space, page, version, place }: Hit): boolean {
    const node = this.#options.nodeOn(machine)
    if (node === undefined) return true
    const copies = node.groups.all().find(({ name }) => name === group)?.copies
    if (copies?.get(address)?.space !== space) return false
    if (copies.isDamaged(space, page)) return true
    const now = copies.placeOf(space, page)
    const isWhereItWas = now?.file === place.file && now.position === place.position
    return isWhereItWas && copies.versionOf(space, page) === version
  }
}

function logOf({ disk }: SimMachine): SimDirectory | undefined {
  const log = disk instanceof DirectoryDisk ? disk.directory(logPath) : undefined
  return log instanceof SimDirectory ? log : undefined
}

function candidates(node: Node, nodes: readonly Node[], machine: SimMachine): Hit[] {
  const found: Hit[] = []
  for (const { name, copies } of node.groups.all()) {
    const others = otherMembers(name, node, nodes)
    for (const kept of pagesOf(name, copies)) {
      const place = copies.placeOf(kept.space, kept.page)
      if (place === undefined || place.isInLastGroup || place.bytes === 0) continue
      if (others.some((other) => hasSame(other.copies, copies, kept))) found.push({ ...kept, machine, place })
    }
  }
  return found
}

/** None where the node is no member, or the group lacks some. */
function otherMembers(group: string, node: Node, nodes: readonly Node[]): GroupPart[] {
  const parts = nodes.map((one) => ({ node: one, part: one.groups.all().find(({ name }) => name === group) }))
  const record = parts.find(({ part }) => part?.isServed === true)?.part?.record
  if (record === undefined || record.members.length < record.replicas) return []
  if (!record.members.includes(node.node)) return []
  return parts.flatMap(({ node: one, part }) =>
    one !== node && part !== undefined && record.members.includes(one.node) ? [part] : [],
  )
}

function* pagesOf(group: string, copies: GroupPart['copies']): Generator<Kept> {
  for (const record of copies.all()) {
    const { descriptor, space } = record
    const region = isNote(descriptor) ? noteOf(record).region : undefined
    for (const { page, version } of copies.stampsOf(space))
      yield { group, address: descriptor.address, region, space, page, version }
  }
}

function hasSame(
  theirs: GroupPart['copies'],
  mine: GroupPart['copies'],
  { address, page, version }: Kept,
): boolean {
  const other = theirs.get(address)
  if (other?.descriptor.generation !== mine.get(address)?.descriptor.generation || other === undefined)
    return false
  return theirs.versionOf(other.space, page) === version && !theirs.isDamaged(other.space, page)
}

/** Somebody has it damaged, in that version, and nobody has it in order. */
function isLost({ group, address, page, version }: Kept, nodes: readonly Node[]): boolean {
  const copies = nodes.flatMap((node) => node.groups.all().find(({ name }) => name === group)?.copies ?? [])
  const inVersion = copies.flatMap((one) => {
    const space = one.get(address)?.space
    return space !== undefined && one.versionOf(space, page) === version ? one.isDamaged(space, page) : []
  })
  return inVersion.length > 0 && inVersion.every((isDamaged) => isDamaged)
}

function damage(log: SimDirectory, { file, position, bytes }: PagePlace, random: Prng): void {
  for (let count = random.int(1, bytesMax); count > 0; count--) log.rot(file, position + random.below(bytes))
}

function nameOf({ address, page, version }: Kept): string {
  return `${formatAddress(address)}/${page} (version ${version})`
}
