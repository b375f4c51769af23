import type { Khazana } from '../../client/khazana.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Prng } from '../../stdx/prng.js'
import type { SimProcess } from '../sim-process.js'
import type { SimWorld } from '../sim-world.js'
import type { Place } from './place.js'

/** That a change may end with while nodes die, coordinators are away and messages are late. */
const expected: ReadonlySet<ErrorCode> = new Set([
  'timeout',
  'unreachable',
  'outcome-unknown',
  'no-space',
  'busy',
  'closed',
])

export interface ReplicaChangesOptions {
  readonly world: SimWorld
  readonly random: Prng
  readonly sites: () => Iterable<readonly [SimProcess, { readonly khazana: Khazana }]>
  readonly places: readonly Place[]
  readonly isOn: () => boolean
  /** Whether a page may be damaged for a while, where those who have it in order are down: then its region goes to no other log. */
  readonly mayBeDamaged: () => boolean
  readonly complain: (what: string) => void
}

/** Changes the number of replicas of regions now and then, while they are used: one after the other. */
export class ReplicaChanges {
  readonly #options: ReplicaChangesOptions
  readonly #random: Prng
  readonly #gapMs: number
  /** How many succeeded. */
  count = 0

  constructor(options: ReplicaChangesOptions) {
    this.#options = options
    this.#random = options.random.fork('changes of replicas')
    this.#gapMs = this.#random.logarithmic(200, 10_000)
  }

  begin(): void {
    const { world, isOn } = this.#options
    world.scheduler.schedule(undefined, this.#random.exponential(this.#gapMs), 'change of replicas', () => {
      if (!isOn()) return
      void this.#change().then(() => {
        this.begin()
      })
    })
  }

  /** Never rejects. The process may die meanwhile, and then it does not resolve either: so there is a limit. */
  async #change(): Promise<void> {
    const { world, places, sites, complain, mayBeDamaged } = this.#options
    const random = this.#random
    const site = random.pick([...sites()])
    const { region: address, pledge } = random.pick(places)
    const minReplicas = random.int(1, 3)
    const timeoutMs = random.logarithmic(500, 20_000)
    const [process, { khazana }] = site
    // What is accepted and not durable may be lost with a takeover.
    if (process.state !== 'running' || pledge.reads === 'eventual' || pledge.changes.length > 0) return
    const change = async (): Promise<void> => {
      const region = await khazana.region(address, { timeoutMs })
      await region.setAttributes({ minReplicas }, { timeoutMs })
      this.count += 1
    }
    const judged = change().catch((reason: unknown) => {
      const { code, stack } = KhazanaError.from(reason)
      if (code === 'damaged' && mayBeDamaged()) return
      if (!expected.has(code)) complain(`a change to ${minReplicas} replicas failed: ${stack ?? code}`)
    })
    await Promise.race([judged, world.scheduler.delay(undefined, 3 * timeoutMs, 'a change of replicas')])
  }
}
