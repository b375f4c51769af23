import { present } from '../../stdx/assert.js'
import { checkLinearizability } from '../linearizability.js'
import type { Verdict } from '../linearizability.js'
import { demand } from './contract-violation.js'
import { findConflict } from './mutual-exclusion.js'
import type { ProtocolActors } from './protocol-actors.js'
import { bytesConflict, excludes } from './protocol-claims.js'
import type { ClaimedLock, ProtocolClaims } from './protocol-claims.js'
import type { ProtocolWorld } from './protocol-world.js'
import { checkReleaseVisibility } from './release-visibility.js'
import { checkStaleness } from './staleness-bound.js'

/** Throws a `ContractViolation` where what happened in the world, and what its actors saw, is not as claimed. */
export function judgeRun<M>(
  claims: ProtocolClaims,
  world: ProtocolWorld<M>,
  actors: ProtocolActors<M>,
): void {
  judgeExclusion(claims, world)
  const verdict = judgeReads(claims, actors)
  demand(verdict.kind !== 'violation', `what sections saw is not ${claims.reads}: ${wordsOfVerdict(verdict)}`)
}

function judgeReads<M>(claims: ProtocolClaims, actors: ProtocolActors<M>): Verdict {
  const history = actors.history()
  switch (claims.reads) {
    case 'linearizable':
      return checkLinearizability(history)
    case 'release':
      return checkReleaseVisibility(history)
    case 'bounded':
    case 'eventual': {
      const bounds = actors.boundsOf(history)
      return checkStaleness(history, (one) => present(bounds.get(one), 'each operation has a bound'))
    }
  }
}

function judgeExclusion<M>(claims: ProtocolClaims, world: ProtocolWorld<M>): void {
  const test = claims.conflicts === true ? bytesConflict : undefined
  const held = world.sections.flatMap((section) => {
    const { site, mode, range, terms } = section.request
    if (section.openOrder === undefined) return []
    const claim: ClaimedLock = {
      site,
      mode,
      range,
      claim: { mode, offset: terms.offset, length: terms.length, tag: terms.tag },
    }
    return [{ name: section.name, claim, from: section.openOrder, until: section.closeOrder ?? Infinity }]
  })
  const found = findConflict(held, excludes(claims, test))
  const names = found?.map(({ name, claim }) => `${name} (${claim.mode})`).join(' and ') ?? ''
  demand(names === '', `${names} were open at once, where writes are ${claims.writes}`)
}

/** What is wrong, and with which key. */
export function wordsOfVerdict(verdict: Verdict): string {
  return verdict.kind === 'ok' ? '' : `${verdict.key}: ${verdict.explanation}`
}
