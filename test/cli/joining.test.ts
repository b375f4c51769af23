import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'node:test'
import { contactMsMax } from '../../src/node/contact.js'
import { bin, khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'
import { nodesAt } from './status-of.js'

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

test('a node that waits for one to join stops when it is told to, and leaves nothing behind', async () => {
  await using folder = await TemporaryFolder.make()
  const port = String(await freePort())
  const begun = performance.now()
  const joining = spawn(process.execPath, [
    ...[bin, 'node', '--dir', folder.in('1'), '--join', `127.0.0.1:${port}`],
  ])
  const ended = once(joining, 'close')
  await once(joining.stderr, 'data')
  joining.kill('SIGTERM')
  assert.deepEqual(await ended, [0, null])
  assert.ok(performance.now() - begun < contactMsMax, 'it does not wait for the end of its patience')
  assert.equal(existsSync(folder.in('1')), false)
})

test('nodes that are all started at once find together', async () => {
  for (let round = 0; round < 3; round++) {
    await using folder = await TemporaryFolder.make()
    const port = String(await freePort())
    const member = (name: string): Promise<Daemon> =>
      Daemon.start(folder.in(name), ['--join', `127.0.0.1:${port}`])
    const starts = await Promise.allSettled([
      ...[member('b'), member('c')],
      Daemon.start(folder.in('a'), ['--listen', `127.0.0.1:${port}`]),
    ])
    const nodes = starts.filter((start) => start.status === 'fulfilled').map(({ value }) => value)
    await Promise.all(nodes.map((node) => node.end('SIGKILL')))
    assert.deepEqual(
      starts.map((start) => (start.status === 'rejected' ? String(start.reason) : 'serves')),
      ['serves', 'serves', 'serves'],
    )
    assert.deepEqual(nodes.map(({ ready }) => ready.node).sort(), [1, 2, 3])
  }
})

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

test('a node does not wait for ever for a founding node that never comes', async () => {
  await using folder = await TemporaryFolder.make()
  const listen = await makeFounder(folder.in('1'))
  const begun = performance.now()
  const { status, stderr } = await khazana(['node', '--dir', folder.in('2'), '--join', listen])
  assert.ok(performance.now() - begun < 20_000)
  assert.equal(status, 1)
  assert.match(stderr, /info waiting for a node at 127\.0\.0\.1:\d+/)
  assert.match(stderr, /khazana: unreachable: no node answers at .*--join/)
  assert.equal(existsSync(folder.in('2')), false)
})

test('a node that is refused its port has not joined', async () => {
  await using folder = await TemporaryFolder.make()
  await using founder = await Daemon.start(folder.in('1'))
  const { listen } = founder.ready
  for (const [at, code] of [
    [listen, 'address-in-use'],
    ['0.0.0.0:0', 'insecure'],
  ] as const) {
    const args = ['node', '--dir', folder.in('2'), '--join', listen, '--listen', at]
    const { status, stderr } = await khazana(args)
    assert.equal(status, 1)
    assert.ok(stderr.includes(`khazana: ${code}: `), stderr)
  }
  assert.deepEqual(await nodesAt(founder.at), [1])
})
