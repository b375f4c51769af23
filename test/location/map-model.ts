import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { addressFrom } from '../../src/address/address.js'
import { nodeId } from '../../src/address/identity.js'
import { type Found, findInMap } from '../../src/location/address-map/find.js'
import { lastOf, type MapEntry } from '../../src/location/address-map/map-entry.js'
import type { PageWrite, Reading } from '../../src/location/address-map/page-access.js'
import type { PageSpace } from '../../src/location/address-map/page-space.js'
import { reserveInMap } from '../../src/location/address-map/reserve.js'
import { unreserveInMap } from '../../src/location/address-map/unreserve.js'
import { updateInMap } from '../../src/location/address-map/update.js'
import type { Prng } from '../../src/stdx/prng.js'
import { type Pages, run } from './map-fixture.js'

/** What a map should say: its entries, sorted. Never changed, so that a reader may remember it. */
export type Model = readonly MapEntry[]

/** The range of the maps of random tests: small, so that much meets. */
export const modelRange = { start: 0x1000n, size: 0x800n }
const unit = 16n
const units = Number(modelRange.size / unit)

/** An operation on the map, and what the model says that it must come to. */
export interface Change {
  readonly operation: (space: PageSpace) => Reading<readonly PageWrite[]>
  /** What the map says then; the same model: nothing is written. */
  readonly outcome: Model | 'invalid-argument'
  /** The only range about which the map may change its mind. */
  readonly touched: MapEntry
}

/** `growth`: the share of operations that put an entry in, of those that put in or take out. */
export function randomChange(prng: Prng, model: Model, growth: number): Change {
  const known = model.length > 0 ? prng.pick(model) : undefined
  if (known === undefined || prng.chance(growth)) return reserve(model, randomEntry(prng))
  if (prng.chance(0.1)) return reserve(model, known)
  if (prng.chance(0.1)) return update(model, { ...known, homes: [nodeId(prng.int(1, 9))] })
  if (prng.chance(0.1)) return update(model, randomEntry(prng))
  if (prng.chance(0.1)) return unreserve(model, randomEntry(prng))
  return unreserve(model, known)
}

function randomEntry(prng: Prng): MapEntry {
  const size = prng.chance(0.2) ? prng.int(1, 30) : prng.int(1, 3)
  const range = {
    start: addressFrom(modelRange.start + BigInt(prng.below(units - size + 1)) * unit),
    size: BigInt(size) * unit - BigInt(prng.below(2)),
    homes: prng.shuffle([1, 2, 3, 4].map(nodeId)).slice(0, prng.int(1, 4)),
  }
  if (prng.chance(0.2)) return { kind: 'subtree', ...range, map: addressFrom(BigInt(prng.below(3)) << 100n) }
  return { kind: 'reserved', ...range, generation: prng.chance(0.1) ? 2 ** 53 - 1 : prng.below(3) }
}

function reserve(model: Model, entry: MapEntry): Change {
  const operation = (space: PageSpace): Reading<readonly PageWrite[]> => reserveInMap(space, entry)
  const isThere = model.some((other) => isDeepStrictEqual(other, entry))
  const isFree = model.every((other) => lastOf(other) < entry.start || lastOf(entry) < other.start)
  const outcome = isThere ? model : isFree ? sorted([...model, entry]) : 'invalid-argument'
  return { operation, outcome, touched: entry }
}

function unreserve(model: Model, entry: MapEntry): Change {
  const operation = (space: PageSpace): Reading<readonly PageWrite[]> => unreserveInMap(space, entry)
  const left = model.filter((other) => !isMeant(other, entry))
  return { operation, outcome: left.length < model.length ? left : model, touched: entry }
}

function update(model: Model, entry: MapEntry): Change {
  const operation = (space: PageSpace): Reading<readonly PageWrite[]> => updateInMap(space, entry)
  const before = model.find(({ start, size }) => start === entry.start && size === entry.size)
  const isSame = isDeepStrictEqual(before, entry)
  const replaced = model.map((other) => (other === before ? entry : other))
  return {
    operation,
    outcome: before === undefined ? 'invalid-argument' : isSame ? model : replaced,
    touched: entry,
  }
}

function isMeant(entry: MapEntry, name: MapEntry): boolean {
  if (entry.start !== name.start) return false
  if (entry.kind === 'subtree') return name.kind === 'subtree' && name.map === entry.map
  return name.kind === 'reserved' && name.generation === entry.generation
}

function sorted(entries: MapEntry[]): Model {
  return entries.sort((a, b) => (a.start < b.start ? -1 : 1))
}

/** Whether the model allows this answer about the address. */
export function allows(model: Model, address: bigint, found: Found): boolean {
  const entry = model.find((one) => one.start <= address && address <= lastOf(one))
  if (found.kind !== 'free') return isDeepStrictEqual(found, entry)
  const isAround = found.start <= address && address <= lastOf(found)
  return isAround && model.every((one) => lastOf(one) < found.start || lastOf(found) < one.start)
}

/** Asks the map about both ends of every entry of the models, and beside them: one of the models allows each answer. */
export function checkAnswers(pages: Pages, pagesMax: number, models: readonly Model[], label: string): void {
  const probes = new Set<bigint>([modelRange.start, lastOf(modelRange)])
  for (const entry of new Set(models.flat())) {
    for (const address of [entry.start - 1n, entry.start, lastOf(entry), lastOf(entry) + 1n])
      probes.add(address)
  }
  for (const address of probes) {
    if (address < modelRange.start || address > lastOf(modelRange)) continue
    const found = run(findInMap(addressFrom(address), pagesMax), pages)
    if (models.some((model) => allows(model, address, found))) continue
    assert.fail(`${label}: about ${address.toString(16)} the map says ${shownFound(found)}`)
  }
}

export function shownFound(found: Found): string {
  return JSON.stringify(found, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString(16) : value,
  )
}
