import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PageIndex } from '../../src/address/page.js'
import type { CopiesMessage } from '../../src/consistency/copies/message.js'
import { Prng } from '../../src/stdx/prng.js'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import type { CopiesWorld } from './copies-world.js'
import { boundedWorld, objectsWorld, opened, releaseWorld, seenBy } from './copies-world.js'

const seed = 4711
const messages = 400
const wholePage = { kind: 'page', bytes: new Uint8Array(256).fill(9) } as const

/** Anything that a child might say, with numbers that other children use, too. */
function nonsense(random: Prng): CopiesMessage {
  const serial = random.below(8)
  const page = (): PageIndex => random.below(6) as PageIndex
  const pages = (): PageIndex[] => Array.from({ length: random.below(4) }, page)
  const range = { first: page(), count: 1 + random.below(70) }
  const known = Array.from({ length: range.count }, () => random.below(4) - 1)
  const said: readonly CopiesMessage[] = [
    {
      kind: 'lock',
      serial,
      range,
      mode: random.pick(['read', 'write', 'write-shared']),
      offset: random.below(1000),
      length: random.below(1000),
      tag: 'z',
      known: range.count <= 64 ? known : [],
    },
    { kind: 'unlock', serial },
    { kind: 'fetch', serial, range, known },
    { kind: 'commit', number: serial, lock: random.below(8), pages: pages(), final: random.chance(0.5) },
    { kind: 'ack', serial, dropped: pages() },
    { kind: 'drop', pages: pages() },
    { kind: 'granted', serial, copies: [] },
    { kind: 'copies', serial, copies: [] },
    { kind: 'committed', numbers: [serial], changes: [], final: true },
    { kind: 'invalidate', serial, pages: pages(), when: 'unused' },
  ]
  return random.pick(said)
}

/** Two sites go on with what they do, beside a third that talks nonsense. */
function run(world: CopiesWorld): void {
  const random = Prng.fromSeed(seed)
  const terms = { tag: 'x' }
  seenBy(world, 'A', 0, 0, terms)
  for (let round = 1; round <= 20; round++) {
    const writer = opened(world, round % 2 === 0 ? 'A' : 'B', 'write', 0, 1, terms)
    writeCell(writer, 0, 0, round)
    for (let said = 0; said < messages / 20; said++) {
      const message = nonsense(random)
      // What it has locked is its right, and would have the others wait.
      if (message.kind !== 'lock' || message.range.first > 0) tell(world, message)
    }
    world.unlock(writer)
    world.settle()
    assert.equal(writer.state, 'done', `seed ${seed}, round ${round}`)
    const fresh = { ...terms, staleness: { ms: 0, versions: 0 } }
    const reader = opened(world, round % 2 === 0 ? 'B' : 'A', 'read', 0, 1, fresh)
    assert.equal(readCell(reader, 0, 0), round, `seed ${seed}, round ${round}`)
    world.unlock(reader)
    world.settle()
  }
  world.lose('C')
  world.settle()
  assert.ok(world.isQuiet())
  for (const site of world.sites) assert.equal(site.keptParcels, 0, site.name)
}

/** Sections on page 0 come without their bytes: with them they would be no nonsense. */
function tell(world: CopiesWorld, message: CopiesMessage): void {
  const isOfOthers = message.kind === 'commit' && !message.pages.includes(0 as PageIndex)
  const parcels = isOfOthers ? message.pages.map(() => wholePage) : []
  world.inject('C', message, parcels)
}

describe('Nonsense from a child', () => {
  for (const [name, make] of [
    ['release', releaseWorld],
    ['bounded', boundedWorld],
    ['objects', objectsWorld],
  ] as const) {
    it(`harms nobody else: ${name}`, () => {
      run(make())
    })
  }
})
