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
    `region ${address}, home node 1\npages 0 to 7  node 1 home`,
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

test('stat tells how the region was found, and nodes who is the cluster manager', async () => {
  await using folder = await TemporaryFolder.make()
  await using cluster = await ClusterOfThree.start(folder)
  const [first, second, third] = [cluster.node(1).at, cluster.node(2).at, cluster.node(3).at]
  const address = await output(['reserve', '4KiB'], { at: second })
  const foundAt = async (at: string): Promise<unknown> =>
    (JSON.parse(await output(['stat', address, '--json'], { at })) as { readonly found: unknown }).found
  assert.deepEqual(await foundAt(second), { by: 'home', asked: 0 })
  assert.match(await output(['stat', address], { at: third }), /^found by .*, asking [1-3] nodes?$/m)
  // It is remembered, and its home confirms it: this node has no copy, and would not be told if it ended.
  assert.deepEqual(await foundAt(third), { by: 'directory', asked: 1 })
  assert.match(
    await output(['stat', address], { at: third }),
    /^found by what the node knew, asking 1 node$/m,
  )
  const [columns = '', ...rows] = (await output(['nodes'], { at: first })).split('\n')
  assert.match(columns, /ALLOCATED MiB {2}ADDRESSES FREE GiB {2}DAMAGED/)
  assert.deepEqual(
    rows.map((row) => /^\d( manager)? +node-\d/.exec(row)?.[1]),
    [' manager', undefined, undefined],
  )
  assert.match(rows[1] ?? '', / {2}0\.9 of 1\.0 {2}/)
})
