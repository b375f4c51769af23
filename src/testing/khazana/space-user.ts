import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { Khazana } from '../../client/khazana.js'
import type { Region } from '../../client/region.js'
import { founder, nodeId, nodeIdMax } from '../../address/identity.js'
import { sliceOf } from '../../location/address-slice.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Prng } from '../../stdx/prng.js'
import type { LoggedRegion, SpaceLog } from './space-log.js'

export interface SpaceUserOptions {
  readonly name: string
  readonly khazana: Khazana
  readonly random: Prng
  readonly log: SpaceLog
  readonly complain: (what: string) => void
}

const pageBytes = 4096
/** More than a pool has unless more is asked for. Bytes. */
const hugeBytes = 2 ** 31
/** Regions that there are at a time, at most. */
const liveMax = 40
/** A number that no node of a small cluster has. */
const stranger = nodeId(nodeIdMax >> 1)

/** Reserves regions, looks up those of others by their address alone, and gives them back. */
export class SpaceUser {
  readonly #options: SpaceUserOptions
  /** What it has had to do with: to be given back without a look whether it is there, whatever has happened to its home since. */
  readonly #known = new Map<Address, Region>()

  constructor(options: SpaceUserOptions) {
    this.#options = options
  }

  /** Rejects with the error that it came upon, unless that breaks a promise: then it complains. */
  async operate(): Promise<void> {
    const { random, log } = this.#options
    const kind = random.unit()
    const region = log.draw(random)
    if (kind < 0.05) await this.lookUpInVain(random.logarithmic(200, 20_000))
    else if (region === undefined || (kind < 0.4 && log.live.length < liveMax)) await this.#reserve()
    else if (kind < 0.8) await this.lookUp(region, random.logarithmic(200, 20_000))
    else await this.#unreserve(region)
  }

  async #reserve(): Promise<void> {
    const { khazana, random, log, name, complain } = this.#options
    const size = random.chance(0.03) ? hugeBytes : random.int(1, 4) * pageBytes
    const region = await khazana.reserve(size, { timeoutMs: random.logarithmic(200, 20_000) })
    this.#known.set(region.address, region)
    const conflict = log.reserved(region.descriptor, name)
    if (conflict !== undefined) complain(conflict)
  }

  /** What is reserved all the while must not be said not to be. */
  async lookUp(region: LoggedRegion, timeoutMs: number): Promise<void> {
    const { khazana, random, log, complain, name } = this.#options
    const address = (region.address + BigInt(random.int(0, region.size - 1))) as Address
    try {
      const found = await khazana.region(address, { timeoutMs })
      await found.stat({ offset: 0, length: 1 }, { timeoutMs })
      log.counts.found += 1
      this.#known.set(found.address, found)
      if (found.address !== region.address && region.isLive) {
        complain(`${name} found ${formatAddress(found.address)} in place of ${formatAddress(region.address)}`)
      }
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'no-such-region') throw error
      if (!region.isLive) return
      complain(
        `${name} is told that ${formatAddress(region.address)} of ${region.by} is not reserved: ${error.stack ?? ''}`,
      )
    }
  }

  /** What may be granted one day, and what could only be by a node that there is not. */
  async lookUpInVain(timeoutMs: number): Promise<void> {
    const { khazana, random, log, complain, name } = this.#options
    const slice = sliceOf(random.pick([founder, stranger]))
    const address = (slice.end - BigInt(random.int(1, 2 ** 40))) as Address
    try {
      await khazana.region(address, { timeoutMs })
      complain(`${name} found what nobody has reserved: ${formatAddress(address)}`)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'no-such-region') throw error
      log.counts['found nothing'] += 1
    }
  }

  async #unreserve(logged: LoggedRegion): Promise<void> {
    const { khazana, random, log } = this.#options
    const timeoutMs = random.logarithmic(200, 20_000)
    const known = this.#known.get(logged.address)
    const isIt = known?.descriptor.generation === logged.generation
    let region: Region
    try {
      region = isIt ? known : await khazana.region(logged.address, { timeoutMs })
    } catch (error) {
      // Another program was faster.
      if (!logged.isLive && KhazanaError.from(error).code === 'no-such-region') return
      throw error
    }
    if (!logged.isLive || region.address !== logged.address) return
    log.unreserving(logged)
    // Often too short.
    const patienceMs = random.logarithmic(0.2, 20_000)
    log.unreserved(logged, await region.unreserve({ timeoutMs: patienceMs }))
  }
}
