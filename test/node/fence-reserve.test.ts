import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { fenceCountMax } from '../../src/address/fence.js'
import { FenceReserve } from '../../src/node/home/fence-reserve.js'
import { KhazanaError } from '../../src/stdx/errors.js'

/** What is on the disk of one node of a region, and what waits for it. */
class Disk {
  stored: Uint8Array | undefined
  readonly waiting: { readonly value: Uint8Array; readonly done: (failure?: KhazanaError) => void }[] = []

  start(incarnation: number, generation = 7): FenceReserve {
    this.waiting.length = 0
    return new FenceReserve({
      address: addressFrom(4096n),
      generation,
      incarnation,
      stored: this.stored,
      write: ({ value }, done) => {
        this.waiting.push({
          value,
          done: (failure) => {
            if (failure === undefined) this.stored = value
            done(failure)
          },
        })
      },
    })
  }

  flush(failure?: KhazanaError): void {
    for (const { done } of this.waiting.splice(0)) done(failure)
  }
}

/** Counts as far as it is let, up to `to`. */
function countTo(reserve: FenceReserve, to: number): number {
  let used = 0
  for (let limit = reserve.limitFor(0); used < to && limit > used; limit = reserve.limitFor(used))
    used = limit
  return used
}

describe('fences set aside at the home', () => {
  it('begin above those of every start before, with nothing written', () => {
    const disk = new Disk()
    let above = 0
    for (const incarnation of [1, 2, 3, 10]) {
      const reserve = disk.start(incarnation)
      const { used, limit } = reserve.begin(1)
      assert.ok(used >= above && limit > used, `${used} to ${limit}, above ${above}`)
      above = limit
      assert.deepEqual(disk.waiting, [])
    }
  })

  it('begin above those of the root replica before, in one start', () => {
    const reserve = new Disk().start(1)
    const { limit } = reserve.begin(1)
    assert.equal(reserve.begin(1).used, limit)
    const more = reserve.limitFor(limit)
    assert.equal(reserve.begin(1).used, more)
  })

  it('go beyond those of one start only when that is written down', () => {
    const disk = new Disk()
    const reserve = disk.start(1)
    reserve.begin(1)
    const most = countTo(reserve, Infinity)
    assert.equal(disk.waiting.length, 1)
    disk.flush()
    const more = countTo(reserve, most + 1)
    assert.ok(more > most)
    assert.ok(disk.start(2).begin(1).used >= more)
  })

  it('stay below what was to be written where the node dies before it is', () => {
    const disk = new Disk()
    const reserve = disk.start(1)
    reserve.begin(1)
    const most = countTo(reserve, Infinity)
    assert.ok(disk.start(2).begin(1).used >= most)
  })

  it('are tried again where the disk had no room', () => {
    const disk = new Disk()
    const reserve = disk.start(1)
    reserve.begin(1)
    const most = countTo(reserve, Infinity)
    disk.flush(new KhazanaError('no-space', 'full'))
    assert.equal(reserve.limitFor(most), most)
    disk.flush()
    assert.ok(reserve.limitFor(most) > most)
  })

  it('of starts after one that wrote are above all that it wrote', () => {
    const disk = new Disk()
    let above = 0
    for (let incarnation = 1; incarnation <= 6; incarnation += 1) {
      const reserve = disk.start(incarnation)
      assert.ok(reserve.begin(3).used >= above)
      for (let round = 0; round < incarnation % 3; round++) {
        countTo(reserve, Infinity)
        disk.flush()
      }
      above = countTo(reserve, Infinity)
    }
  })

  it('begin anew with the era, and for another region at the address', () => {
    const disk = new Disk()
    const reserve = disk.start(1)
    reserve.begin(1)
    countTo(reserve, Infinity)
    disk.flush()
    assert.equal(reserve.begin(2).used, 0)
    assert.equal(disk.start(1, 8).begin(1).used, 0)
  })

  it('end where their bits do', () => {
    const reserve = new Disk().start(2 ** 19)
    const { limit } = reserve.begin(1)
    assert.ok(limit > 0)
    assert.equal(countTo(reserve, Infinity), fenceCountMax)
    const { used, limit: none } = new Disk().start(2 ** 19 + 1).begin(1)
    assert.deepEqual([used, none], [fenceCountMax, fenceCountMax])
  })
})
