import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ClusterOfThree } from './cluster-of-three.js'
import { bytesOf, khazana, output } from './command.js'
import { Daemon, TemporaryFolder } from './daemon.js'
import { statusOf } from './status-of.js'

const MiB = 1024 * 1024

test('a file put at one node is got, byte for byte, at the others', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  // Neither whole pages nor whole chunks.
  const content = randomBytes(20 * MiB + 12_345)
  await writeFile(folder.in('file'), content)
  const address = await output(['put', folder.in('file')], { at: cluster.node(2).at })

  for (const number of [1, 2, 3]) {
    const got = await bytesOf(['get', address], { at: cluster.node(number).at })
    assert.ok(content.equals(got), `at node ${number}: ${got.length} bytes`)
  }
  assert.ok(
    content.equals(await bytesOf(['get', address, '--at', cluster.node(3).ready.listen])),
    'over TCP too',
  )
})

test('what was acknowledged survives kill -9 of each node in turn', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const contents = new Map<string, Buffer>()
  for (const number of [1, 2, 3]) {
    const content = randomBytes(MiB + number)
    contents.set(await output(['put', '-'], { at: cluster.node(number).at, input: content }), content)
  }
  const [region] = [...contents.keys()]
  assert.ok(region !== undefined)

  for (const number of [1, 2, 3]) {
    // A copy, and with it rights, at another node.
    await bytesOf(['get', region], { at: cluster.node(3).at })
    await cluster.killAndRestart(number)
    for (const at of [1, 2, 3]) {
      for (const [address, content] of contents) {
        const got = await bytesOf(['get', address], { at: cluster.node(at).at })
        assert.ok(content.equals(got), `node ${number} restarted, ${address} read at node ${at}`)
      }
    }
  }

  // Nor are writes lost that were made after all this.
  const update = randomBytes(5000)
  await output(['write', region, '--offset', '100'], { at: cluster.node(3).at, input: update })
  await cluster.killAndRestart(1)
  const read = await bytesOf(['read', region, '--offset', '100', '--length', '5000'], {
    at: cluster.node(2).at,
  })
  assert.ok(update.equals(read))
})

test('what one node writes, another reads at once', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const address = await output(['reserve', '64KiB'], { at: cluster.node(3).at })
  await output(['allocate', address], { at: cluster.node(2).at })
  for (let round = 0; round < 6; round++) {
    const [writer, reader] = [cluster.node((round % 3) + 1), cluster.node(((round + 1) % 3) + 1)]
    await output(['write', address, '--offset', '4090'], { at: writer.at, input: `round ${round}` })
    const read = await output(['read', address, '--offset', '4090', '--length', '7'], { at: reader.at })
    assert.equal(read, `round ${round}`)
  }
})

test('all sizes of files keep their exact length', async () => {
  await using folder = await TemporaryFolder.make()
  await using daemon = await Daemon.start(folder.in('node'))
  for (const size of [0, 1, 4096, 4097, MiB, 3 * MiB + 7]) {
    const content = randomBytes(size)
    await writeFile(folder.in('file'), content)
    for (const input of [folder.in('file'), '-']) {
      const address = await output(['put', input], { at: daemon.at, input: content })
      assert.ok(
        content.equals(await bytesOf(['get', address], { at: daemon.at })),
        `${size} bytes from ${input}`,
      )
    }
  }
})

test('a put goes on when its node is killed and comes back', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const content = randomBytes(120 * MiB)
  await writeFile(folder.in('file'), content)
  const putting = output(['put', folder.in('file')], { at: cluster.node(2).at })
  while ((await statusOf(cluster.node(2))).memoryBytes < 10 * MiB) await delay(10)
  await cluster.killAndRestart(2)
  const got = await bytesOf(['get', await putting], { at: cluster.node(1).at })
  assert.ok(content.equals(got))
})

test('a put that fails leaves nothing reserved', async () => {
  await using folder = await TemporaryFolder.make()
  await using daemon = await Daemon.start(folder.in('node'), ['--disk', '256MiB'])
  await writeFile(folder.in('big'), new Uint8Array(300 * MiB))
  const { status, stderr, stdout } = await khazana(['put', folder.in('big')], { at: daemon.at })
  assert.deepEqual([status, stdout.length], [1, 0])
  assert.match(stderr, /^khazana: no-space: .*--disk/)
  assert.equal((await statusOf(daemon)).regions, 0)

  const small = await output(['put', '-'], { at: daemon.at, input: 'still works' })
  assert.equal(await output(['get', small], { at: daemon.at }), 'still works')
  assert.equal((await statusOf(daemon)).regions, 1)
})
