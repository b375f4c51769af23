import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { emptyMap } from '../../src/location/address-map/address-map.js'
import { checkMap } from '../../src/location/address-map/check-map.js'
import { entriesFrom } from '../../src/location/address-map/entries.js'
import { loadMap } from '../../src/location/address-map/load.js'
import type { MapEntry } from '../../src/location/address-map/map-entry.js'
import type { PageWrite } from '../../src/location/address-map/page-access.js'
import { type PageFill, PageSpace } from '../../src/location/address-map/page-space.js'
import { reserveInMap } from '../../src/location/address-map/reserve.js'
import { unreserveInMap } from '../../src/location/address-map/unreserve.js'
import { Prng } from '../../src/stdx/prng.js'
import { carryOut, checkSound, type Pages, perform, reserved, run } from './map-fixture.js'
import { checkAnswers, type Model, modelRange, randomChange } from './map-model.js'

const pagesMax = 200

/** Few entries on a page: deep trees of few entries. */
const fills: readonly PageFill[] = [
  { entriesMax: 2, childrenMax: 3 },
  { entriesMax: 4, childrenMax: 3 },
  { entriesMax: 5, childrenMax: 8 },
]

describe('an address map that is changed at random', () => {
  for (const fill of fills) {
    const size = `${fill.entriesMax} entries and ${fill.childrenMax} children a page`
    test(`gives right answers after every write, with ${size}`, () => {
      let writes = 0
      for (let seed = 1; seed <= 6; seed++) {
        const work = new RandomWork(seed, fill)
        for (let count = 0; count < 150; count++) work.step('whole')
        writes += work.writes
      }
      assert.ok(writes > 800)
    })

    test(`goes on after a crash between any two writes, with ${size}`, () => {
      for (let seed = 101; seed <= 106; seed++) {
        const work = new RandomWork(seed, fill)
        for (let count = 0; count < 150; count++) work.step('may crash')
      }
    })
  }

  test('is not believed about what a crash has left behind', () => {
    const pages: Pages = new Map([[0, emptyMap(modelRange)]])
    const fill = { entriesMax: 4, childrenMax: 4 }
    const space = new PageSpace(pagesMax, fill)
    const entryAt = (index: number): MapEntry => reserved(modelRange.start + BigInt(index) * 0x10n, 0x10)
    for (const index of [0, 1, 2, 3, 4, 6, 7]) carryOut(reserveInMap(space, entryAt(index)), pages)
    for (const index of [4, 1, 2]) carryOut(unreserveInMap(space, entryAt(index)), pages)
    const [removal, widening] = run(unreserveInMap(space, entryAt(3)), pages)
    for (const write of [removal, widening]) if (write !== undefined) perform(write, pages)

    const after = run(loadMap(pagesMax, fill), pages)
    assert.ok(after !== undefined)
    assert.equal(run(checkMap(pagesMax), pages).leftovers.length, 1)
    carryOut(reserveInMap(after, entryAt(5)), pages)
    checkAnswers(pages, pagesMax, [[0, 5, 6, 7].map(entryAt)], 'after the crash')
    carryOut(reserveInMap(after, entryAt(1)), pages)
    checkSound(pages, after)
  })
})

/** One map, its owner, and the model of it. Now it grows, now it shrinks. */
class RandomWork {
  writes = 0
  readonly #seed: number
  readonly #fill: PageFill
  readonly #prng: Prng
  readonly #pages: Pages = new Map([[0, emptyMap(modelRange)]])
  #space: PageSpace
  #model: Model = []
  #hasCrashed = false
  #count = 0

  constructor(seed: number, fill: PageFill) {
    this.#seed = seed
    this.#fill = fill
    this.#prng = Prng.fromSeed(seed)
    this.#space = new PageSpace(pagesMax, fill)
  }

  step(mode: 'whole' | 'may crash'): void {
    const growth = this.#count % 100 < 60 ? 0.8 : 0.1
    const { operation, outcome } = randomChange(this.#prng, this.#model, growth)
    this.#count += 1
    const free = this.#space.freeCount
    if (outcome === 'invalid-argument') {
      assert.throws(() => run(operation(this.#space), this.#pages), { code: 'invalid-argument' }, this.#label)
      assert.equal(this.#space.freeCount, free)
      return
    }
    const writes = run(operation(this.#space), this.#pages)
    assert.equal(writes.length === 0, outcome === this.#model, this.#label)
    const crashAt =
      mode === 'may crash' && this.#prng.chance(0.5) ? this.#prng.below(writes.length + 1) : undefined
    this.#perform(writes.slice(0, crashAt), outcome)
    if (crashAt === undefined) this.#model = outcome
    else this.#crash(outcome)
    this.#check()
  }

  #perform(writes: readonly PageWrite[], outcome: Model): void {
    checkAnswers(this.#pages, pagesMax, [this.#model], `${this.#label}, nothing written`)
    const released = new Set<number>()
    for (const [index, write] of writes.entries()) {
      assert.ok(
        !released.has(write.page),
        `${this.#label}: a page is used again by the operation that released it`,
      )
      if (write.kind === 'release') released.add(write.page)
      perform(write, this.#pages, this.#seed % 2 === 0 ? 'zeros' : 'kept')
      const label = `${this.#label}, write ${index + 1} of ${writes.length}`
      checkAnswers(this.#pages, pagesMax, [this.#model, outcome], label)
      this.writes += 1
    }
  }

  /** What was in hand is there as a whole, or not at all. */
  #crash(outcome: Model): void {
    this.#hasCrashed = true
    const entries = this.#entries()
    const model = [this.#model, outcome].find(({ length }) => length === entries.length)
    assert.ok(model !== undefined, this.#label)
    const isOutcome = isSame(entries, outcome)
    assert.ok(isOutcome || isSame(entries, this.#model), this.#label)
    this.#model = isOutcome ? outcome : this.#model
    checkAnswers(this.#pages, pagesMax, [this.#model], this.#label)
    const space = run(loadMap(pagesMax, this.#fill), this.#pages)
    assert.ok(space !== undefined)
    this.#space = space
  }

  #check(): void {
    const report = checkSound(this.#pages, this.#space, this.#hasCrashed ? 'after a crash' : 'clean')
    assert.equal(report.entries, this.#model.length, this.#label)
    assert.deepEqual(this.#entries(), this.#model, this.#label)
    const loaded = run(loadMap(pagesMax, this.#fill), this.#pages)
    for (let page = 1; page < pagesMax; page++) assert.equal(loaded?.isFree(page), this.#space.isFree(page))
  }

  #entries(): MapEntry[] {
    const entries: MapEntry[] = []
    let batch = run(entriesFrom(undefined, pagesMax), this.#pages)
    for (;;) {
      entries.push(...batch.entries)
      if (batch.next === undefined) return entries
      batch = run(entriesFrom(batch.next, pagesMax), this.#pages)
    }
  }

  get #label(): string {
    return `seed ${this.#seed}, operation ${this.#count}`
  }
}

function isSame(entries: readonly MapEntry[], model: Model): boolean {
  try {
    assert.deepEqual(entries, model)
    return true
  } catch {
    return false
  }
}
