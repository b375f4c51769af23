import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Khazana } from '../../src/index.js'
import type { Region } from '../../src/index.js'
import { Daemon, TemporaryFolder } from './daemon.js'

const byte = { offset: 0, length: 1 }
/** In which all nodes get numbers for others that they may have to admit. */
const settledMs = 500
/** Several leases, in each of which a session would be lost. */
const restMs = 3000

async function write(region: Region, value: number): Promise<void> {
  const lock = await region.lock('write', byte)
  lock.write(0, Uint8Array.of(value))
  await lock.unlock()
}

async function read(region: Region): Promise<number | undefined> {
  const lock = await region.lock('read', byte)
  const [value] = lock.read(0, 1)
  await lock.unlock()
  return value
}

/** A node on a new disk, where the first one was. */
async function replace(node: Daemon, dir: string, join?: Daemon): Promise<Daemon> {
  const { listen } = node.ready
  await node.end('SIGKILL')
  await rm(node.dir, { recursive: true })
  return Daemon.start(dir, ['--listen', listen, ...(join === undefined ? [] : ['--join', join.ready.listen])])
}

describe('a node whose disk was lost, and another one in its place', () => {
  it('have sessions with all others, and keep them, where several were replaced', async () => {
    await using folder = await TemporaryFolder.make()
    await using one = await Daemon.start(folder.in('1'))
    await using two = await Daemon.start(folder.in('2'), ['--join', one.ready.listen])
    await using three = await Daemon.start(folder.in('3'), ['--join', one.ready.listen])
    await pause(settledMs)
    await using newOne = await replace(one, folder.in('1b'), three)
    // Which has no numbers yet, and whose manager is the one that is dead by then.
    await using newTwo = await replace(two, folder.in('2b'), newOne)
    const [atOne, atTwo] = [await Khazana.connect(newOne.at), await Khazana.connect(newTwo.at)]
    const region = await atOne.reserve(4096)
    await region.allocate()
    const other = await atTwo.region(region.address)
    await write(other, 1)
    const before = newOne.log.length
    const until = Date.now() + restMs
    while (Date.now() < until) {
      await pause(50)
      await write(region, 2)
      assert.equal(await read(other), 2)
    }
    assert.doesNotMatch(newOne.log.slice(before), /session lost/)
    await atOne.close()
    await atTwo.close()
  })

  it('are told apart by clients, which stay with neither', async () => {
    await using folder = await TemporaryFolder.make()
    await using one = await Daemon.start(folder.in('1'))
    await using two = await Daemon.start(folder.in('2'), ['--join', one.ready.listen])
    const khazana = await Khazana.connect(two.ready.listen)
    const region = await khazana.reserve(4096)
    await region.allocate()
    await using newTwo = await replace(two, folder.in('2b'), one)
    assert.notEqual(newTwo.ready.node, two.ready.node)
    await pause(restMs)
    await assert.rejects(write(region, 1), { code: 'wrong-cluster' })
    await khazana.close()
  })

  it('are told apart by clients also where the new one is the first of another cluster', async () => {
    await using folder = await TemporaryFolder.make()
    await using one = await Daemon.start(folder.in('1'))
    const khazana = await Khazana.connect(one.ready.listen)
    const region = await khazana.reserve(4096)
    await region.allocate()
    await write(region, 1)
    await using other = await replace(one, folder.in('1b'))
    await using stranger = await Khazana.connect(other.ready.listen)
    const strange = await stranger.reserve(4096)
    await strange.allocate()
    assert.equal(strange.address, region.address)
    await pause(restMs)
    await assert.rejects(read(region), { code: 'wrong-cluster' })
    await assert.rejects(write(region, 2), { code: 'wrong-cluster' })
    assert.equal(await read(strange), 0)
    await khazana.close()
  })
})
