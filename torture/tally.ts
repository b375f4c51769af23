import type { ErrorCode } from '../src/index.js'
import type { ClientError } from './client/messages.js'
import { outcomeOf } from './record.js'
import type { TimedOperation } from './record.js'
import { regionOf } from './layout.js'

/** What may come of machines that die and links that break. Any other code says that somebody is wrong. */
const expectedCodes: readonly string[] = [
  'timeout',
  'unreachable',
  'context-broken',
  'outcome-unknown',
  'closed',
  'busy',
] satisfies readonly ErrorCode[]

/** All that clients have told so far. */
export class Tally {
  readonly operations: TimedOperation[] = []
  readonly outcomes = { acknowledged: 0, failed: 0, unknown: 0 }
  readonly errors = new Map<string, number>()
  /** The first of each code that is not expected. */
  readonly strange = new Map<string, string>()
  /** When an operation on a region was last acknowledged. Milliseconds of the run's clock. */
  readonly #lastMs = new Map<string, number>()

  readonly add = (operations: readonly TimedOperation[], errors: readonly ClientError[] = []): void => {
    for (const operation of operations) {
      this.operations.push(operation)
      const outcome = outcomeOf(operation)
      this.outcomes[outcome] += 1
      const region = regionOf(operation.key)
      if (outcome === 'acknowledged') {
        this.#lastMs.set(region, Math.max(this.#lastMs.get(region) ?? 0, operation.complete ?? 0))
      }
    }
    for (const { code, message } of errors) {
      this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
      if (!expectedCodes.includes(code) && !this.strange.has(code)) this.strange.set(code, message)
    }
  }

  /** Those of which nothing was acknowledged after that moment. */
  silentSince(regions: readonly string[], ms: number): readonly string[] {
    return regions.filter((region) => (this.#lastMs.get(region) ?? 0) <= ms)
  }
}
