import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Khazana, parseAddress } from '../../src/index.js'
import type { NodeEntry } from '../../src/index.js'
import { khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'

async function pendingAt(at: string): Promise<number | undefined> {
  const { nodes } = JSON.parse(await output(['nodes', '--json'], { at })) as { readonly nodes: NodeEntry[] }
  return nodes[0]?.status?.releasesPending
}

test('what cannot be released while it is locked is pending, in words, and done after kill -9 of the node', async () => {
  await using folder = await TemporaryFolder.make()
  const lease = ['--lease', '500']
  const daemon = await Daemon.start(folder.in('a'), lease)
  const { at } = daemon
  const address = await output(['put', '-'], { at, input: 'x' })
  const program = await Khazana.connect(at)
  const region = await program.region(parseAddress(address))
  const lock = await region.lock('read')
  assert.match(await output(['free', address, '--timeout', '1'], { at }), /^pending: not freed yet; /)
  const ended = await output(['unreserve', address, '--timeout', '1', '--json'], { at })
  assert.deepEqual(JSON.parse(ended), { address, size: region.size, state: 'pending' })
  assert.equal(await pendingAt(at), 2)
  assert.match(await output(['nodes'], { at }), /PENDING/)
  await daemon.end('SIGKILL')
  lock.discard()
  await program.close()

  await using again = await Daemon.start(folder.in('a'), lease)
  const end = Date.now() + 20_000
  while ((await pendingAt(again.at)) !== 0 && Date.now() < end) await pause(100)
  assert.equal(await pendingAt(again.at), 0)
  const gone = await khazana(['stat', address], { at: again.at })
  assert.match(gone.stderr, /no-such-region/)
})
