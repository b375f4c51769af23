import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import { emptyMap } from '../../src/location/address-map/address-map.js'
import { type EntryBatch, entriesFrom } from '../../src/location/address-map/entries.js'
import { type Found, findInMap } from '../../src/location/address-map/find.js'
import { lastOf, type MapEntry } from '../../src/location/address-map/map-entry.js'
import type { PageWrite, Reading } from '../../src/location/address-map/page-access.js'
import { type PageFill, PageSpace } from '../../src/location/address-map/page-space.js'
import { Prng } from '../../src/stdx/prng.js'
import { bytesOf, type Pages, perform, run } from './map-fixture.js'
import { allows, type Model, modelRange, randomChange, shownFound } from './map-model.js'

const pagesMax = 200
const readers = 6

describe('readers of an address map', () => {
  for (const fill of [
    { entriesMax: 2, childrenMax: 3 },
    { entriesMax: 4, childrenMax: 3 },
  ]) {
    test(`are right though its owner changes it between any two pages, ${fill.entriesMax} entries a page`, () => {
      let restarts = 0
      for (let seed = 1; seed <= 15; seed++) restarts += new Traffic(seed, fill).play()
      assert.ok(restarts > 0, 'some met a page that had changed')
    })
  }

  test('that walk see once what is there all the time', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const traffic = new Traffic(seed, { entriesMax: 3, childrenMax: 3 })
      for (let ticks = 0; ticks < 200; ticks++) traffic.write()
      traffic.walk()
    }
  })
})

interface Reader {
  readonly address: bigint
  readonly reading: Reading<Found>
  page: number
  /** All that the map has said, or was about to say, since the reader began. */
  readonly models: Model[]
}

/** An owner at work, one page at a time, with readers between its writes. */
class Traffic {
  readonly #seed: number
  readonly #prng: Prng
  readonly #space: PageSpace
  readonly #pages: Pages = new Map([[0, emptyMap(modelRange)]])
  readonly #readers: Reader[] = []
  #model: Model = []
  #coming: Model = []
  #writes: PageWrite[] = []
  #changes = 0
  #restarts = 0

  constructor(seed: number, fill: PageFill) {
    this.#seed = seed
    this.#prng = Prng.fromSeed(seed)
    this.#space = new PageSpace(pagesMax, fill)
  }

  /** How often readers began anew. */
  play(): number {
    for (let tick = 0; tick < 6000; tick++) {
      if (this.#readers.length < readers) this.#begin()
      if (this.#prng.chance(0.4)) this.write()
      else this.#read(this.#prng.below(this.#readers.length))
    }
    return this.#restarts
  }

  /** The next page; where none is left, the next operation begins. */
  write(): void {
    const write = this.#writes.shift()
    if (write !== undefined) {
      perform(write, this.#pages, this.#seed % 2 === 0 ? 'zeros' : 'kept')
      return
    }
    this.#model = this.#coming
    this.#changes += 1
    const change = randomChange(this.#prng, this.#model, this.#changes % 80 < 50 ? 0.8 : 0.1)
    if (change.outcome === 'invalid-argument') return
    this.#writes = [...run(change.operation(this.#space), this.#pages)]
    this.#coming = change.outcome
    for (const reader of this.#readers) reader.models.push(this.#coming)
  }

  /** From end to end, with writes between the pages. */
  walk(): void {
    const seen: MapEntry[] = []
    let always: Model | undefined
    for (let next: EntryBatch['next'] | 'first' = 'first'; next !== undefined;) {
      const reading: Reading<EntryBatch> = entriesFrom(next === 'first' ? undefined : next, pagesMax)
      let step = reading.next()
      while (step.done !== true) {
        this.write()
        always = (always ?? this.#model).filter(
          (entry) => this.#model.includes(entry) && this.#coming.includes(entry),
        )
        step = reading.next(bytesOf(this.#pages, step.value.page))
      }
      seen.push(...step.value.entries)
      next = step.value.next
    }
    for (const [index, entry] of seen.entries()) {
      const before = seen[index - 1]
      assert.ok(
        before === undefined || lastOf(before) < entry.start,
        `seed ${this.#seed}: in order, each once`,
      )
    }
    for (const entry of always ?? [])
      assert.ok(seen.some(({ start, size }) => start === entry.start && size === entry.size))
  }

  #begin(): void {
    const address = modelRange.start + BigInt(this.#prng.below(Number(modelRange.size)))
    const reading = findInMap(addressFrom(address), pagesMax)
    const step = reading.next()
    assert.ok(step.done !== true)
    this.#readers.push({ address, reading, page: step.value.page, models: [this.#model, this.#coming] })
  }

  #read(index: number): void {
    const reader = this.#readers[index]
    assert.ok(reader !== undefined)
    const step = reader.reading.next(bytesOf(this.#pages, reader.page))
    if (step.done !== true) {
      if (step.value.page === 0) this.#restarts += 1
      reader.page = step.value.page
      return
    }
    this.#readers.splice(index, 1)
    const isRight = reader.models.some((model) => allows(model, reader.address, step.value))
    const what = `about ${reader.address.toString(16)} the map says ${shownFound(step.value)}`
    assert.ok(isRight, `seed ${this.#seed}, operation ${this.#changes}: ${what}`)
  }
}
