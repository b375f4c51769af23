import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import type { NodeOptions } from '../../src/node/node-options.js'
import type { RestoreProgress } from '../../src/wire/message.js'
import { NodeCluster, pageSize } from './node-cluster.js'
import type { NodeClusterOptions } from './node-cluster.js'

const MiB = 1024 * 1024
const patient = { timeoutMs: 20_000 }
const firstPage = { offset: 0, length: pageSize }

async function write(region: Region, value: number): Promise<void> {
  const lock = await region.lock('write', firstPage, patient)
  lock.write(0, new Uint8Array(pageSize).fill(value))
  await lock.unlock()
}

async function read(region: Region): Promise<number | undefined> {
  const lock = await region.lock('read', firstPage, patient)
  const bytes = lock.read(0, pageSize)
  await lock.unlock()
  return bytes[pageSize - 1]
}

/** A region with one backup, which is on disks alone. The backup of node 2 is the founder. */
async function writtenRegion(cluster: NodeCluster, home: number): Promise<Region> {
  const region = await cluster.reserve(home, 1, { minReplicas: 2 })
  await write(region, 7)
  await forgetPages(cluster, home)
  return region
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

/** Undefined where there is none. */
function backupOf(cluster: NodeCluster, home: number): number | undefined {
  const [group] = cluster.node(home).groups.all()
  return group?.record?.members[1]
}

function someBackupOf(cluster: NodeCluster, home: number): number {
  const backup = backupOf(cluster, home)
  assert.ok(backup !== undefined)
  return backup
}

const options = (more: (number: number) => Partial<NodeOptions> = () => ({})): NodeClusterOptions => ({
  nodes: 4,
  more: (number) => ({ diskBytesMax: 48 * MiB, ...more(number) }),
})

describe('a damaged page of a home group', () => {
  it('is got back from a backup, and whoever wants it only waits', async () => {
    const cluster = new NodeCluster(options())
    await cluster.run(async () => {
      const region = await writtenRegion(cluster, 2)
      await cluster.rot(2, region)
      assert.equal(await read(region), 7)
      const status = cluster.node(2).status()
      assert.deepEqual([status.damagedPages, status.mendedPages], [0, 1])
      assert.equal((await region.stat(firstPage)).pages[0]?.damaged, false)
    })
  })

  it('is written over where it is still damaged', async () => {
    const cluster = new NodeCluster(options())
    await cluster.run(async () => {
      const region = await writtenRegion(cluster, 2)
      await cluster.rot(2, region)
      await write(region, 8)
      assert.equal(await read(region), 8)
      assert.equal(await read(await cluster.at(3, region)), 8)
    })
  })

  it('is found at a backup that reads its disk, and got back from the primary', async () => {
    const cluster = new NodeCluster(options((number) => (number === 1 ? { scrubEveryMs: 1000 } : {})))
    await cluster.run(async () => {
      const region = await writtenRegion(cluster, 2)
      await cluster.rot(1, region)
      await cluster.until('it is mended', () => cluster.node(1).status().mendedPages === 1)
      assert.equal(cluster.node(1).status().damagedPages, 0)
      cluster.crash(2)
      assert.equal(await read(await cluster.at(4, region)), 7)
    })
  })

  it('is sent to a backup that cannot read it when that is brought up to date', async () => {
    const cluster = new NodeCluster(options(() => ({ scrubEveryMs: 500 })))
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 1, { minReplicas: 2 })
      await write(region, 7)
      const backup = someBackupOf(cluster, 1)
      const mend = [1, 2, 3, 4].filter((one) => one !== backup).map((other) => cluster.cut(backup, other))
      await cluster.rot(backup, region)
      await cluster.until('it is found', () => cluster.node(backup).status().damagedPages === 1)
      for (const each of mend) each()
      await cluster.until('it is sound', () => cluster.node(backup).status().damagedPages === 0)
    })
  })

  it('is waited for where whoever has it is on its way back', async () => {
    const cluster = new NodeCluster(options())
    await cluster.run(async () => {
      const region = await writtenRegion(cluster, 2)
      await cluster.rot(1, region)
      cluster.crash(2)
      const reading = read(await cluster.at(3, region))
      await cluster.until('the backup leads', () => cluster.node(1).groups.counts.led === 1)
      await cluster.start(2)
      assert.equal(await reading, 7)
    })
  })

  it('fails with "damaged" where no member has it, until it is given up', async () => {
    const cluster = new NodeCluster(options())
    await cluster.run(async () => {
      const region = await writtenRegion(cluster, 2)
      for (const member of [1, 2]) await cluster.rot(member, region)
      const before = cluster.now()
      await assert.rejects(read(region), { code: 'damaged' })
      assert.ok(cluster.now() - before < 1000, 'nobody waits for what cannot come')
      assert.equal((await region.stat(firstPage)).pages[0]?.damaged, true)
      assert.equal(cluster.node(2).status().damagedPages, 1)
      await region.free()
      await region.allocate()
      assert.equal(await read(region), 0)
      await cluster.until(
        'the backup has given it up, too',
        () => cluster.node(1).status().damagedPages === 0,
      )
    })
  })

  it('fails with "damaged" in a region without replicas', async () => {
    const cluster = new NodeCluster({ nodes: 2, more: () => ({ scrubEveryMs: 500 }) })
    await cluster.run(async () => {
      const region = await cluster.reserve(2)
      await write(region, 7)
      // What is damaged in the last that was written passes for a write that was torn.
      await cluster.reserve(2)
      const log = await cluster.log(2)
      const bytes = Buffer.from(log.content('00000001.log'))
      log.rot('00000001.log', bytes.indexOf(Buffer.alloc(pageSize, 7)) + 100)
      await cluster.until('it is found', () => cluster.node(2).status().damagedPages === 1)
      cluster.crash(2)
      await cluster.start(2)
      await assert.rejects(read(await cluster.at(2, region)), { code: 'damaged' })
    })
  })

  /** The page is damaged at nodes 1 and 2; one node has an older version, and another the one of node 2, but is down. */
  async function withOldCopy(
    cluster: NodeCluster,
  ): Promise<{ readonly region: Region; readonly old: number; readonly down: number }> {
    const region = await cluster.reserve(2, 1, { minReplicas: 3 })
    await write(region, 7)
    const members = cluster.node(2).groups.all()[0]?.record?.members ?? []
    const [old, down] = members.includes(3 as never) ? [3, 4] : [4, 3]
    cluster.crash(old)
    await cluster.until('another takes its place', () => {
      const now = cluster.node(2).groups.all()[0]?.record?.members ?? []
      return now.length === 3 && !now.includes(old as never)
    })
    await write(region, 8)
    await forgetPages(cluster, 2)
    for (const number of [1, 2]) await cluster.rot(number, region)
    cluster.crash(down)
    await cluster.start(old)
    return { region, old, down }
  }

  it('is taken in no other version than that which was there', async () => {
    const cluster = new NodeCluster(options())
    await cluster.run(async () => {
      const { region, down } = await withOldCopy(cluster)
      await assert.rejects(read(region), { code: 'damaged' })
      await cluster.start(down)
      await cluster.until('it is mended', () => cluster.node(2).status().damagedPages === 0)
      assert.equal(await read(region), 8)
    })
  })

  it('replaces an older version at a node that becomes a member, until its bytes are back', async () => {
    const cluster = new NodeCluster(options())
    await cluster.run(async () => {
      const { region, old, down } = await withOldCopy(cluster)
      const damaged = (): number[] => cluster.nodes.map((node) => node.status().damagedPages)
      await cluster.until('it is a member', () => {
        const members: readonly number[] = cluster.node(2).groups.all()[0]?.record?.members ?? []
        return members.includes(old)
      })
      assert.deepEqual(damaged(), [1, 1, 1])
      cluster.crash(2)
      await assert.rejects(read(await cluster.at(old, region)), { code: 'damaged' })
      assert.equal((await (await cluster.at(old, region)).stat(firstPage)).pages[0]?.damaged, true)
      await cluster.start(down)
      await cluster.until('it is mended', () => damaged().every((count) => count === 0))
      assert.equal(await read(await cluster.at(old, region)), 8)
    })
  })

  it('would be an old one, if any version were taken', async () => {
    const cluster = new NodeCluster(options(() => ({ mendBug: 'take-any-version' })))
    await cluster.run(async () => {
      const { region } = await withOldCopy(cluster)
      assert.equal(await read(region), 7)
    })
  })
})

describe('a home group that lacks a member', () => {
  const slow: Partial<NodeOptions> = {
    restoreBytesPerSecond: MiB,
    diskBytesMax: 48 * MiB,
  }
  const megabytes = 5

  /** Everything of its first member is to be sent to another node. */
  async function lacking(cluster: NodeCluster): Promise<Region> {
    const pages = (megabytes * MiB) / pageSize
    const region = await cluster.reserve(1, pages, { minReplicas: 2 })
    for (let part = 0; part < megabytes; part++) {
      const lock = await region.lock('write', { offset: part * MiB, length: MiB }, patient)
      lock.write(part * MiB, new Uint8Array(MiB).fill(part + 1))
      await lock.unlock()
    }
    cluster.crash(someBackupOf(cluster, 1))
    await cluster.until('it is removed', () => cluster.node(1).status().groupsShort === 1)
    return region
  }

  it('sends another node all that it has, no faster than it may, says how far it is, and serves meanwhile', async () => {
    const cluster = new NodeCluster({ nodes: 4, more: () => slow })
    await cluster.run(async () => {
      const region = await lacking(cluster)
      const before = cluster.now()
      const seen: RestoreProgress[] = []
      let slowest = 0
      for (let value = 1; backupOf(cluster, 1) === undefined; value++) {
        const start = cluster.now()
        await write(region, value % 250)
        slowest = Math.max(slowest, cluster.now() - start)
        seen.push(...(await region.stat(firstPage)).restoring)
        await cluster.pause(100)
      }
      assert.ok(cluster.now() - before > (megabytes - 1.5) * 1000, `it took ${cluster.now() - before} ms`)
      assert.ok(slowest < 300, `a write took ${slowest} ms`)
      assert.ok(seen.length > 10)
      assert.ok(
        seen.every(({ node, bytesTotal }) => node === seen[0]?.node && bytesTotal === megabytes * MiB),
      )
      const done = seen.map(({ pagesDone }) => pagesDone)
      assert.deepEqual(
        done,
        done.toSorted((a, b) => a - b),
        'it goes on, and does not begin anew',
      )
      assert.ok(done.some((pages) => pages > 0 && pages < (megabytes * MiB) / pageSize))
      const { groupsLed, groupsShort, groupsBacked } = cluster.node(1).status()
      assert.deepEqual([groupsLed, groupsShort, groupsBacked], [1, 0, 0])
      assert.equal(cluster.node(someBackupOf(cluster, 1)).status().groupsBacked, 1)
      assert.deepEqual((await region.stat(firstPage)).restoring, [])
      assert.deepEqual((await region.stat(firstPage)).group, [1, seen[0]?.node])
    })
  })
})

describe('a backup that was removed while it could not be reached', () => {
  it('hears of it when it can be reached, and keeps nothing that nobody needs', async () => {
    const cluster = new NodeCluster(options())
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 1, { minReplicas: 2 })
      await write(region, 7)
      const old = someBackupOf(cluster, 1)
      const cuts = [1, 2, 3, 4].filter((one) => one !== old).map((other) => cluster.cut(old, other))
      await cluster.until('another takes its place', () => ![undefined, old].includes(backupOf(cluster, 1)))
      for (const mend of cuts) mend()
      await cluster.until('it has no copy', () => cluster.node(old).groups.all().length === 0)
    })
  })

  it('keeps nothing either of a group that has nothing any more, of which its members know nothing after a start', async () => {
    const cluster = new NodeCluster(options())
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 1, { minReplicas: 2 })
      await write(region, 7)
      const old = someBackupOf(cluster, 1)
      const cuts = [1, 2, 3, 4].filter((one) => one !== old).map((other) => cluster.cut(old, other))
      await cluster.until('another takes its place', () => ![undefined, old].includes(backupOf(cluster, 1)))
      const other = someBackupOf(cluster, 1)
      await region.unreserve(patient)
      for (const member of [1, other]) {
        cluster.crash(member)
        await cluster.start(member)
      }
      for (const mend of cuts) mend()
      await cluster.until('it has no copy', () => cluster.node(old).groups.all().length === 0)
    })
  })
})

describe('a backup that has not heard of the end of the last region of its group', () => {
  const hasCopy = (cluster: NodeCluster, node: number, { address }: Region): boolean =>
    cluster
      .node(node)
      .groups.all()
      .some(({ copies }) => copies.get(address) !== undefined)

  it('hears of it from a primary that knows nothing of the group after a start', async () => {
    const cluster = new NodeCluster(options())
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 1, { minReplicas: 2 })
      const { group } = await region.stat(firstPage)
      const backup = group.at(-1) ?? assert.fail('it has none')
      // For it the node says to the coordinator that it lives.
      await cluster.reserve(1, 1, { minReplicas: 3 })
      await region.free(undefined, patient)
      const mend = cluster.cut(1, backup)
      void region.unreserve(patient)
      await cluster.pause(100)
      for (const member of [1, backup]) {
        cluster.crash(member)
        await cluster.start(member)
      }
      assert.equal(cluster.node(1).groups.all().length, 1, 'it knows nothing of the group')
      assert.ok(hasCopy(cluster, backup, region))
      mend()
      await cluster.until('it has no copy', () => !hasCopy(cluster, backup, region))
    })
  })
})

describe('a node whose log was given up in part', () => {
  const accepting = options((number) => (number === 1 ? {} : { acceptDamage: true }))

  /** The tables of the batch that wrote the page cannot be read: nobody can tell what was in it. */
  async function ruin(cluster: NodeCluster, number: number, region: Region): Promise<void> {
    await cluster.rot(number, region, 0, -pageSize)
    cluster.crash(number)
  }

  it('lets a backup take over, which has what it may lack, and is brought up to date', async () => {
    const cluster = new NodeCluster(accepting)
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 1, { minReplicas: 2 })
      for (const value of [7, 8]) await write(region, value)
      await cluster.reserve(2)
      await ruin(cluster, 2, region)
      await cluster.start(2)
      assert.equal(await read(await cluster.at(4, region)), 8)
      assert.equal((await (await cluster.at(4, region)).stat(firstPage)).descriptor.home, 1)
      const other = await cluster.reserve(2, 1, { minReplicas: 2 })
      await write(other, 9)
      assert.equal((await other.stat(firstPage)).descriptor.home, 2, 'nothing is in doubt any more')
    })
  })

  it('serves nothing before others are there that have what it may lack, however long that takes', async () => {
    const cluster = new NodeCluster(accepting)
    await cluster.run(async () => {
      // So that nodes have sessions, and the backup is not the founder, which keeps the coordinator.
      await cluster.reserve(3, 1, { minReplicas: 4 })
      const region = await cluster.reserve(3, 1, { minReplicas: 2 })
      const { group } = await region.stat(firstPage)
      const backup = group.find((node) => node !== 3) ?? assert.fail('it has none')
      assert.notEqual(backup, 1)
      for (const value of [7, 8]) await write(region, value)
      await cluster.reserve(3)
      const there = await cluster.at(backup === 4 ? 2 : 4, region)
      await ruin(cluster, 3, region)
      cluster.crash(backup)
      await cluster.start(3)
      await assert.rejects(there.lock('read', firstPage, { timeoutMs: 15_000 }))
      await cluster.start(backup)
      assert.equal(await read(there), 8)
    })
  })

  it('goes on with what is intact where nobody has more', async () => {
    const cluster = new NodeCluster({ nodes: 2, more: () => ({ acceptDamage: true }) })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 1, { minReplicas: 2 })
      await write(region, 7)
      cluster.crash(2)
      await cluster.until('it is alone', () => cluster.node(1).groups.counts.short === 1)
      await write(region, 8)
      await cluster.reserve(1)
      await ruin(cluster, 1, region)
      await cluster.start(1)
      assert.equal(await read(await cluster.at(1, region)), 7, 'what is lost is lost')
    })
  })
})
