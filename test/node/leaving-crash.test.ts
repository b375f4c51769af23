import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import type { Node } from '../../src/node/node.js'
import { codeOf, errorOf, homesOf, membersAt, regionAt } from './census.js'
import { overlaps } from '../../src/testing/khazana/overlaps.js'
import { NodeCluster, pageSize } from './node-cluster.js'
import { read, write } from './small-cluster.js'

const pages = 3
const regionCount = 3

interface Scene {
  readonly cluster: NodeCluster
  readonly regions: readonly Region[]
}

/** Four nodes, of which one has regions that another has used, and one whose address space is another's. */
async function withRegions(home: number, test: (scene: Scene) => Promise<void>): Promise<void> {
  const cluster = new NodeCluster({ nodes: 4 })
  await cluster.run(async () => {
    const regions: Region[] = []
    for (let count = 0; count < regionCount; count++) regions.push(await cluster.reserve(home, pages))
    const guest = await cluster.reserve(4, pages)
    await guest.migrate(home)
    regions.push(guest)
    for (const region of regions) {
      const used = await regionAt(cluster.node(4), region)
      for (let page = 0; page < pages; page++) await write(used, page, page + 1)
    }
    await test({ cluster, regions })
  })
}

/** All has one home, and is as it was, from every node; and each can reserve what nobody has. */
async function checkWhole({ cluster, regions }: Scene): Promise<void> {
  const at = async (node: Node, region: Region): Promise<Region> => {
    let here: Region | undefined
    const looked = async (): Promise<boolean> => {
      try {
        here = await regionAt(node, region)
        return true
      } catch {
        return false
      }
    }
    await cluster.until(`node ${node.identity.node} finds it`, looked)
    assert.ok(here !== undefined)
    return here
  }
  for (const region of regions) {
    await cluster.until('it has a home', () => homesOf(cluster.nodes, region.address).length > 0)
    for (const node of cluster.nodes) {
      const here = await at(node, region)
      for (let page = 0; page < pages; page++) assert.equal(await read(here, page), page + 1, node.name)
      await write(here, 0, 1)
    }
    assert.equal(homesOf(cluster.nodes, region.address).length, 1)
  }
  const taken = regions.map(({ address, size }) => ({ address, size }))
  for (const node of cluster.nodes) {
    const { address, size } = await new Khazana(node).reserve(pageSize)
    for (const other of taken) {
      assert.ok(address >= other.address + BigInt(other.size) || other.address >= address + BigInt(size))
    }
    taken.push({ address, size })
  }
  assert.deepEqual(overlaps(cluster.nodes), [])
}

/** How long it takes, where nothing disturbs it, until others hear that the node has left. Milliseconds. */
async function leaveMs(leaver: number): Promise<number> {
  let tookMs = 0
  await withRegions(leaver, async (scene) => {
    const { cluster } = scene
    const begun = cluster.now()
    const left = cluster.node(leaver).leave({})
    await cluster.until('another one has heard', () => isForgotten(scene, leaver), 0.5)
    tookMs = cluster.now() - begun
    await left
  })
  return tookMs
}

/** Whether no other node counts it as a member any more. */
function isForgotten({ cluster }: Scene, leaver: number): boolean {
  const others = cluster.nodes.filter(({ identity }) => identity.node !== leaver)
  return others.every((node) => !membersAt(node).includes(leaver))
}

/** The pools, the root of the address map and the numbers go to the lowest node that is up. */
function heirOf(leaver: number): number {
  return leaver === 1 ? 2 : 1
}

const moments = 10

describe('a leave in which a node dies', () => {
  for (const leaver of [1, 2]) {
    for (const victim of ['leaver', 'heir'] as const) {
      for (const how of ['killed', 'without power'] as const) {
        const who = `node ${leaver} leaves, the ${victim} is ${how}`
        it(`loses nothing, gives nothing twice, and can be done again: ${who}`, async (t) => {
          const wholeMs = await leaveMs(leaver)
          t.diagnostic(`${wholeMs} ms`)
          const ends = { left: 0, stayed: 0 }
          for (let moment = 0; moment < moments; moment++) {
            await withRegions(leaver, async (scene) => {
              const { cluster } = scene
              const number = victim === 'leaver' ? leaver : heirOf(leaver)
              void codeOf(cluster.node(leaver).leave({ timeoutMs: 20_000 }))
              await cluster.pause((wholeMs * moment) / moments)
              if (how === 'killed') cluster.crash(number)
              else cluster.losePower(number)
              await cluster.pause(300)
              const error = await errorOf(cluster.start(number))
              if (error === undefined) ends.stayed += 1
              else {
                assert.equal(error.code, 'wrong-cluster')
                assert.equal(number, leaver)
                ends.left += 1
              }
              if (victim === 'heir') await cluster.until('it has left', () => cluster.hasLeft(leaver))
              await checkWhole(scene)
              if (victim === 'leaver' && error === undefined) {
                await cluster.leave(leaver)
                await checkWhole(scene)
              }
              await cluster.until('all have heard', () => isForgotten(scene, leaver))
            })
          }
          t.diagnostic(JSON.stringify(ends))
        })
      }
    }
  }

  it('counts as a member no longer, where it had left and could not say so, once it is started again', async (t) => {
    const ends = { left: 0, stayed: 0 }
    for (let afterMs = 0; afterMs < 8; afterMs += 0.5) {
      await withRegions(2, async (scene) => {
        const { cluster } = scene
        const node = cluster.node(2)
        void codeOf(node.leave({ timeoutMs: 20_000 }))
        await cluster.until('it is about to', () => node.members.find(node.node)?.state === 'left', 0.02)
        await cluster.pause(afterMs)
        const hasSaidSo = isForgotten(scene, 2)
        cluster.losePower(2)
        const error = await errorOf(cluster.start(2))
        if (error === undefined) {
          ends.stayed += 1
          await cluster.leave(2)
        } else if (!hasSaidSo) ends.left += 1
        await cluster.until('all have heard', () => isForgotten(scene, 2))
        await checkWhole(scene)
      })
    }
    t.diagnostic(JSON.stringify(ends))
    assert.ok(ends.left > 0 && ends.stayed > 0)
  })

  it('is given up with a pool that was promised: the heir gets it when it is back', async () => {
    await withRegions(2, async (scene) => {
      const { cluster } = scene
      const { pools } = cluster.node(2)
      const promised = (): boolean => [...pools.all()].some((pool) => pools.isLeaving(pool))
      const left = codeOf(cluster.node(2).leave({ timeoutMs: 4000 }))
      await cluster.until('a pool is promised', promised, 0.1)
      const [pool] = pools.all()
      assert.ok(pool !== undefined)
      cluster.crash(1)
      assert.match(await left, /^(unreachable|timeout)$/)
      assert.ok(promised())
      await cluster.start(1)
      await cluster.until('it is handed over', () => !promised())
      assert.equal(cluster.node(1).pools.find(pool.start)?.start, pool.start)
      await checkWhole(scene)
      await cluster.leave(2)
      await checkWhole(scene)
    })
  })
})
