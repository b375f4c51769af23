import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AddressPool } from '../../src/location/address-pool.js'
import { Prng } from '../../src/stdx/prng.js'

const units = 64

/** The same as a row of units that are free or not. */
class PoolModel {
  readonly free = Array.from({ length: units }, () => false)

  set(start: number, size: number, isFree: boolean): void {
    this.free.fill(isFree, start, start + size)
  }

  get largest(): number {
    let largest = 0
    let run = 0
    for (const isFree of this.free) {
      run = isFree ? run + 1 : 0
      largest = Math.max(largest, run)
    }
    return largest
  }
}

describe('A pool of addresses', () => {
  it('gives nothing twice, and all that is free, over 300 seeds', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = Prng.fromSeed(seed)
      const pool = new AddressPool()
      const model = new PoolModel()
      for (let step = 0; step < 100; step++) {
        const start = random.below(units)
        const size = random.int(1, units - start)
        const what = `seed ${seed}, step ${step}`
        const kind = random.unit()
        if (kind < 0.3) {
          pool.give(BigInt(start), BigInt(size))
          model.set(start, size, true)
        } else if (kind < 0.5) {
          pool.remove(BigInt(start), BigInt(size))
          model.set(start, size, false)
        } else {
          const wanted = random.int(1, 8)
          const alignment = random.pick([1, 2, 4])
          const taken = pool.take(BigInt(wanted), BigInt(alignment))
          const fits = model.free.some(
            (_, at) =>
              at % alignment === 0 &&
              at + wanted <= units &&
              model.free.slice(at, at + wanted).every(Boolean),
          )
          assert.equal(taken !== undefined, fits, what)
          if (taken !== undefined) {
            const at = Number(taken)
            assert.equal(at % alignment, 0, what)
            assert.ok(model.free.slice(at, at + wanted).every(Boolean), what)
            model.set(at, wanted, false)
          }
        }
        assert.equal(pool.freeBytes, BigInt(model.free.filter(Boolean).length), what)
        assert.equal(pool.largestFreeBytes, BigInt(model.largest), what)
        for (let at = 0; at < units; at++)
          assert.equal(pool.has(BigInt(at)), model.free[at], `${what}, at ${at}`)
      }
    }
  })

  it('takes what was given back only when all behind it was taken', () => {
    const pool = new AddressPool()
    pool.give(0n, 4n)
    assert.equal(pool.take(1n, 1n), 0n)
    pool.give(0n, 1n)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => pool.take(1n, 1n)),
      [1n, 2n, 3n, 0n],
    )
    assert.equal(pool.take(1n, 1n), undefined)
  })
})
