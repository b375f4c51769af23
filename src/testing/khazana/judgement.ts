import type { Staleness } from '../../address/lock-terms.js'
import { unreachable } from '../../stdx/assert.js'
import { grouped } from '../grouped.js'
import type { Operation } from '../history.js'
import { checkLinearizability } from '../linearizability.js'
import type { Verdict } from '../linearizability.js'
import { checkReleaseVisibility } from '../protocol/release-visibility.js'
import { checkStaleness } from '../protocol/staleness-bound.js'
import type { Place } from './place.js'
import { judgeEventual } from './eventual-judgement.js'
import { judgeSet } from './set-judgement.js'

/**
 * How much faster than true time a site's clock may go, which measures how old its copies are, and how late a lock may
 * note its age, in ms.
 */
const clockShare = 0.003
const slackMs = 1

/** What of the history breaks what was promised for its key. A violation goes before what cannot be decided. */
export function judge(places: readonly Place[], history: readonly Operation[]): Verdict {
  const byKey = grouped(history, ({ key }) => key)
  let undecided: Verdict = { kind: 'ok' }
  for (const place of places) {
    for (const verdict of judgePlace(place, byKey.get(place.cell.key) ?? [])) {
      if (verdict.kind === 'violation') return verdict
      if (verdict.kind === 'undecided' && undecided.kind === 'ok') undecided = verdict
    }
  }
  return undecided
}

function judgePlace({ pledge, cell }: Place, history: readonly Operation[]): readonly Verdict[] {
  switch (pledge.reads) {
    case 'linearizable':
      return [checkLinearizability(history)]
    case 'release':
      return [checkReleaseVisibility(history), ...judgeWriters(history, cell.form.kind)]
    case 'bounded':
      return [checkStaleness(history, boundOf), ...judgeWriters(history, cell.form.kind)]
    case 'eventual':
      // Copies of any age, of what writers made one after the other.
      if (pledge.excludes !== 'nobody')
        return [checkStaleness(history, anyAge), ...judgeWriters(history, cell.form.kind)]
      return [cell.form.kind === 'set' ? judgeSet(history) : judgeEventual(history)]
    default:
      return unreachable(pledge.reads)
  }
}

/** Where writers keep each other out, they and those who will have nothing but the newest are in one order. */
function judgeWriters(
  history: readonly Operation[],
  form: Place['cell']['form']['kind'],
): readonly Verdict[] {
  if (form !== 'text') return []
  return [checkLinearizability(history.filter((one) => one.op === 'write' || isFresh(one)))]
}

function isFresh({ bound }: Operation): boolean {
  return bound?.ms === 0 && bound.versions === 0
}

/** Who writes begins with the newest. */
function anyAge({ op }: Operation): Staleness {
  return op === 'write' ? { ms: 0, versions: 0 } : { ms: Infinity, versions: Infinity }
}

function boundOf({ op, bound }: Operation): Staleness {
  if (op === 'write' || bound === undefined) return { ms: 0, versions: 0 }
  const { ms, versions } = bound
  return {
    ms: ms === null ? Infinity : ms === 0 ? 0 : ms * (1 + clockShare) + slackMs,
    versions: versions ?? Infinity,
  }
}
