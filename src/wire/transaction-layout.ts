import { address, checked, count, integer, list, record } from './layout.js'
import { transactionPartsMax, transactionRegionsMax } from './limits.js'
import type { TransactionRegion, TransactionTag } from './transaction-message.js'

const region = record<TransactionRegion>({
  address,
  generation: count,
  parts: integer(1, transactionPartsMax),
})

/** In order, so that all who have it agree on which one decides. */
export const transactionTag = checked(
  record<TransactionTag>({ id: address, regions: list(region, transactionRegionsMax) }),
  ({ regions }) => {
    const isOrdered = regions.every(({ address: at }, index) => at > (regions[index - 1]?.address ?? -1n))
    return isOrdered && regions.length > 0 ? undefined : 'the regions of a transaction are out of order'
  },
)
