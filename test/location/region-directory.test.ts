import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Address } from '../../src/address/address.js'
import { defaultAttributes } from '../../src/address/attributes.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { founder, nodeId } from '../../src/address/identity.js'
import { RegionDirectory } from '../../src/location/region-directory.js'

const pageSize = 4096
const address = 0x1_0000_0000n as Address

function region(changes: Partial<RegionDescriptor>): RegionDescriptor {
  return {
    address,
    size: 2 * pageSize,
    pageSize,
    home: founder,
    generation: 1,
    revision: 1,
    era: 1,
    attributes: defaultAttributes,
    ...changes,
  }
}

/** One page at this place, counted in pages from `address`. */
function pageAt(place: number, changes: Partial<RegionDescriptor> = {}): RegionDescriptor {
  return region({ address: at(place), size: pageSize, ...changes })
}

function at(place: number): Address {
  return (address + BigInt(place * pageSize)) as Address
}

/** Of the first so many places, those at which something is found: each of them is used by that. */
function placesOf(directory: RegionDirectory, places: number): number[] {
  return Array.from({ length: places }, (_, place) => place).filter(
    (place) => directory.find(at(place)) !== undefined,
  )
}

describe('the region directory', () => {
  it('finds a region by any address in it, and by none before or after', () => {
    const directory = new RegionDirectory(10)
    const [first, second] = [region({ address: at(1) }), region({ address: at(5), size: pageSize })]
    directory.add(second)
    directory.add(first)
    for (const inside of [at(1), at(2), (at(3) - 1n) as Address]) assert.equal(directory.find(inside), first)
    for (const inside of [at(5), (at(6) - 1n) as Address]) assert.equal(directory.find(inside), second)
    for (const outside of [0n as Address, (at(1) - 1n) as Address, at(3), (at(5) - 1n) as Address, at(6)]) {
      assert.equal(directory.find(outside), undefined)
    }
  })

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

  it('has no more entries than its bound, and takes the newest in', () => {
    const directory = new RegionDirectory(3)
    for (let place = 0; place < 10; place++) {
      directory.add(pageAt(place))
      assert.equal(directory.size, Math.min(place + 1, 3))
    }
    assert.deepEqual(placesOf(directory, 10), [7, 8, 9])
  })

  it('lets what was used least lately go: to be found is a use, to be heard of again is one too', () => {
    const directory = new RegionDirectory(3)
    for (const place of [0, 1, 2]) directory.add(pageAt(place))
    directory.find(at(0))
    directory.add(pageAt(1, { revision: 2 }))
    // The oldest is 2 now, then 0, then 1.
    directory.add(pageAt(3))
    assert.deepEqual(directory.find(at(2)), undefined)
    directory.add(pageAt(4))
    assert.deepEqual(directory.find(at(0)), undefined)
    assert.deepEqual(placesOf(directory, 5), [1, 3, 4])
  })

  it('does not take a search in vain for a use', () => {
    const directory = new RegionDirectory(2)
    directory.add(region({ address: at(0), size: pageSize }))
    directory.add(region({ address: at(10), size: pageSize }))
    assert.equal(directory.find(at(5)), undefined)
    directory.add(pageAt(20))
    assert.equal(directory.find(at(0)), undefined)
    assert.equal(directory.find(at(10))?.address, at(10))
  })

  it('keeps nothing that overlaps what it is told, and all that only touches it', () => {
    const directory = new RegionDirectory(20)
    for (const place of [0, 1, 2, 3, 4, 5, 6]) directory.add(pageAt(place))
    const wide = region({ address: at(2), size: 3 * pageSize, generation: 2 })
    directory.add(wide)
    assert.equal(directory.size, 5)
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5, 6].map((place) => directory.find(at(place))?.address),
      [at(0), at(1), at(2), at(2), at(2), at(5), at(6)],
    )
    // One that begins before, one that begins inside and ends after, and one that lies inside.
    for (const [start, pages] of [
      [1, 2],
      [4, 3],
      [3, 1],
    ] as const) {
      directory.add(wide)
      const other = region({ address: at(start), size: pages * pageSize, generation: 3 })
      directory.add(other)
      assert.equal(directory.find(at(start)), other)
      for (const place of [2, 3, 4]) assert.notEqual(directory.find(at(place)), wide)
    }
  })

  it('forgets a region by its start alone, and no other', () => {
    const directory = new RegionDirectory(10)
    const wide = region({ address: at(1) })
    for (const each of [pageAt(0), wide, pageAt(3)]) directory.add(each)
    directory.forget(at(2))
    assert.equal(directory.find(at(2)), wide)
    directory.forget(at(1))
    directory.forget(at(1))
    assert.equal(directory.size, 2)
    assert.deepEqual(placesOf(directory, 4), [0, 3])
    // Also what is older may come again then.
    directory.add(region({ address: at(1), revision: 0 }))
    assert.equal(directory.find(at(2))?.revision, 0)
  })

  it('does as a list that is searched from end to end', () => {
    const entriesMax = 4
    const change = fc.record({
      kind: fc.constantFrom('add', 'add', 'find', 'forget'),
      place: fc.nat(15),
      pages: fc.integer({ min: 1, max: 3 }),
      generation: fc.integer({ min: 1, max: 3 }),
      revision: fc.integer({ min: 1, max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60, size: 'max' }), (changes) => {
        const directory = new RegionDirectory(entriesMax)
        const model = new ListedRegions(entriesMax)
        for (const { kind, place, pages, ...rest } of changes) {
          const descriptor = region({ address: at(place), size: pages * pageSize, ...rest })
          if (kind === 'find') assert.equal(directory.find(at(place)), model.find(at(place)))
          else if (kind === 'forget') {
            directory.forget(at(place))
            model.forget(at(place))
          } else {
            directory.add(descriptor)
            model.add(descriptor)
          }
          assert.equal(directory.size, model.entries.length)
        }
        for (let place = 0; place < 20; place++) {
          assert.equal(directory.find(at(place)), model.find(at(place)))
        }
      }),
    )
  })
})

/** What the directory is to be, as simply as can be said. */
class ListedRegions {
  /** The least lately used first. */
  entries: RegionDescriptor[] = []
  readonly #entriesMax: number

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
  }

  find(place: Address): RegionDescriptor | undefined {
    const found = this.entries.find(
      ({ address: start, size }) => place >= start && place < start + BigInt(size),
    )
    if (found !== undefined) this.entries = [...this.entries.filter((each) => each !== found), found]
    return found
  }

  add(news: RegionDescriptor): void {
    const isOld = this.entries.some(
      (each) =>
        each.address === news.address && each.generation === news.generation && each.revision > news.revision,
    )
    if (isOld) return
    const end = (each: RegionDescriptor): bigint => each.address + BigInt(each.size)
    const apart = this.entries.filter((each) => end(each) <= news.address || each.address >= end(news))
    this.entries = [...apart, news].slice(-this.#entriesMax)
  }

  forget(start: Address): void {
    this.entries = this.entries.filter((each) => each.address !== start)
  }
}
