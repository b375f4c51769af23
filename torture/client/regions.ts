import { Khazana, KhazanaError, formatAddress } from '../../src/index.js'
import { pageOf, textOf } from '../cell.js'
import { accountPages, balanceAtFirst, keyOf, pageBytes, pagesPerRegion } from '../layout.js'
import type { RegionPlan } from '../layout.js'
import type { TimedOperation } from '../record.js'
import type { PlacedRegion } from './messages.js'

export interface MadeRegions {
  readonly regions: readonly PlacedRegion[]
  /** The accounts' first balances. */
  readonly operations: readonly TimedOperation[]
  /** Numbers of replicas that this version cannot keep, with what it said. */
  readonly refused: ReadonlyMap<number, string>
}

export interface RegionMaking {
  readonly plans: readonly RegionPlan[]
  /** The socket of the node with this number. */
  readonly socketOf: (node: number) => string
  /** Milliseconds of the run's clock. */
  readonly now: () => number
}

/** Reserves all regions, each at its node, and gives their accounts something to transfer. */
export async function makeRegions({ plans, socketOf, now }: RegionMaking): Promise<MadeRegions> {
  const regions: PlacedRegion[] = []
  const operations: TimedOperation[] = []
  const refused = new Map<number, string>()
  for (const plan of plans) {
    if (refused.has(plan.replicas)) continue
    const khazana = await Khazana.connect(socketOf(plan.node))
    try {
      const size = pagesPerRegion * pageBytes
      const region = await khazana.reserve(size, { pageSize: pageBytes, minReplicas: plan.replicas })
      await region.allocate()
      const lock = await region.lock('write')
      const invoke = now()
      const value = textOf({ number: balanceAtFirst, mark: `setup.${plan.name}` })
      for (const page of accountPages) lock.write(page * pageBytes, pageOf(value))
      await lock.unlock()
      const times = { invoke, complete: now(), ok: true }
      for (const page of accountPages) {
        const key = keyOf(plan.name, page)
        operations.push({ process: 'setup', op: 'write', key, value, old: null, ...times })
      }
      regions.push({ name: plan.name, address: formatAddress(region.address) })
    } catch (reason) {
      const { code, message } = KhazanaError.from(reason)
      if (code !== 'unsupported') throw reason
      refused.set(plan.replicas, message)
    } finally {
      await khazana.close()
    }
  }
  return { regions, operations, refused }
}
