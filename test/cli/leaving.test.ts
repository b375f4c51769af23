import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterOfThree } from './cluster-of-three.js'
import { khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'

/** A region homed there, that says so. */
async function regionAt(at: string, text: string): Promise<string> {
  const address = await output(['reserve', '4KiB'], { at })
  await output(['allocate', address], { at })
  await output(['write', address], { at, input: text })
  return address
}

async function homeOf(address: string, at: string): Promise<number> {
  const { home } = JSON.parse(await output(['stat', address, '--json'], { at })) as { readonly home: number }
  return home
}

async function numbersAt(at: string): Promise<number[]> {
  const { nodes } = JSON.parse(await output(['nodes', '--json'], { at })) as {
    readonly nodes: readonly { readonly node: number }[]
  }
  return nodes.map(({ node }) => node)
}

test('what is homed elsewhere is of use when the founding node is killed', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const [second, third] = [cluster.node(2), cluster.node(3)]
  const address = await regionAt(second.at, 'before')
  await cluster.node(1).end('SIGKILL')
  assert.equal(await output(['read', address, '--length', '6'], { at: third.at }), 'before')
  await output(['write', address], { at: third.at, input: 'behind' })
  const another = await regionAt(third.at, 'new')
  assert.equal(await output(['read', another, '--length', '3'], { at: second.at }), 'new')
  await output(['migrate', address, '--to', '3'], { at: second.at })
  // Anybody lets others in.
  await using fourth = await Daemon.start(folder.in('4'), ['--join', third.ready.listen])
  assert.equal(await output(['read', address, '--length', '6'], { at: fourth.at }), 'behind')
  assert.equal(
    await output(['read', await regionAt(fourth.at, 'late'), '--length', '4'], { at: second.at }),
    'late',
  )
  await using founder = await Daemon.start(folder.in('1'))
  assert.equal(await output(['read', address, '--length', '6'], { at: founder.at }), 'behind')
})

test('a node that leaves hands over what it has, by a command and by a signal', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const [first, second, third] = [cluster.node(1), cluster.node(2), cluster.node(3)]
  const address = await regionAt(first.at, 'kept')
  await output(['leave'], { at: first.at })
  assert.equal(await first.ended, 0)
  assert.deepEqual(await numbersAt(third.at), [2, 3])
  assert.notEqual(await homeOf(address, second.at), 1)
  assert.equal(await output(['read', address, '--length', '4'], { at: third.at }), 'kept')
  const again = await khazana(['node', '--dir', first.dir])
  assert.equal(again.status, 1)
  assert.match(again.stderr, /khazana: wrong-cluster: .* has left its cluster: use a new directory/)

  await using draining = await Daemon.start(folder.in('4'), ['--join', second.ready.listen, '--drain'])
  const another = await regionAt(draining.at, 'too')
  assert.equal(await draining.end('SIGTERM'), 0)
  assert.match(draining.log, /this node has left the cluster/)
  assert.deepEqual(await numbersAt(third.at), [2, 3])
  assert.equal(await output(['read', another, '--length', '3'], { at: third.at }), 'too')
})

test('a node that is stopped does not leave, nor does one that there is nobody to take over from', async () => {
  await using folder = await TemporaryFolder.make()
  await using alone = await Daemon.start(folder.in('1'))
  const address = await regionAt(alone.at, 'here')
  const refused = await khazana(['leave', '--timeout', '3'], { at: alone.at })
  assert.equal(refused.status, 1)
  assert.match(
    refused.stderr,
    /khazana: unreachable: the node goes on as a member: 1 of its regions .*no other node/,
  )
  assert.equal(await output(['read', address, '--length', '4'], { at: alone.at }), 'here')
  assert.equal(await alone.end('SIGTERM'), 0)
  await using back = await Daemon.start(folder.in('1'))
  assert.equal(await output(['read', address, '--length', '4'], { at: back.at }), 'here')
})
