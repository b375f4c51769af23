import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatAddress } from '../../src/address/address.js'
import type { Region } from '../../src/client/region.js'
import type { GroupRecord } from '../../src/membership/home-group/group-record.js'
import { NodeCluster, pageSize } from './node-cluster.js'

const MiB = 1024 * 1024
const patient = { timeoutMs: 20_000 }

const newCluster = (traceSink?: (line: string) => void): NodeCluster =>
  new NodeCluster({
    nodes: 5,
    more: () => ({ diskBytesMax: 48 * MiB }),
    ...(traceSink !== undefined && { traceSink }),
  })

interface Extent {
  readonly pages: number
  /** From page 1 on. */
  readonly rotten: number
}

interface Scene {
  /** Homed at node 2, where pages are damaged, which it does not know. */
  readonly region: Region
  /** The other member, which is down. It alone has them. */
  readonly old: number
}

function rangeOf(page: number): { offset: number; length: number } {
  return { offset: page * pageSize, length: pageSize }
}

function valueOf(page: number): number {
  return 10 + (page % 100)
}

async function write(region: Region, page: number, value: number): Promise<void> {
  const lock = await region.lock('write', rangeOf(page), patient)
  lock.write(page * pageSize, new Uint8Array(pageSize).fill(value))
  await lock.unlock()
}

async function read(region: Region, page: number): Promise<number | undefined> {
  const lock = await region.lock('read', rangeOf(page), patient)
  const bytes = lock.read(page * pageSize, pageSize)
  await lock.unlock()
  return bytes[pageSize - 1]
}

/** Of the region's home group, as the node knows it. */
function recordOf(cluster: NodeCluster, number: number, region: Region): GroupRecord | undefined {
  const parts = cluster.node(number).groups.all()
  return parts.find(({ copies }) => copies.get(region.address) !== undefined)?.record
}

function membersOf(cluster: NodeCluster, number: number, region: Region): readonly number[] {
  return recordOf(cluster, number, region)?.members ?? []
}

/** A home group of two members, of which neither is the founder. */
async function scene(cluster: NodeCluster, { pages, rotten }: Extent): Promise<Scene> {
  // So all have sessions with each other, and the founder is not asked first.
  await cluster.reserve(2, 1, { minReplicas: 5 })
  const region = await cluster.reserve(2, pages, { minReplicas: 2 })
  for (let page = 0; page < pages; page++) await write(region, page, valueOf(page))
  await forgetPages(cluster, 2)
  const [, old] = membersOf(cluster, 2, region)
  assert.ok(old !== undefined && old > 1)
  for (let page = 1; page <= rotten; page++) await cluster.rot(2, region, page)
  cluster.crash(old)
  return { region, old }
}

/** The node needs its memory for other pages. */
async function forgetPages(cluster: NodeCluster, number: number): Promise<void> {
  const large = await cluster.reserve(1, (6 * MiB) / pageSize)
  const there = await cluster.at(number, large)
  for (let round = 0; round < 12; round++) {
    const lock = await there.lock('read', { offset: (round % 6) * MiB, length: MiB }, patient)
    await lock.unlock()
  }
}

/** Resolves with the member beside the home, when there is one, and it is not the old one. */
async function newMember(
  cluster: NodeCluster,
  home: number,
  { region, old }: Pick<Scene, 'region' | 'old'>,
): Promise<number> {
  const find = (): number | undefined =>
    membersOf(cluster, home, region).find((one) => ![home, old].includes(one))
  await cluster.until('another node is a member', () => find() !== undefined)
  const found = find()
  assert.ok(found !== undefined)
  return found
}

function damaged(cluster: NodeCluster, numbers: readonly number[]): number[] {
  return numbers.map((number) => cluster.node(number).status().damagedPages)
}

describe('a page whose bytes no member of a home group has', () => {
  const extent = { pages: 4, rotten: 1 }

  async function assertServed(region: Region): Promise<void> {
    for (const page of [0, 2, 3]) assert.equal(await read(region, page), valueOf(page))
    await assert.rejects(read(region, 1), { code: 'damaged' })
  }

  it('does not keep the others from a new member, and is damaged there, too, also when that leads', async () => {
    const cluster = newCluster()
    await cluster.run(async () => {
      const { region, old } = await scene(cluster, extent)
      const crashed = cluster.now()
      const next = await newMember(cluster, 2, { region, old })
      assert.ok(cluster.now() - crashed < 5000, 'nobody waits for bytes that nobody has')
      assert.deepEqual(damaged(cluster, [2, next]), [1, 1])
      const there = await cluster.at(1, region)
      await assertServed(there)
      cluster.crash(2)
      await assertServed(there)
      const { descriptor, pages } = await there.stat(rangeOf(1))
      assert.deepEqual([descriptor.home, pages[0]?.damaged], [next, true])
      const third = await newMember(cluster, next, { region, old: 2 })
      assert.deepEqual(damaged(cluster, [next, third]), [1, 1])
    })
  })

  it('can be given up: it cannot be written or moved, as that takes its bytes, but freed', async () => {
    const cluster = newCluster()
    await cluster.run(async () => {
      const { region, old } = await scene(cluster, extent)
      const next = await newMember(cluster, 2, { region, old })
      const there = await cluster.at(1, region)
      await assert.rejects(write(there, 1, 99), {
        code: 'damaged',
        message: new RegExp(
          `^page 1 of region ${formatAddress(region.address)} .* free it and allocate it again`,
        ),
      })
      const moving = there.setAttributes({ minReplicas: 1 }, patient)
      await assert.rejects(moving, { code: 'damaged' }, 'it goes to no other log')
      await there.free(rangeOf(1))
      await there.allocate(rangeOf(1))
      assert.equal(await read(there, 1), 0)
      await write(there, 1, 99)
      assert.deepEqual(damaged(cluster, [2, next]), [0, 0])
      cluster.crash(2)
      assert.equal(await read(there, 1), 99)
    })
  })

  it('is so still at a member that was started again, which counts as before', async () => {
    const cluster = newCluster()
    await cluster.run(async () => {
      const { region, old } = await scene(cluster, extent)
      const next = await newMember(cluster, 2, { region, old })
      const before = recordOf(cluster, 2, region)
      cluster.crash(next)
      await cluster.start(next)
      assert.deepEqual(damaged(cluster, [2, next]), [1, 1])
      await write(region, 2, 99)
      assert.deepEqual(recordOf(cluster, 2, region), before, 'it was not removed meanwhile')
      assert.deepEqual(damaged(cluster, [2, next]), [1, 1])
      cluster.crash(2)
      assert.equal(await read(await cluster.at(1, region), 2), 99)
      await assert.rejects(read(await cluster.at(1, region), 1), { code: 'damaged' })
    })
  })

  it('is mended at all members when a node comes back that has it', async () => {
    const cluster = newCluster()
    await cluster.run(async () => {
      const { region, old } = await scene(cluster, extent)
      const next = await newMember(cluster, 2, { region, old })
      assert.deepEqual(damaged(cluster, [2, next]), [1, 1])
      await cluster.start(old)
      await cluster.until('it is mended', () => damaged(cluster, [2, next]).every((count) => count === 0))
      await cluster.until('its copy is needed no more', () => membersOf(cluster, old, region).length === 0)
      cluster.crash(2)
      assert.equal(await read(await cluster.at(1, region), 1), valueOf(1))
    })
  })

  it('is taken from the copy of a former member before that is thrown away, however many there are', async () => {
    const warnings: string[] = []
    const cluster = newCluster((line) => {
      if (line.includes('that nobody can give')) warnings.push(line)
    })
    await cluster.run(async () => {
      const rotten = 300
      const { region, old } = await scene(cluster, { pages: rotten + 1, rotten })
      const next = await newMember(cluster, 2, { region, old })
      assert.deepEqual(damaged(cluster, [2, next]), [rotten, rotten])
      assert.equal(warnings.length, 1, 'the log says it once, and not of each page')
      await cluster.start(old)
      await cluster.until('its copy is needed no more', () => membersOf(cluster, old, region).length === 0)
      assert.deepEqual(damaged(cluster, [2, next]), [0, 0])
    })
  })
})
