import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { contactMsMax } from '../../src/node/contact.js'
import type { NodeOptions } from '../../src/node/node-options.js'
import type { ErrorCode } from '../../src/stdx/errors.js'
import { errorOf, membersAt } from './census.js'
import { NodeCluster, endpointOf } from './node-cluster.js'

const nobodysPort = { kind: 'tcp', host: 'node-1', port: 7999 } as const

/** Ways in which a start is refused on its own machine. */
const refusals: readonly (readonly [what: string, code: ErrorCode, options: Partial<NodeOptions>])[] = [
  ['it would listen in the open', 'insecure', { insecure: false }],
  ['it cannot listen where it is to', 'invalid-argument', { listen: endpointOf(1) }],
  ['its socket has no place', 'invalid-argument', { socketPath: `/${'long'.repeat(40)}` }],
  ['its name is too long', 'invalid-argument', { name: 'n'.repeat(300) }],
  ['its memory is too small', 'invalid-argument', { memoryBytesMax: 1 }],
]

describe('a node that is to join', () => {
  for (const [what, code, options] of refusals) {
    it(`is no member where it cannot be started: ${what}`, async () => {
      const cluster = new NodeCluster({ nodes: 2 })
      await cluster.run(async () => {
        const refused = cluster.add(options)
        assert.equal((await errorOf(cluster.start(refused)))?.code, code)
        const added = cluster.add()
        await cluster.start(added)
        for (const node of cluster.nodes) assert.deepEqual(membersAt(node), [1, 2, 3], node.name)
        assert.equal(cluster.node(added).identity.node, 3)
      })
    })
  }

  it('is no member where another process has its port', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const refused = cluster.add()
      cluster.occupy(refused)
      assert.equal((await errorOf(cluster.start(refused)))?.code, 'address-in-use')
      assert.deepEqual(membersAt(cluster.node(1)), [1, 2])
    })
  })

  it('waits a while for a node where it is to, then says so, and leaves nothing on the disk', async () => {
    const cluster = new NodeCluster({ nodes: 1 })
    await cluster.run(async () => {
      const added = cluster.add({ join: nobodysPort })
      const begun = cluster.now()
      const error = await errorOf(cluster.start(added))
      assert.equal(error?.code, 'unreachable')
      assert.match(
        error.message,
        /^no node answers at node-1:7999, for 10 s: start it first, or correct --join$/,
      )
      const tookMs = cluster.now() - begun
      assert.ok(tookMs > contactMsMax - 3000 && tookMs < contactMsMax + 1000, `${tookMs} ms`)
      assert.equal(cluster.hasDirectory(added), false)
    })
  })

  it('tells who listens, but lets nobody in, from a node that is not there', async () => {
    const cluster = new NodeCluster({ nodes: 1 })
    await cluster.run(async () => {
      const other = cluster.add()
      cluster.occupy(other)
      const added = cluster.add({ join: endpointOf(other) })
      const error = await errorOf(cluster.start(added))
      assert.equal(error?.code, 'unreachable')
      assert.match(
        error.message,
        /^who listens at node-2:7400 has not let this node in for 30 s \(.*correct --join$/,
      )
    })
  })

  it('joins a node that is itself about to join another', async () => {
    const cluster = new NodeCluster({ nodes: 0 })
    await cluster.run(async () => {
      const [first, second, third] = [cluster.add(), cluster.add(), cluster.add({ join: endpointOf(2) })]
      const started = [third, second].map((number) => cluster.start(number))
      await cluster.pause(2000)
      await cluster.start(first)
      await Promise.all(started)
      assert.deepEqual(cluster.nodes.map(({ identity }) => identity.node).sort(), [1, 2, 3])
    })
  })
})
