import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { KernelCache } from '../../src/fuse/front/kernel-cache.js'
import { NodeTable } from '../../src/fuse/front/node-table.js'
import type { NotifyResult } from '../../src/fuse/device/notifier.js'
import { silentLogger } from '../../src/io/logger.js'

const root = addressFrom(0x1_0000n)
const file = addressFrom(0x2_0000n)
const hold = 7

/** A kernel that answers notifications as told, and a file that it was told of. */
function told(answer: (notifications: number) => NotifyResult) {
  const nodes = new NodeTable(root)
  const { node } = nodes.tell(file, 5)
  const state = { notifications: 0, isReleased: false }
  const cache = new KernelCache({
    holds: {
      current: () => (state.isReleased ? undefined : hold),
      release: () => {
        state.isReleased = true
      },
    },
    nodes,
    server: {
      offers: { epochs: true, expiry: true },
      startEpoch: () => undefined,
      notify: (notification) => {
        assert.deepEqual(notification, { kind: 'inode', node, offset: -1, length: 0 })
        state.notifications += 1
        return Promise.resolve(answer(state.notifications))
      },
    },
    logger: silentLogger,
  })
  assert.ok(cache.attributesValidMs(file, hold) > 0)
  return { cache, nodes, node, state }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('What the kernel is told of a file, and is to forget', () => {
  it('is gone where it has forgotten', async () => {
    const { cache, state } = told(() => 'forgotten')
    cache.ended(file)
    await pause(1)
    assert.deepEqual(state, { notifications: 1, isReleased: true })
  })

  it('is not gone while it does not know the file yet, as the program that has asked has not run since', async () => {
    let isLearned = false
    const { cache, state } = told(() => (isLearned ? 'forgotten' : 'unknown'))
    cache.ended(file)
    await pause(50)
    assert.ok(!state.isReleased)
    assert.ok(state.notifications > 1)
    isLearned = true
    await pause(50)
    assert.ok(state.isReleased)
  })

  it('is gone where it does not know the file any more', async () => {
    const { cache, nodes, node, state } = told(() => 'unknown')
    cache.ended(file)
    await pause(20)
    assert.ok(!state.isReleased)
    nodes.forget(node, 1)
    await pause(20)
    assert.ok(state.isReleased)
  })

  it('keeps nobody waiting for long where it never learns of the file', async () => {
    const { cache, state } = told(() => 'unknown')
    cache.ended(file)
    await pause(500)
    assert.ok(state.isReleased)
  })
})
