import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { ClusterOfThree } from './cluster-of-three.js'
import { bytesOf, khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'
import { nodesAt } from './status-of.js'

const KiB = 1024

test('a node that leaves hands over what it has, ends, and is not listed or started again', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const [one, two, three] = [1, 2, 3].map((number) => cluster.node(number))
  assert.ok(one !== undefined && two !== undefined && three !== undefined)
  const content = randomBytes(300 * KiB)
  const address = await output(['put', '-'], { at: two.at, input: content })
  assert.ok(content.equals(await bytesOf(['get', address], { at: three.at })))

  assert.equal(await output(['leave'], { at: two.at }), '')
  assert.equal(await two.ended, 0)
  assert.match(two.log, /stopping reason="?it has left the cluster/)
  for (const { at } of [one, three]) {
    assert.ok(content.equals(await bytesOf(['get', address], { at })))
    assert.deepEqual(await nodesAt(at), [1, 3])
  }
  const again = await khazana(['node', '--dir', two.dir])
  assert.equal(again.status, 1)
  assert.match(
    again.stderr,
    /khazana: wrong-cluster: .* node 2, which has left its cluster: use a new directory/,
  )

  // Also the founder.
  assert.equal(await output(['leave'], { at: one.at }), '')
  assert.equal(await one.ended, 0)
  assert.ok(content.equals(await bytesOf(['get', address], { at: three.at })))
  await using added = await Daemon.start(folder.in('4'), ['--join', three.ready.listen])
  assert.deepEqual(await nodesAt(three.at), [3, added.ready.node])
  const next = await output(['put', '-'], { at: added.at, input: 'next' })
  assert.equal(await output(['get', next], { at: three.at }), 'next')
})

test('SIGTERM leaves the cluster with --drain, and only then', async () => {
  await using folder = await TemporaryFolder.make()
  await using founder = await Daemon.start(folder.in('1'))
  const member = (drain: readonly string[]): Promise<Daemon> =>
    Daemon.start(folder.in('2'), ['--join', founder.ready.listen, ...drain])
  const first = await member([])
  const address = await output(['put', '-'], { at: first.at, input: 'kept' })
  assert.equal(await first.end('SIGTERM'), 0)
  assert.deepEqual(await nodesAt(founder.at), [1, 2])

  // An interrupt does not, whatever was said.
  const second = await member(['--drain'])
  assert.equal(second.ready.node, 2)
  assert.equal(await second.end('SIGINT'), 0)
  assert.deepEqual(await nodesAt(founder.at), [1, 2])

  const third = await member(['--drain'])
  assert.equal(await output(['get', address], { at: third.at }), 'kept')
  assert.equal(await third.end('SIGTERM'), 0)
  assert.deepEqual(await nodesAt(founder.at), [1])
  assert.equal(await output(['get', address], { at: founder.at }), 'kept')
  const again = await khazana(['node', '--dir', third.dir, '--drain', '--join', founder.ready.listen])
  assert.equal(again.status, 1)
  assert.match(again.stderr, /khazana: wrong-cluster: /)
})

test('a node that is alone cannot leave: it says so, and serves on', async () => {
  await using folder = await TemporaryFolder.make()
  await using only = await Daemon.start(folder.in('1'))
  const address = await output(['put', '-'], { at: only.at, input: 'kept' })
  const { status, stderr } = await khazana(['leave', '--timeout', '1'], { at: only.at })
  assert.equal(status, 1)
  assert.match(
    stderr,
    /khazana: unreachable: .*goes on as a member; left here: 1 region, .*no other node of the cluster answers/,
  )
  assert.equal(await output(['get', address], { at: only.at }), 'kept')
  await output(['put', '-'], { at: only.at, input: 'more' })
})
