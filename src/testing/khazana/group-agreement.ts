import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { PageIndex } from '../../address/page.js'
import type { Node } from '../../node/node.js'
import type { GroupCopies } from '../../node/group/group-copies.js'
import type { SpaceId } from '../../store/space.js'
import { KhazanaError } from '../../stdx/errors.js'

/**
 * When nothing is on the way any more: home groups that nobody serves or that lack members, and members that do not have what their primary
 * has; one line each.
 */
export async function differentBackups(nodes: readonly Node[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const node of nodes) {
    for (const { name, record, isServed, copies } of node.groups.all()) {
      if (record === undefined) found.push(`${node.name} does not know the record of group ${name}`)
      if (record?.members[0] !== node.node) continue
      if (!isServed) found.push(`${node.name} does not serve group ${name}, which it leads`)
      const wanted = Math.min(record.replicas, nodes.length)
      if (record.members.length < wanted)
        found.push(`group ${name} has ${record.members.length} of ${wanted} members`)
      for (const member of record.members) {
        const other = nodes.find((one) => one.node === member)
        if (other === undefined || other === node) continue
        const theirs = other.groups.all().find((one) => one.name === name)
        if (theirs === undefined) found.push(`${other.name} has nothing of group ${name}`)
        else found.push(...(await differences(name, node, copies, other, theirs.copies)))
      }
    }
  }
  return found
}

/** The same some seconds later: copies of nodes that are no members, by the word of who serves the group, or of which nobody says anything; one line each. */
export function* superfluousCopies(nodes: readonly Node[]): Generator<string> {
  const served = new Map(
    nodes.flatMap(({ groups }) =>
      groups.all().flatMap(({ name, isServed, record }) => (isServed ? [[name, record] as const] : [])),
    ),
  )
  for (const { node, name: keeper, groups } of nodes) {
    for (const { name, copies } of groups.all()) {
      if (copies.isEmpty || served.get(name)?.members.includes(node) === true) continue
      yield `${keeper} has a copy of group ${name}, and is no member that is served`
    }
  }
}

/** When nothing is on the way any more: regions that are not homed at one node, or of which something is left that is on its way; one line each. */
export function misplaced(nodes: readonly Node[], regions: Iterable<Address>): readonly string[] {
  const found: string[] = []
  for (const region of regions) {
    const homes = nodes.filter(({ home }) => home.find(region) !== undefined)
    const what = `region ${formatAddress(region)}`
    if (homes.length !== 1)
      found.push(`${what} has ${homes.length} homes: ${homes.map(({ name }) => name).join()}`)
    for (const { name, home } of nodes)
      if (home.settled(region) !== undefined) found.push(`${what} may be homed at ${name}`)
  }
  for (const { name, groups } of nodes) {
    for (const { name: group, isServed, copies } of groups.all()) {
      for (const { descriptor, handover } of isServed ? copies.all() : [])
        if (handover !== undefined)
          found.push(`${formatAddress(descriptor.address)} is ${handover.side} group ${group} at ${name}`)
    }
  }
  return found
}

async function differences(
  group: string,
  node: Node,
  mine: GroupCopies,
  other: Node,
  theirs: GroupCopies,
): Promise<string[]> {
  const what = `group ${group}, at ${node.name} and ${other.name}`
  const [here, there] = [await contentOf(mine), await contentOf(theirs)]
  const found: string[] = []
  for (const key of new Set([...here.keys(), ...there.keys()])) {
    const [a, b] = [here.get(key), there.get(key)]
    if (a !== b) found.push(`${what}: ${key} is ${a ?? 'missing'} and ${b ?? 'missing'}`)
  }
  return found
}

/** Of each page its version and the beginning of its bytes, and of each region its record. */
async function contentOf(copies: GroupCopies): Promise<ReadonlyMap<string, string>> {
  const content = new Map<string, string>()
  for (const { descriptor, allocated, floor, space } of copies.all()) {
    const { address, generation, era, revision } = descriptor
    const region = formatAddress(address)
    const ranges = [...allocated].map(({ first, count }) => `${first}+${count}`).join(' ')
    content.set(region, `${generation}.${era}.${revision} ${ranges} above ${floor}`)
    for (const { page, version } of [...copies.stampsOf(space)]) {
      content.set(`${region} page ${page}`, `${version}: ${await bytesOf(copies, space, page)}`)
    }
  }
  return content
}

/** The beginning, in words; or that it is damaged, which is like nothing else, also not the same at another node. */
async function bytesOf(copies: GroupCopies, space: SpaceId, page: PageIndex): Promise<string> {
  try {
    const stored = await copies.read(space, page)
    return Buffer.from(stored?.bytes ?? [])
      .toString('base64')
      .slice(0, 40)
  } catch (reason) {
    return `${KhazanaError.from(reason).message}, in space ${space}`
  }
}
