import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import { presets } from '../../src/address/consistency-vector.js'
import { defaultAttributes } from '../../src/address/attributes.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { founder } from '../../src/address/identity.js'
import { RangeSet } from '../../src/address/range-set.js'
import { spaceId } from '../../src/store/space.js'
import { decodeRegion, encodeRegion, regionKey } from '../../src/node/home/region-record.js'

const address = 0x1_0000n as Address
const key = regionKey(address)

describe('the record of a region', () => {
  it('comes back as it was written, with bounds that are infinite', () => {
    const allocated = new RangeSet()
    allocated.add(1, 3)
    for (const consistency of Object.values(presets)) {
      const descriptor: RegionDescriptor = {
        address,
        size: 65_536,
        pageSize: 4096,
        home: founder,
        generation: 7,
        revision: 3,
        era: 2,
        attributes: { ...defaultAttributes, consistency, conflicts: 'by-row', merge: 'union' },
      }
      const back = decodeRegion(
        key,
        encodeRegion({ descriptor, allocated, floor: 5, space: spaceId(11) }),
        founder,
      )
      assert.deepEqual(back.descriptor, descriptor)
      assert.deepEqual([...back.allocated], [...allocated])
      assert.equal(back.floor, 5)
      assert.equal(back.space, 11)
    }
  })

  it('of the first format has strict consistency and the first era', () => {
    const attributes = { protocol: 'crew', minReplicas: 1, labels: { owner: 'mail' } }
    const record = { format: 1, size: 8192, pageSize: 4096, generation: 1, revision: 4, attributes }
    const bytes = new TextEncoder().encode(JSON.stringify({ ...record, floor: 0, allocated: [[0, 2]] }))
    const { descriptor, space } = decodeRegion(key, bytes, founder)
    assert.equal(descriptor.era, 1)
    assert.equal(space, descriptor.generation)
    assert.deepEqual(descriptor.attributes, { ...defaultAttributes, labels: { owner: 'mail' } })
  })

  it('of a format to come is refused', () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ format: 5 }))
    assert.throws(() => decodeRegion(key, bytes, founder), { code: 'bad-format' })
  })
})
