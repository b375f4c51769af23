import { fenceCountMax } from '../address/fence.js'
import type { FenceMark } from '../address/fence.js'
import { nodeIdMax } from '../address/identity.js'
import { pagesPerRegionMax, type PageIndex, type PageRange, type Version } from '../address/page.js'
import type { NodeId } from '../address/identity.js'
import type {
  CrewMessage,
  GrantStamp,
  KeptRight,
  PageStamp,
  StoredPage,
  TokenRight,
  Transfer,
} from './crew-message.js'
import {
  checked,
  choice,
  clippedText,
  count,
  flag,
  integer,
  list,
  optional,
  record,
  text,
  union,
} from './layout.js'
import { errorCodeBytesMax, errorMessageBytesMax, pageStampsMax } from './limits.js'
import { transactionTag } from './transaction-layout.js'

export const pageIndex = integer<PageIndex>(0, pagesPerRegionMax - 1)
export const version = integer<Version>(0, Number.MAX_SAFE_INTEGER)
export const nodeId = integer<NodeId>(1, nodeIdMax)
export const errorCode = text(errorCodeBytesMax)
export const errorMessage = clippedText(errorMessageBytesMax)

export const pageRange = checked(
  record<PageRange>({ first: pageIndex, count: integer(1, pagesPerRegionMax) }),
  (range) => (range.first + range.count > pagesPerRegionMax ? 'a range leaves its region' : undefined),
)

/** What a manager is told of at once: no peer can keep one busy for long with a short message. */
const crewRange = checked(pageRange, (range) =>
  range.count > pageStampsMax ? `a message about more than ${pageStampsMax} pages` : undefined,
)
const tokenRight = choice<TokenRight>(['shared', 'exclusive'])
const keptRight = choice<KeptRight>(['none', 'shared'])
/** -1: none. */
const knownVersion = integer(-1, Number.MAX_SAFE_INTEGER - 1)
const pageStamp = record<PageStamp>({ page: pageIndex, version, hasBytes: flag })
const pageStamps = list(pageStamp, pageStampsMax)
const storedVersion = integer(0, Number.MAX_SAFE_INTEGER)
const stored = record<StoredPage>({ version: storedVersion, overtaken: knownVersion, by: storedVersion })
const grantStamp = record<GrantStamp>({ page: pageIndex, version, hasBytes: flag, stored: optional(stored) })
const grantStamps = list(grantStamp, pageStampsMax)

const transfer = record<Transfer>({
  to: nodeId,
  serial: count,
  session: count,
  right: tokenRight,
  known: knownVersion,
})

const fenceCount = integer(0, fenceCountMax)
const fences = record<FenceMark>({ used: fenceCount, limit: fenceCount })

export const crewMessage = union<CrewMessage, 'kind'>('kind', {
  acquire: [
    0,
    {
      serial: count,
      range: crewRange,
      right: tokenRight,
      known: list(knownVersion, pageStampsMax),
      isInDoubt: flag,
    },
  ],
  cancel: [1, { serial: count, range: crewRange }],
  commit: [2, { commit: count, pages: pageStamps, final: flag, together: optional(transactionTag) }],
  yield: [3, { range: crewRange, keep: keptRight, handed: flag, used: fenceCount }],
  accepted: [4, { serial: count, page: pageIndex, right: tokenRight }],
  grant: [5, { serial: count, right: tokenRight, pages: grantStamps, fences: optional(fences) }],
  refuse: [6, { serial: count, range: crewRange, code: errorCode, message: errorMessage }],
  recall: [7, { range: crewRange, keep: keptRight, transfer: optional(transfer) }],
  committed: [8, { commit: count }],
  uncommitted: [9, { commit: count, code: errorCode, message: errorMessage }],
  revoke: [10, { range: crewRange }],
  transfer: [
    11,
    { serial: count, session: count, right: tokenRight, page: pageStamp, fences: optional(fences) },
  ],
  'ask-fences': [12, { used: fenceCount }],
  fences: [13, { fences }],
  inquire: [14, { commits: list(count, pageStampsMax) }],
})
