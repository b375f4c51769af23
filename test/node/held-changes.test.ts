import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import type { GroupStep } from '../../src/node/group/group-step.js'
import { HeldChanges } from '../../src/node/group/held-changes.js'

const address = addressFrom(4096n)

/** Pages by their versions. */
interface Told {
  readonly frees?: readonly number[]
  readonly pages?: Readonly<Record<number, number>>
  readonly lost?: Readonly<Record<number, number>>
  readonly isEnd?: boolean
}

function step({ frees = [], pages = {}, lost = {}, isEnd = false }: Told): GroupStep {
  const stamps = (of: Readonly<Record<number, number>>): { page: PageIndex; version: Version }[] =>
    Object.entries(of).map(([page, version]) => ({
      page: Number(page) as PageIndex,
      version: version as Version,
    }))
  return {
    address,
    region: undefined,
    isEnd,
    frees: frees.map((first) => ({ first: first as PageIndex, count: 1 })),
    pages: stamps(pages).map((stamp) => ({ ...stamp, bytes: new Uint8Array(stamp.version) })),
    lost: stamps(lost),
  }
}

function outcome(...told: readonly Told[]): {
  readonly frees: string
  readonly pages: string
  readonly lost: string
  bytes: number
} {
  const held = new HeldChanges()
  for (const one of told) held.add(step(one))
  const [all] = held.all()
  assert.ok(all !== undefined)
  const shown = (stamps: Iterable<{ page: number; version: number }>): string =>
    [...stamps].map(({ page, version }) => `${page}@${version}`).join(' ')
  return {
    frees: all.frees.map(({ first, count }) => `${first}+${count}`).join(' '),
    pages: shown(all.pages),
    lost: shown(all.lost),
    bytes: held.bytes,
  }
}

describe('changes that are held', () => {
  it('keep the last of each page, whether it has bytes or is lost', () => {
    assert.deepEqual(
      outcome({ pages: { 1: 5, 2: 6 } }, { lost: { 1: 7 } }, { lost: { 3: 8 } }, { pages: { 3: 9 } }),
      {
        frees: '',
        pages: '2@6 3@9',
        lost: '1@7',
        bytes: 15,
      },
    )
  })

  it('take back what is freed, and what is told after that is behind it', () => {
    assert.deepEqual(
      outcome({ pages: { 1: 5 }, lost: { 2: 6, 3: 6 } }, { frees: [1, 2] }, { lost: { 1: 7 } }),
      {
        frees: '1+2',
        pages: '',
        lost: '3@6 1@7',
        bytes: 0,
      },
    )
  })

  it('take all back where the region ends', () => {
    assert.deepEqual(outcome({ pages: { 1: 5 }, lost: { 2: 6 } }, { isEnd: true }), {
      frees: '',
      pages: '',
      lost: '',
      bytes: 0,
    })
  })
})
