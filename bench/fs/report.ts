import { loadavg } from 'node:os'
import { middleOf, peerSystems, peersIn, peersSource } from './peers.js'
import type { PeerSystem } from './peers.js'
import { figureOf } from './run.js'
import type { FsMeasured, FsResult } from './run.js'
import { timesSlower } from './scenario.js'
import type { FsRow } from './scenario.js'

/** How it was measured. */
export interface FsCircumstances {
  readonly mount: string
  readonly other: string | undefined
  readonly plain: string
  readonly amount: 'full' | 'quick'
  readonly rounds: number
  /** What reads and writes blocks: a version of fio, or the bench's own processes. */
  readonly exerciser: string
  readonly colds: 'dropped' | 'advised'
  /** The machine's load average of a minute, before the first row. */
  readonly loadBefore: number
}

interface Reported {
  readonly result: FsResult
  readonly mount: number
  readonly plain: number
  readonly timesSlower: number
  readonly bestPeer: { readonly system: PeerSystem; readonly timesSlower: number } | undefined
}

function report(result: FsResult, amount: 'full' | 'quick'): Reported {
  const [mount, plain] = [figureOf(result.mount), figureOf(result.plain)]
  return {
    result,
    mount,
    plain,
    timesSlower: timesSlower(result.row.unit, mount, plain),
    bestPeer: bestPeerIn(result.row, amount),
  }
}

/** Held against the plain directory of its own machine, so that the two machines' disks cancel out. */
function bestPeerIn({ name, unit }: FsRow, amount: 'full' | 'quick'): Reported['bestPeer'] {
  const peers = peersIn(name, amount)
  if (peers === undefined) return undefined
  const local = middleOf(peers.local)
  const slowness = peerSystems.flatMap((system) => {
    const figure = peers.systems[system]
    return figure === undefined ? [] : [{ system, timesSlower: timesSlower(unit, middleOf(figure), local) }]
  })
  return slowness.toSorted((a, b) => a.timesSlower - b.timesSlower)[0]
}

export function asJson({ results, unmeasured }: FsMeasured, circumstances: FsCircumstances): string {
  const { amount } = circumstances
  const rows = results.map((result) => {
    const { mount, plain, timesSlower, bestPeer = null } = report(result, amount)
    return {
      ...result.row,
      mount: { median: mount, samples: result.mount },
      plain: { median: plain, samples: result.plain },
      timesSlower,
      peers: peersIn(result.row.name, amount) ?? null,
      bestPeer,
    }
  })
  return JSON.stringify({
    ...circumstances,
    other: circumstances.other ?? null,
    peersSource,
    rows,
    unmeasured,
  })
}

const headings = ['', 'unit', 'mount', 'plain', 'times slower', 'best peer is', ...peerSystems]
const textColumns = 2

/** For people: columns, the numbers to the right; below what was not measured, and why, and what the columns are. */
export function asTable({ results, unmeasured }: FsMeasured, circumstances: FsCircumstances): string {
  const { amount, rounds, exerciser, colds, loadBefore } = circumstances
  const lines = results.map((result) => {
    const { mount, plain, timesSlower, bestPeer } = report(result, amount)
    const peers = peersIn(result.row.name, amount)
    return [
      result.row.name,
      result.row.unit,
      shown(mount),
      shown(plain),
      shown(timesSlower),
      bestPeer === undefined ? '' : `${shown(bestPeer.timesSlower)} (${bestPeer.system})`,
      ...peerSystems.map((system) => {
        const figure = peers?.systems[system]
        if (figure === undefined) return ''
        return typeof figure === 'number' ? shown(figure) : figure.map(shown).join('-')
      }),
    ]
  })
  const table = [headings, ...lines]
  const widths = headings.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)))
  return [
    ...table.map((line) => lineOf(line, widths)),
    '',
    ...unmeasured.map(({ name, how, reason }) => `${how.toUpperCase()} ${name}: ${reason}`),
    `median of ${rounds} round${rounds === 1 ? '' : 's'} (${amount}), mount and plain directory in turn; load ${loadBefore.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after`,
    `blocks are read and written by ${exerciser}; cold: ${colds === 'dropped' ? 'all caches of the kernel dropped' : 'the kernel is advised to forget the file (names and attributes stay)'}`,
    'times slower: than the plain directory; "best peer is": the same of the fastest other system, on its machine',
    `other systems: ${peersSource}`,
  ].join('\n')
}

function lineOf(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => {
      const width = widths[column] ?? 0
      return column < textColumns ? cell.padEnd(width) : cell.padStart(width)
    })
    .join('  ')
    .trimEnd()
}

/** Three digits that say something; thousands as `k`. */
function shown(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(value >= 100_000 ? 0 : 1)} k`
  if (value >= 100) return value.toFixed(0)
  if (value >= 10) return value.toFixed(1)
  return value >= 1 ? value.toFixed(2) : value.toFixed(3)
}
