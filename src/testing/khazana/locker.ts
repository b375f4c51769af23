import type { Address } from '../../address/address.js'
import type { LockDemands } from '../../address/lock-demands.js'
import type { LockMode } from '../../address/lock-mode.js'
import type { ByteRange } from '../../address/range.js'
import type { Khazana } from '../../client/khazana.js'
import type { Region } from '../../client/region.js'
import type { Clock } from '../../io/clock.js'
import type { LockContext } from '../../node/replica/lock-context.js'
import type { Prng } from '../../stdx/prng.js'

export interface LockerOptions {
  readonly khazana: Khazana
  readonly clock: Clock
  readonly random: Prng
  /** `hasty`: also gives up early, and aborts. `patient`: takes the time it needs. */
  readonly temper: 'hasty' | 'patient'
}

/** Takes locks as programs do: with and without waiting, with more and less patience. Keeps its handles on regions. */
export class Locker {
  readonly #options: LockerOptions
  readonly #regions = new Map<Address, Region>()

  constructor(options: LockerOptions) {
    this.#options = options
  }

  /** The handle that this program has, which may be of long ago. */
  async region(address: Address, timeoutMs: number): Promise<Region> {
    const known = this.#regions.get(address)
    if (known !== undefined) return known
    const region = await this.#options.khazana.region(address, { timeoutMs })
    this.#regions.set(address, region)
    return region
  }

  async lock(
    address: Address,
    mode: LockMode,
    range: ByteRange,
    demands: LockDemands | undefined,
  ): Promise<LockContext> {
    const { random, temper } = this.#options
    const isHasty = temper === 'hasty'
    const timeoutMs = isHasty && random.chance(0.2) ? random.between(1, 50) : random.between(1000, 20_000)
    const region = await this.region(address, timeoutMs)
    const hit = random.chance(0.5) ? region.tryLock(mode, range, demands) : undefined
    if (hit !== undefined) return hit
    if (!isHasty || !random.chance(0.1)) return region.lock(mode, range, { timeoutMs, ...demands })
    const abort = new AbortController()
    const cancel = this.#options.clock.after(random.exponential(20), () => {
      abort.abort()
    })
    try {
      return await region.lock(mode, range, { timeoutMs, signal: abort.signal, ...demands })
    } finally {
      cancel.cancel()
    }
  }
}
