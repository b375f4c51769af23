import type { Address } from '../../address/address.js'
import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import type { PageIndex } from '../../address/page.js'
import type { KhazanaError } from '../../stdx/errors.js'
import type { MetadataPut } from '../../store/commit-group.js'
import type { SpaceId } from '../../store/space.js'
import type { Store } from '../../store/store.js'
import type { Result } from '../../wire/message.js'
import type { TransactionCall } from '../../wire/transaction-message.js'
import type { HomedRegion } from '../home/homed-region.js'
import type { TransactionBug } from './transaction-bug.js'

/** What a node's part in transactions needs of the world. */
export interface TransactionWorld {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Asks the home of the region that the call is for, which may be this node. */
  readonly call: (call: TransactionCall, wait: WaitOptions) => Promise<Result>
  /** A fault, to see that it is found. */
  readonly bug?: TransactionBug | undefined
}

/** The same, with the home that it is part of. */
export interface TransactionEnvironment extends TransactionWorld {
  readonly node: NodeId
  readonly store: Pick<Store, 'read' | 'pagesOf'>
  /** The region that begins there, homed here. */
  readonly find: (address: Address) => HomedRegion | undefined
  /** A number and a place in the store that nothing else has. */
  readonly takeSpace: () => SpaceId
  /** What is to be durable with it: as it is when the disk is given it. */
  readonly numbers: () => readonly MetadataPut[]
  /** Nothing of a transaction waits for these pages any more; none: nor for the region. */
  readonly doubtEnded: (region: HomedRegion, pages: readonly PageIndex[]) => void
  readonly storageFailed: (error: KhazanaError) => void
}

/** Whether the failure says for sure that nothing of it has come to the disk, here or at other members of a group. */
export function isSure(failure: KhazanaError): boolean {
  return failure.code !== 'outcome-unknown' && failure.code !== 'storage-failed'
}
