import type { ProtocolDefinition } from '../../consistency/contract.js'
import type { ProtocolClaims } from './protocol-claims.js'
import { runProtocolSeed } from './protocol-run.js'
import { failureScenes } from './scenes/failure-scenes.js'
import { hostileScenes } from './scenes/hostile-scenes.js'
import { lockScenes } from './scenes/lock-scenes.js'
import { plainScenes } from './scenes/plain-scenes.js'
import { Stage } from './scenes/stage.js'

/** What runs tests: that of `node:test`, or any of its kind. A test fails by throwing, and nothing is asynchronous. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, body: () => void) => unknown
}

export interface ProtocolTestOptions {
  /** Random runs; 200 unless told. */
  readonly seeds?: number
  /** The first of them; 0 unless told. */
  readonly firstSeed?: number
  /** Steps of each before all is healed; 150 unless told. */
  readonly steps?: number
}

const seedsPerTest = 25

/**
 * The acceptance suite that any protocol with a codec must pass: short stories that have to end well, then random runs, each
 * with faults, and a healed phase that must make progress. The claims choose what is demanded, and which checkers judge.
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * runProtocolTests({ describe, it }, myProtocol, { reads: 'release', writes: 'shared', unlockMeans: 'durable' })
 * ```
 */
export function runProtocolTests<M>(
  { describe, it }: TestRunner,
  definition: ProtocolDefinition<M>,
  claims: ProtocolClaims,
  options: ProtocolTestOptions = {},
): void {
  const { seeds = 200, firstSeed = 0, steps = 150 } = options
  describe(`protocol ${definition.name}`, () => {
    for (const scene of [...plainScenes, ...lockScenes, ...failureScenes, ...hostileScenes]) {
      if (scene.isFor?.(claims) === false) continue
      it(scene.name, () => scene.play(new Stage(definition, claims)))
    }
    for (let first = firstSeed; first < firstSeed + seeds; first += seedsPerTest) {
      const last = Math.min(first + seedsPerTest, firstSeed + seeds) - 1
      it(`random runs keep what is claimed: seeds ${first} to ${last}`, () => {
        for (let seed = first; seed <= last; seed++) runProtocolSeed(definition, claims, seed, steps)
      })
    }
  })
}
