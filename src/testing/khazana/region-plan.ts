import { unreachable } from '../../stdx/assert.js'
import type { Prng } from '../../stdx/prng.js'
import { numbersMax } from './cell.js'
import type { Cell, CellForm, Slot } from './cell.js'
import { NumberedValues } from './numbered-values.js'
import { isMerged } from './pledge.js'
import type { Pledge } from './pledge.js'

/** A region that is to be reserved, and the keys in it. */
export interface RegionPlan {
  readonly pledge: Pledge
  readonly pages: number
  readonly cells: readonly Cell[]
}

/** Where the keys of a region begin to count, and how large its pages are. */
export interface PlanOptions {
  readonly pledge: Pledge
  readonly firstKey: number
  readonly pageSize: number
  readonly random: Prng
}

const text: CellForm = { kind: 'text' }

/** A region of a few keys: how they lie in pages is what its protocol is about. */
export function planRegion(options: PlanOptions): RegionPlan {
  const { reads, excludes } = options.pledge
  switch (reads) {
    case 'linearizable':
      return excludes === 'by-tag' ? planNeighbours(options) : planOwnPages(options)
    case 'release':
    case 'bounded':
      return planNeighbours(options)
    case 'eventual':
      return planSinglePages(options)
    default:
      return unreachable(reads)
  }
}

/** Keys of one to three pages each, which no other key shares. */
function planOwnPages({ pledge, firstKey, pageSize, random }: PlanOptions): RegionPlan {
  const cells: Cell[] = []
  const count = random.int(1, 3)
  const sizes = Array.from({ length: count }, () => random.pick([1, 1, 2, 3]))
  let page = 0
  for (const pages of sizes) {
    const slots = Array.from({ length: pages }, (_, index) => ({
      offset: (page + index) * pageSize,
      length: pageSize,
    }))
    cells.push(cellOf(`key-${firstKey + cells.length}`, slots, text))
    page += pages
  }
  return { pledge, pages: page, cells }
}

/**
 * Pages that are cut lengthwise: each key has its share of all pages, or of some. So a page comes with a lock on one key, and
 * not those around it that another key needs as well.
 */
function planNeighbours({ pledge, firstKey, pageSize, random }: PlanOptions): RegionPlan {
  const count = random.int(2, 4)
  const pages = random.pick([1, 1, 2, 3])
  const length = Math.floor(pageSize / count)
  const cells = Array.from({ length: count }, (_, share) => {
    const first = share === 0 ? 0 : random.below(pages)
    const last = share === 0 ? pages - 1 : random.int(first, pages - 1)
    const slots = Array.from({ length: last - first + 1 }, (__, index) => ({
      offset: (first + index) * pageSize + share * length,
      length,
    }))
    const isForMany = pledge.writeShared === 'beside' && random.chance(0.6)
    const form: CellForm = isForMany ? { kind: 'number', values: new NumberedValues(numbersMax) } : text
    return cellOf(`key-${firstKey + share}`, slots, form)
  })
  return { pledge, pages, cells }
}

/** Keys of one page each: pages of one section go their own ways. */
function planSinglePages({ pledge, firstKey, pageSize, random }: PlanOptions): RegionPlan {
  const count = random.int(1, 3)
  const cells = Array.from({ length: count }, (_, page) => {
    const form: CellForm = isMerged(pledge) ? { kind: 'set', values: new NumberedValues(pageSize * 8) } : text
    return cellOf(`key-${firstKey + page}`, [{ offset: page * pageSize, length: pageSize }], form)
  })
  return { pledge, pages: count, cells }
}

/** A key of so many whole pages, alone in its region. */
export function planSingle(key: string, pages: number, pageSize: number): Cell {
  const slots = Array.from({ length: pages }, (_, page) => ({ offset: page * pageSize, length: pageSize }))
  return cellOf(key, slots, text)
}

function cellOf(key: string, slots: readonly Slot[], form: CellForm): Cell {
  const offset = slots[0]?.offset ?? 0
  const last = slots.at(-1) ?? { offset, length: 0 }
  return { key, offset, length: last.offset + last.length - offset, slots, form }
}
