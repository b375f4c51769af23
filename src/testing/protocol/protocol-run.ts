import type { ProtocolDefinition } from '../../consistency/contract.js'
import { Prng } from '../../stdx/prng.js'
import { HealedPhase } from './healed-phase.js'
import { ProtocolActors } from './protocol-actors.js'
import { attributesOf, bytesConflict, largerStands } from './protocol-claims.js'
import type { ProtocolClaims } from './protocol-claims.js'
import { ProtocolWorld } from './protocol-world.js'
import { RandomSteps } from './random-steps.js'
import { judgeRun } from './run-judgement.js'
import { drawPlan } from './run-plan.js'

/** Lines of the log that go with a failure. */
const logLinesShown = 60

/** Runs a seed. What is thrown says which, and how it ended. */
export function runProtocolSeed<M>(
  protocol: ProtocolDefinition<M>,
  claims: ProtocolClaims,
  seed: number,
  steps: number,
): ProtocolWorld<M> {
  const run = new ProtocolRun(protocol, claims, seed)
  try {
    run.run(steps)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const lines = run.world.log.slice(-logLinesShown).join('\n')
    throw new Error(`seed ${seed} of ${protocol.name}: ${reason}\n${lines}`, { cause })
  }
  return run.world
}

/**
 * One random run: applications at all sites ask for locks, read, write, give up, while messages arrive in any order that
 * sessions allow, and things fail as the seed's plan says. Then all is healed, and the run must make progress: every lock is
 * answered, every ticket ends, all sites see the same, `quiesce` comes to rest, and every page can be evicted. What was
 * recorded is judged by what the protocol claims.
 */
class ProtocolRun<M> {
  readonly world: ProtocolWorld<M>
  readonly #claims: ProtocolClaims
  readonly #actors: ProtocolActors<M>
  readonly #steps: RandomSteps<M>
  readonly #healed: HealedPhase<M>

  constructor(protocol: ProtocolDefinition<M>, claims: ProtocolClaims, seed: number) {
    const prng = Prng.fromSeed(seed)
    const drawn = drawPlan(prng.fork('plan'))
    // What was freed is not in what all is merged to.
    const plan = claims.merge === true ? { ...drawn, frees: false } : drawn
    const clocks = prng.fork('clocks')
    this.#claims = claims
    const steps = prng.fork('steps')
    this.world = new ProtocolWorld({
      protocol,
      children: ['A', 'B', 'C', 'D'].slice(0, plan.children),
      pages: plan.pages,
      attributes: attributesOf(claims),
      ...(claims.conflicts === true ? { conflicts: bytesConflict } : {}),
      ...(claims.merge === true ? { merge: largerStands } : {}),
      clocks: () => ({
        offsetMs: plan.skews ? clocks.int(0, 1_000_000) : 0,
        wallOffsetMs: plan.skews ? clocks.int(-5000, 5000) : 0,
      }),
      over: (section) => this.#actors.over(section),
    })
    this.#actors = new ProtocolActors(this.world, claims, prng.fork('actors'))
    this.#steps = new RandomSteps(this.world, this.#actors, plan, steps)
    this.#healed = new HealedPhase(this.world, this.#actors, claims, steps)
  }

  run(steps: number): void {
    const healed = this.#healed
    for (let step = 0; step < steps; step++) this.#steps.take()
    healed.heal()
    this.#judge()
    healed.converge()
    healed.comeToRest()
    healed.visitAll()
    healed.evictAll()
    this.#judge()
  }

  #judge(): void {
    judgeRun(this.#claims, this.world, this.#actors)
  }
}
