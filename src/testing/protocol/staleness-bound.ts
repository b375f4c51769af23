import type { Staleness } from '../../address/lock-terms.js'
import { describeOperation } from '../history.js'
import type { Operation } from '../history.js'
import type { Verdict } from '../linearizability.js'
import { endOf, judgeEach } from './register.js'
import type { Register, Sight } from './register.js'

/**
 * Whether all that sections saw was within its bound: overwritten, by a write that was acknowledged, at most `ms` of
 * true time before the section was asked for, and by at most `versions` such writes. What is finite of the two must
 * hold. With 0 it is as `checkReleaseVisibility`. `boundOf` gives the bound of each operation, as its caller asked.
 */
export function checkStaleness(
  history: readonly Operation[],
  boundOf: (operation: Operation) => Staleness,
): Verdict {
  return judgeEach(history, (register) => judge(register, boundOf))
}

function judge(register: Register, boundOf: (operation: Operation) => Staleness): Verdict {
  for (const sight of register.sights) {
    const { operation } = sight
    const reason = register.impossibility(sight) ?? staleness(register, sight, boundOf(operation))
    if (reason === undefined) continue
    return {
      kind: 'violation',
      key: register.key,
      explanation: `${describeOperation(operation)}\n${reason}`,
      operations: [operation],
    }
  }
  return { kind: 'ok' }
}

function staleness(register: Register, { operation, value }: Sight, bound: Staleness): string | undefined {
  const write = register.writeOf(value)
  const over = register.firstOverwriting(write)
  if (over === undefined || endOf(over) > operation.invokeOrder) return undefined
  const behindMs = operation.invoke - (over.complete ?? Infinity)
  if (bound.ms === 0 || behindMs > bound.ms) {
    return `what it saw was ${behindMs} ms out of date, where ${bound.ms} are allowed: ${describeOperation(over)}`
  }
  if (bound.versions === Infinity) return undefined
  const behind = register.overwritingBefore(write, operation)
  if (behind <= bound.versions) return undefined
  return `what it saw was ${behind} versions behind, where ${bound.versions} are allowed: ${describeOperation(over)}`
}
