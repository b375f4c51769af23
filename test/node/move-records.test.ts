import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import { defaultAttributes } from '../../src/address/attributes.js'
import { presets } from '../../src/address/consistency-vector.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { founder, nodeId } from '../../src/address/identity.js'
import { RangeSet } from '../../src/address/range-set.js'
import { arrivalKey, decodeArrival, encodeArrival } from '../../src/node/home/arrival-record.js'
import { decodeMoved, encodeMoved, movedKey } from '../../src/node/home/moved-record.js'
import { spaceId } from '../../src/store/space.js'

const descriptor: RegionDescriptor = {
  address: 0x1_0000_0000n as Address,
  size: 65_536,
  pageSize: 4096,
  home: nodeId(2),
  generation: 7,
  revision: 3,
  era: 2,
  attributes: { ...defaultAttributes, consistency: presets.bounded, labels: { owner: 'mail' } },
}

describe('the records of a move', () => {
  it('come back as they were written', () => {
    for (const kept of [undefined, { space: spaceId(9), bytes: 4352 }]) {
      const moved = { descriptor, transfer: 2 ** 40 + 5, kept }
      assert.deepEqual(decodeMoved(movedKey(descriptor.address), encodeMoved(moved)), moved)
    }
    const allocated = new RangeSet()
    allocated.add(0, 3)
    allocated.add(9, 1)
    const region = { descriptor, allocated, floor: 4, space: spaceId(12) }
    const arrival = { region, from: founder, transfer: 5 }
    const back = decodeArrival(arrivalKey(descriptor.address), encodeArrival(arrival), nodeId(2))
    assert.deepEqual(
      { ...back, region: { ...back.region, allocated: [...back.region.allocated] } },
      {
        ...arrival,
        region: { ...region, allocated: [...allocated] },
      },
    )
  })

  it('of formats to come are refused', () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ format: 2 }))
    const refused = { code: 'bad-format' }
    assert.throws(() => decodeMoved(movedKey(descriptor.address), bytes), refused)
    assert.throws(() => decodeArrival(arrivalKey(descriptor.address), bytes, founder), refused)
  })
})
