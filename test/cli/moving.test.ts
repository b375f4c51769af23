import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { ClusterOfThree } from './cluster-of-three.js'
import { bytesOf, khazana, output } from './command.js'
import { TemporaryFolder } from './daemon.js'

const MiB = 1024 * 1024

interface Stat {
  readonly home: number
  readonly moving: unknown
}

async function statOf(address: string, at: string): Promise<Stat> {
  return JSON.parse(await output(['stat', address, '--json'], { at })) as Stat
}

test('a region is moved by the command, is found by all, and does without its old home', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const [one, two, three] = [1, 2, 3].map((number) => cluster.node(number))
  assert.ok(one !== undefined && two !== undefined && three !== undefined)
  const content = randomBytes(10 * MiB + 12_345)
  const address = await output(['put', '-'], { at: one.at, input: content })
  assert.ok(content.equals(await bytesOf(['get', address], { at: three.at })))

  assert.equal(await output(['migrate', address, '--to', String(two.ready.node)], { at: three.at }), '')
  for (const { at } of [one, two, three]) {
    assert.deepEqual(
      [(await statOf(address, at)).home, (await statOf(address, at)).moving],
      [two.ready.node, null],
    )
    assert.ok(content.equals(await bytesOf(['get', address], { at })))
  }
  // Again, from a node that may have heard of the move, and one that has made it.
  for (const { at } of [three, one]) {
    assert.equal(await output(['migrate', address, '--to', 'node-2'], { at }), 'already homed at 2')
  }
  // Nothing of it is needed any more where it was.
  await one.end('SIGKILL')
  assert.ok(content.equals(await bytesOf(['get', address], { at: three.at })))

  const nowhere = await khazana(['migrate', address, '--to', 'nobody'], { at: two.at })
  assert.equal(nowhere.status, 1)
  assert.match(nowhere.stderr, /^khazana: invalid-argument: no node of the cluster is called/)
  assert.equal((await khazana(['migrate', address], { at: two.at })).status, 2)
})

test('new homes survive kill -9 of both, and a move back takes what was written', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const address = await output(['put', '-'], { at: cluster.node(1).at, input: randomBytes(100_000) })
  await output(['migrate', address, '--to', '2'], { at: cluster.node(1).at })
  const update = randomBytes(5000)
  await output(['write', address, '--offset', '100'], { at: cluster.node(3).at, input: update })
  for (const number of [1, 2]) await cluster.killAndRestart(number)
  const document = await output(['migrate', address, '--to', '1', '--json'], { at: cluster.node(3).at })
  assert.equal((JSON.parse(document) as Stat).home, 1)
  for (const number of [1, 2, 3]) {
    const { at } = cluster.node(number)
    assert.ok(update.equals(await bytesOf(['read', address, '--offset', '100', '--length', '5000'], { at })))
  }
})
