import { unreachable } from '../../src/stdx/assert.js'
import type { Prng } from '../../src/stdx/prng.js'
import { textOf } from '../cell.js'
import { pause } from '../clock.js'
import { accountPages, accountsPerRegion, countersPerRegion } from '../layout.js'
import type { Gate } from './gate.js'
import type { PlacedRegion } from './messages.js'
import type { Notebook } from './notebook.js'
import { doSection } from './section.js'
import type { SectionRequest } from './section.js'

export interface LaneOptions {
  readonly process: string
  readonly region: PlacedRegion
  readonly random: Prng
  readonly gate: Gate
  readonly notebook: Notebook
  /** Milliseconds of the run's clock. */
  readonly now: () => number
  /** A new one each time, unique in the run. */
  readonly mark: () => string
  /** The mean of the pauses between two sections. */
  readonly pauseMs: number
}

/** Chances of what is done next, which are one together. */
const shares = [
  ['increment', 0.4],
  ['transfer', 0.25],
  ['look', 0.15],
  ['audit', 0.2],
] as const

const amountMax = 10

/** One section after the other on one region, until the signal fires; the last one is brought to its end. */
export async function runLane(options: LaneOptions, signal: AbortSignal): Promise<void> {
  const { random, gate, pauseMs } = options
  while (!signal.aborted) {
    await pause(random.exponential(pauseMs), signal)
    const khazana = await gate.enter(signal)
    if (khazana === undefined) return
    const request = draw(options)
    gate.used(khazana, (await doSection(khazana, request)) ? 'well' : 'badly')
  }
}

function draw(options: LaneOptions): SectionRequest {
  const { process, region, random, notebook, now } = options
  const mark = options.mark()
  return { process, region, mark, notebook, now, ...drawWork(random, mark) }
}

function drawWork(random: Prng, mark: string): Pick<SectionRequest, 'mode' | 'pages' | 'body'> {
  const kind = drawKind(random)
  switch (kind) {
    case 'increment': {
      const page = random.below(countersPerRegion)
      return {
        mode: 'write',
        pages: { first: page, count: 1 },
        body: (cells) => cells.write(page, textOf({ number: cells.number(page) + 1, mark })),
      }
    }
    case 'transfer': {
      const [from = 0, to = 1] = random.shuffle(accountPages)
      const amount = random.int(1, amountMax)
      const first = Math.min(from, to)
      return {
        mode: 'write',
        pages: { first, count: Math.abs(from - to) + 1 },
        body: (cells) => {
          const [payer, payee] = [cells.number(from), cells.number(to)]
          cells.write(from, textOf({ number: payer - amount, mark }))
          cells.write(to, textOf({ number: payee + amount, mark }))
        },
      }
    }
    case 'look': {
      const page = random.below(countersPerRegion)
      return {
        mode: 'read',
        pages: { first: page, count: 1 },
        body: (cells) => void cells.number(page),
      }
    }
    case 'audit':
      return {
        mode: 'read',
        pages: { first: countersPerRegion, count: accountsPerRegion },
        body: (cells) => {
          for (const page of accountPages) cells.number(page)
        },
      }
    default:
      return unreachable(kind)
  }
}

function drawKind(random: Prng): (typeof shares)[number][0] {
  let left = random.unit()
  for (const [kind, share] of shares) {
    if (left < share) return kind
    left -= share
  }
  return 'audit'
}
