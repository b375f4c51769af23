import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { NodeTable } from '../../src/fuse/front/node-table.js'

const root = addressFrom(0x1_0000n)
const address = addressFrom(0x2_0000n)

describe('The numbers that files have for the kernel', () => {
  it('are others for another file at the address of one that is gone', () => {
    const table = new NodeTable(root)
    const earlier = table.tell(address, 5)
    assert.equal(table.tell(address, 5), earlier)
    const later = table.tell(address, 6)
    assert.notEqual(later.node, earlier.node)
    assert.ok(earlier.isPast)
    assert.ok(!later.isPast)
    assert.equal(table.at(address), later)
    assert.equal(table.get(earlier.node), earlier)
    assert.equal(table.forget(earlier.node, 2), earlier)
    assert.equal(table.at(address), later)
    assert.equal(table.forget(later.node, 1), later)
    assert.equal(table.at(address), undefined)
  })
})
