import assert from 'node:assert/strict'
import { test } from 'node:test'
import { output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'
import { statusOf } from './status-of.js'

const MiB = 1024 * 1024

test('the nodes tell how much was said, from the client that wrote to the home of what it wrote', async () => {
  await using folder = await TemporaryFolder.make()
  await using home = await Daemon.start(folder.in('home'))
  await using member = await Daemon.start(folder.in('member'), ['--join', home.ready.listen])
  const address = await output(['reserve', '4MiB'], { at: home.at })
  await output(['allocate', address], { at: home.at })
  const before = { home: await statusOf(home), member: await statusOf(member) }
  await output(['write', address], { at: member.at, input: Buffer.alloc(3 * MiB, 'x') })
  const after = { home: await statusOf(home), member: await statusOf(member) }

  for (const [what, bytes, messages] of [
    [
      'the client said it to its node',
      after.member.bytesFromClients - before.member.bytesFromClients,
      after.member.messagesFromClients - before.member.messagesFromClients,
    ],
    [
      'its node said it to the home',
      after.member.bytesSent - before.member.bytesSent,
      after.member.messagesSent - before.member.messagesSent,
    ],
  ] as const) {
    assert.ok(bytes > 3 * MiB && bytes < 7 * MiB, `${what}: ${bytes} bytes`)
    assert.ok(messages > 2 && messages < 5000, `${what}: ${messages} messages`)
  }
  const heardAtHome = after.home.bytesFromClients - before.home.bytesFromClients
  assert.ok(heardAtHome < MiB, `no client of the home wrote: ${heardAtHome} bytes`)

  const table = await output(['nodes'], { at: member.at })
  assert.match(table, /MESSAGES SENT MiB +FROM CLIENTS MiB\n/)
  assert.match(table, / \d+ in \d\.\d +\d+ in [3-6]\.\d$/)
})
