/**
 * What one message and one frame may hold at most. The encoder refuses what the decoder would: whoever takes values
 * from users checks them against these first.
 */

/** Bytes of a message without its pages. */
export const headerBytesMax = 1024 * 1024
/** Bytes of all pages of one frame. Larger transfers are several messages. */
export const payloadBytesMax = 64 * 1024 * 1024
/** Pages with bytes in one frame. */
export const payloadsMax = 0xffff
/** Bytes of one frame, all told. */
export const frameBytesMax = payloadBytesMax + headerBytesMax + payloadsMax + 24
/** Bytes of the frame with the first message of either side: less, as nothing is known of the peer yet. */
export const handshakeBytesMax = 4096

/** Pages named in one message. */
export const pageStampsMax = 65_536
/** UTF-8 bytes. Longer messages of errors are cut, everything else is refused. */
export const errorMessageBytesMax = 1024
export const errorCodeBytesMax = 64
export const nameBytesMax = 256
export const endpointBytesMax = 512
export const protocolNameBytesMax = 64
export const labelNameBytesMax = 256
export const labelValueBytesMax = 4096
/** Names of conflict tests and merge functions. */
export const functionNameBytesMax = 64
/** What a consistency manager says at once, without pages. */
export const cmBodyBytesMax = 256 * 1024
/** Parcels that go along with it. */
export const cmParcelsMax = 256
/** Bytes of a patch that is part of its message: larger ones are payloads of the frame. */
export const inlinePatchBytesMax = 1024
export const labelsMax = 64
export const membersMax = 4096
export const groupMembersMax = 64
/** Nodes named in one hint of where a region is. */
export const hintNodesMax = 16
/** Regions that one message about a pool tells of: descriptors may be large. */
export const movedRegionsMax = 8
/** Ranges of numbers of nodes that one node hands over. */
export const idRangesMax = 4096
/** Pools that one node tells of. */
export const poolsReportedMax = 1024
/** Changes told to a watcher in one message. */
export const changesMax = 256
/** Sharers told of one page. */
export const sharersMax = 65_536
/** Separate allocated ranges that one region may have. */
export const allocatedFragmentsMax = 10_000
/** Byte ranges told of one region. */
export const allocatedRangesMax = 1024

/** Numbers of sessions grow by what one peer tells the other: one more than the highest must still be a number. */
export const sessionNumberMax = 2 ** 48

/** The name of a home group. */
export const groupNameBytesMax = 64
/** Regions of which a backup tells at once what it has. */
export const groupRegionsMax = 64

/** The name of one attempt to hand a region from one log to another. */
export const handoverNameBytesMax = 64
/** Of the embedded coordinator, as `src/coordinator/limits.ts` says it to those who ask. */
export const coordinatorKeyBytesMax = 256
export const coordinatorValueBytesMax = 4 * 1024
export const coordinatorLeaseBytesMax = 19
export const coordinatorKeysPerTransactionMax = 64
export const coordinatorEntriesMax = 10_000

/** Lock contexts that are released together, and regions in which they are. */
export const transactionPartsMax = 256
export const transactionRegionsMax = 64

export const minReplicasMax = 64
export const leaseMsMin = 10
export const leaseMsMax = 3_600_000
/** Pages that one `stat` tells of. */
export const statPagesMax = 4096
