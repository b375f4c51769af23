import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { emptyMap } from '../../src/location/address-map/address-map.js'
import { entriesFrom } from '../../src/location/address-map/entries.js'
import { loadMap } from '../../src/location/address-map/load.js'
import type { MapEntry } from '../../src/location/address-map/map-entry.js'
import type { PageWrite } from '../../src/location/address-map/page-access.js'
import { type PageFill, PageSpace } from '../../src/location/address-map/page-space.js'
import { Prng } from '../../src/stdx/prng.js'
import { checkSound, type Pages, perform, run } from './map-fixture.js'
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
