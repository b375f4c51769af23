import type { Finding } from './checks/finding.js'
import type { Judgement } from './checks/judgement.js'
import type { Outage } from './checks/outages.js'
import type { Tally } from './tally.js'

/** How a run has ended; plain data. */
export interface Report {
  readonly seed: number
  readonly nodes: number
  readonly coordinator: string
  readonly seconds: number
  /** What was asked for and left out, with why. */
  readonly skipped: readonly string[]
  readonly faults: Readonly<Record<string, number>>
  readonly operations: Tally['outcomes']
  /** What operations and connections failed with, by code. */
  readonly errors: Readonly<Record<string, number>>
  /** The longest of each number of replicas. */
  readonly outages: readonly Outage[]
  readonly findings: Judgement
  /** Whatever else went wrong: nodes that ended by themselves, regions that did not come back, errors that make no sense. */
  readonly problems: readonly string[]
}

/** Nothing lost, nothing stale, and nothing that could not be found out. */
export function isClean({ findings, problems }: Report): boolean {
  const { lost, stale, sums, undecided } = findings
  return lost.length + stale.length + sums.length + undecided.length + problems.length === 0
}

const findingsShown = 5

/** For people. */
export function reportText(report: Report): string {
  const { seed, nodes, coordinator, seconds, skipped, faults, operations, errors, outages } = report
  const { lost, stale, sums, undecided } = report.findings
  return [
    `seed ${seed}: ${nodes} nodes, ${coordinator} coordinator, ${seconds.toFixed(0)} s`,
    ...skipped.map((what) => `skipped: ${what}`),
    `faults: ${listed(faults)}`,
    `operations: ${operations.acknowledged} acknowledged, ${operations.failed} failed, ${operations.unknown} unknown`,
    `errors: ${listed(errors)}`,
    ...outages.map(
      ({ region, from, until }) =>
        `longest outage: ${inSeconds(until - from)} of ${region}, from ${inSeconds(from)} on`,
    ),
    ...shown('undecided', undecided),
    ...shown('broken sums', sums),
    ...shown('lost', lost),
    ...shown('stale', stale),
    ...report.problems.map((problem) => `problem: ${problem}`),
    isClean(report) ? 'passed' : 'FAILED',
  ].join('\n')
}

function shown(what: string, findings: readonly Finding[]): readonly string[] {
  const first = findings.slice(0, findingsShown).map(({ explanation }) => `  ${explanation}`)
  const more = findings.length - first.length
  return [`${what}: ${findings.length}`, ...first, ...(more > 0 ? [`  and ${more} more`] : [])]
}

function listed(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.length === 0 ? 'none' : entries.map(([name, count]) => `${name} ${count}`).join(', ')
}

export function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
