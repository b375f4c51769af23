import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import { defaultAttributes } from '../../src/address/attributes.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { founder, nodeId } from '../../src/address/identity.js'
import { RegionDirectory } from '../../src/location/region-directory.js'

const address = 0x1_0000_0000n as Address

function region(changes: Partial<RegionDescriptor>): RegionDescriptor {
  return {
    address,
    size: 8192,
    pageSize: 4096,
    home: founder,
    generation: 1,
    revision: 1,
    era: 1,
    attributes: defaultAttributes,
    ...changes,
  }
}

describe('the region directory', () => {
  it('is not made older by what comes late', () => {
    const directory = new RegionDirectory(10)
    const moved = region({ home: nodeId(2), revision: 2, era: 2 })
    directory.add(moved)
    directory.add(region({}))
    assert.equal(directory.find((address + 5000n) as Address), moved)
    const anew = region({ generation: 2 })
    directory.add(anew)
    assert.equal(directory.find(address), anew)
  })
})
