import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterOfThree } from './cluster-of-three.js'
import { output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'
import { nodesAt } from './status-of.js'

test('a cluster does without its founder for as long as that is dead, and has it back after', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const [one, two, three] = [1, 2, 3].map((number) => cluster.node(number))
  assert.ok(one !== undefined && two !== undefined && three !== undefined)
  // Through one that is not the founder.
  await using four = await Daemon.start(folder.in('4'), ['--join', three.ready.listen])
  assert.equal(four.ready.node, 4)
  const put = (at: string, text: string): Promise<string> => output(['put', '-'], { at, input: text })
  const get = (address: string, at: string): Promise<string> => output(['get', address], { at })
  const [ofOne, ofTwo, ofThree] = [
    await put(one.at, 'one'),
    await put(two.at, 'two'),
    await put(three.at, 'three'),
  ]
  assert.equal(await get(ofTwo, three.at), 'two')

  await one.end('SIGKILL')
  // What it has used, and what it has not.
  assert.equal(await get(ofTwo, three.at), 'two')
  assert.equal(await get(ofTwo, four.at), 'two')
  await output(['write', ofThree, '--offset', '0'], { at: two.at, input: 'THREE' })
  assert.equal(await get(ofThree, four.at), 'THREE')
  const region = await output(['reserve', '8KiB'], { at: four.at })
  await output(['allocate', region], { at: three.at })
  await output(['migrate', ofTwo, '--to', '3'], { at: four.at })
  assert.equal(await get(ofTwo, two.at), 'two')
  // More than its pool has.
  const huge = await output(['reserve', '2GiB'], { at: three.at })
  await using five = await Daemon.start(folder.in('5'), ['--join', four.ready.listen])
  assert.ok(five.ready.node > 4)
  assert.equal(await get(ofThree, five.at), 'THREE')
  const ofFive = await put(five.at, 'five')

  const { at } = await cluster.killAndRestart(1)
  for (const [address, text] of [
    [ofOne, 'one'],
    [ofTwo, 'two'],
    [ofThree, 'THREE'],
    [ofFive, 'five'],
  ] as const) {
    assert.equal(await get(address, at), text)
  }
  assert.equal(await get(ofOne, five.at), 'one')
  await output(['unreserve', huge], { at })
  assert.deepEqual(await nodesAt(at), [1, 2, 3, 4, five.ready.node])
})
