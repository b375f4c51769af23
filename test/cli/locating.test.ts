import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterOfThree } from './cluster-of-three.js'
import { khazana, output } from './command.js'
import { TemporaryFolder } from './daemon.js'

test('locate tells which nodes have which pages', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const [at, second] = [cluster.node(1).at, cluster.node(2).at]
  const address = await output(['reserve', '40KiB', '--consistency', 'release'], { at })
  await output(['allocate', address, '--length', '32KiB'], { at })
  assert.equal(
    await output(['locate', address], { at: second }),
    `region ${address}: home node 1\npages 0 to 7  node 1 home`,
  )
  const { address: start, runs } = JSON.parse(
    await output(['locate', address, '--offset', '8KiB', '--length', '4097', '--json'], { at: second }),
  ) as { readonly address: string; readonly runs: unknown }
  assert.deepEqual(
    [start, runs],
    [
      address,
      [
        {
          first: 2,
          count: 2,
          holders: [{ node: 1, right: 'home', viaClients: { exclusive: 0, shared: 0 } }],
        },
      ],
    ],
  )
  assert.match(await output(['locate', address, '--offset', '32KiB'], { at }), /no storage in the range$/)
  const { status, stderr } = await khazana(['locate', address, '--offset', '40KiB'], { at })
  assert.deepEqual([status, stderr.startsWith('khazana: out-of-range: ')], [1, true], stderr)
})
