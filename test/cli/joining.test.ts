import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'node:test'
import { khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'

/** A port that was free a moment ago, and is kept for the directory. */
async function makeFounder(dir: string): Promise<string> {
  const founder = await Daemon.start(dir)
  assert.equal(await founder.end('SIGTERM'), 0)
  return founder.ready.listen
}

test('a node waits for the founding node that it is to join', async () => {
  await using folder = await TemporaryFolder.make()
  const listen = await makeFounder(folder.in('1'))
  const joining = Daemon.start(folder.in('2'), ['--join', listen])
  await delay(500)
  await using founder = await Daemon.start(folder.in('1'))
  await using member = await joining
  assert.equal(founder.ready.listen, listen, 'a port that was chosen once is kept')
  assert.equal(member.ready.node, 2)
  const nodes = await output(['nodes', '--at', member.at])
  assert.match(nodes, /node-1/)
})

test('a node does not wait for ever for a founding node that never comes', async () => {
  await using folder = await TemporaryFolder.make()
  const listen = await makeFounder(folder.in('1'))
  const { status, stderr } = await khazana(['node', '--dir', folder.in('2'), '--join', listen])
  assert.equal(status, 1)
  assert.match(stderr, /khazana: unreachable: no node answers at .*--join/)
})
