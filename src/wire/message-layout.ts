import type { ConsistencyVector } from '../address/consistency-vector.js'
import type { RegionAttributes, RegionDescriptor } from '../address/descriptor.js'
import { clusterId, nodeIdMax, siteIdMax, type SiteId } from '../address/identity.js'
import type { Staleness } from '../address/lock-terms.js'
import { pageBytesMax, pageBytesMin } from '../address/page.js'
import { KhazanaError } from '../stdx/errors.js'
import { coordinatorAnswer, coordinatorQuestion } from './coordinator-layout.js'
import { crewMessage, errorCode, errorMessage, nodeId, pageIndex, pageRange, version } from './crew-layout.js'
import { groupMessageWith } from './group-layout.js'
import * as limits from './limits.js'
import {
  address,
  bytes,
  checked,
  choice,
  count,
  dictionary,
  extent,
  flag,
  anyFloat,
  integer,
  list,
  milliseconds,
  optional,
  parsedText,
  record,
  text,
  union,
  type Layout,
} from './layout.js'
import type * as words from './message.js'
import { protocolVersion } from './message.js'
import type { TransactionOutcome, TransactionVote } from './transaction-message.js'
import type { TransferState, TransferredPage } from './transfer-message.js'

const pageSizes: number[] = []
for (let bytes = pageBytesMin; bytes <= pageBytesMax; bytes *= 2) pageSizes.push(bytes)

const siteId = integer<SiteId>(1, siteIdMax)
const noSiteId = integer<SiteId | 0>(0, siteIdMax)
const cluster = parsedText(32, clusterId)
const name = text(limits.nameBytesMax)
const endpoint = text(limits.endpointBytesMax)
const protocolName = text(limits.protocolNameBytesMax)
const leaseMs = integer(limits.leaseMsMin, limits.leaseMsMax)
const pageSize = choice(pageSizes)
const replicas = integer(1, limits.minReplicasMax)
const labels = dictionary(text(limits.labelNameBytesMax), text(limits.labelValueBytesMax), limits.labelsMax)
const empty = {}

const staleness = record<Staleness>({ ms: anyFloat, versions: anyFloat })
const consistency = record<ConsistencyVector>({
  concurrency: choice(['exclusive', 'serial', 'shared', 'local']),
  synchronization: choice(['strict', 'release', 'bounded', 'background']),
  staleness,
  failure: choice(['refuse', 'read-only', 'available']),
  visibility: choice(['durable', 'accepted']),
  isolation: choice(['snapshot', 'live']),
})
const functionName = text(limits.functionNameBytesMax)
const attributes = record<RegionAttributes>({
  protocol: protocolName,
  consistency,
  conflicts: functionName,
  merge: functionName,
  minReplicas: replicas,
  labels,
})

const descriptor = checked(
  record<RegionDescriptor>({
    address,
    size: integer(1, Number.MAX_SAFE_INTEGER),
    pageSize,
    home: nodeId,
    generation: count,
    revision: count,
    era: count,
    attributes,
  }),
  (region) => (region.size % region.pageSize === 0 ? undefined : 'a region is not a whole number of pages'),
)

const groupMessage = groupMessageWith(descriptor)

const poolEntry = record<words.PoolEntry>({ start: address, size: extent, node: nodeId })

const idRange = checked(
  record<words.NodeIdRange>({ first: nodeId, count: integer(1, nodeIdMax) }),
  ({ first, count: many }) => (first + many - 1 > nodeIdMax ? 'numbers of nodes end before that' : undefined),
)

const whereabouts = union<words.Whereabouts, 'kind'>('kind', {
  home: [0, { descriptor }],
  elsewhere: [1, { nodes: list(nodeId, limits.hintNodesMax), isSure: flag }],
  unreserved: [2, empty],
  unknown: [3, empty],
})

const found = record<words.Found>({
  by: choice(['home', 'directory', 'manager', 'map', 'walk']),
  asked: count,
})

const reportedPool = record<words.ReportedPool>({ start: address, size: extent, map: optional(address) })
const spaceReport = record<words.SpaceReport>({
  pools: list(reportedPool, limits.poolsReportedMax),
  freeBytes: extent,
  largestFreeBytes: extent,
  diskFreeBytes: count,
})

const pageStat = record<words.PageStat>({
  page: pageIndex,
  version,
  owner: optional(siteId),
  sharers: list(siteId, limits.sharersMax),
  damaged: flag,
})

const restoreProgress = record<words.RestoreProgress>({
  node: nodeId,
  pagesDone: count,
  pagesTotal: count,
  bytesDone: count,
  bytesTotal: count,
})

const regionStat = record<words.RegionStat>({
  descriptor,
  group: list(nodeId, limits.groupMembersMax),
  epoch: count,
  allocated: list(
    record<{ readonly offset: number; readonly length: number }>({ offset: count, length: count }),
    limits.allocatedRangesMax,
  ),
  allocatedBytes: count,
  pages: list(pageStat, limits.pageStampsMax),
  moving: optional(record<words.MoveProgress>({ to: nodeId, pagesDone: count, pagesTotal: count })),
  restoring: list(restoreProgress, limits.groupMembersMax),
})

const nodeStatus = record<words.NodeStatus>({
  node: nodeId,
  name,
  listen: endpoint,
  incarnation: count,
  uptimeMs: milliseconds,
  regions: count,
  clients: count,
  nodeSessions: count,
  memoryBytes: count,
  memoryBytesMax: count,
  diskBytes: count,
  diskBytesMax: count,
  allocatedBytes: count,
  damagedPages: count,
  mendedPages: count,
  groupsLed: count,
  groupsShort: count,
  groupsBacked: count,
  messagesSent: count,
  bytesSent: count,
  messagesFromClients: count,
  bytesFromClients: count,
  manager: nodeId,
  poolBytes: extent,
  poolFreeBytes: extent,
  leaving: optional(record<words.LeaveProgress>({ regionsLeft: count, regionsTotal: count })),
  movedByUse: count,
  releasesPending: count,
})

const resourceLimits = record<words.ResourceLimits>({
  memoryBytesMax: optional(count),
  diskBytesMax: optional(count),
})
const resources = record<words.Resources>({
  memoryBytes: count,
  memoryBytesMax: count,
  diskBytes: count,
  diskBytesMax: count,
  storageBytes: count,
  storageBytesMax: count,
})

const member = record<words.Member>({
  node: nodeId,
  name,
  listen: endpoint,
  revision: count,
  state: choice(['in', 'left']),
})
const memberStamp = record<words.MemberStamp>({
  node: nodeId,
  revision: count,
  state: choice(['in', 'left']),
})
const nodeEntry = record<words.NodeEntry>({ member, status: optional(nodeStatus) })

const attributeChanges = record<words.AttributeChanges>({
  protocol: optional(protocolName),
  consistency: optional(consistency),
  conflicts: optional(functionName),
  merge: optional(functionName),
  minReplicas: optional(replicas),
  labels,
})

const wireParcel = union<words.WireParcel, 'kind'>('kind', {
  page: [0, empty],
  patch: [1, { bytes: bytes(limits.inlinePatchBytesMax) }],
  'large-patch': [2, { length: count }],
})

const notice = union<words.Notice, 'kind'>('kind', {
  'client-lost': [0, { client: siteId }],
  severed: [1, empty],
  joined: [2, { link: count }],
  suspend: [3, { serial: count }],
  suspended: [4, { serial: count, idle: flag }],
  resume: [5, { descriptor }],
  gone: [6, empty],
  refused: [7, { code: errorCode, message: errorMessage, link: count }],
  unserved: [8, empty],
})

const pageChange = record<words.PageChange>({ page: pageIndex, version, by: siteId })

const watchNews = union<words.WatchNews, 'kind'>('kind', {
  changes: [0, { changes: list(pageChange, limits.changesMax) }],
  dropped: [1, { count: optional(count) }],
  ended: [2, { code: errorCode, message: errorMessage }],
  moved: [3, empty],
})

const releaseState = choice<words.ReleaseState>(['done', 'pending'])

const transferSign = { address, generation: count, era: count, transfer: count }

const call = union<words.Call, 'op'>('op', {
  reserve: [0, { size: count, pageSize, attributes }],
  unreserve: [1, { address, generation: count, keep: flag }],
  allocate: [2, { address, generation: count, offset: count, length: count }],
  free: [3, { address, generation: count, offset: count, length: count, keep: flag }],
  describe: [4, { address }],
  'set-attributes': [5, { address, generation: count, changes: attributeChanges }],
  stat: [6, { address, generation: count, range: pageRange }],
  nodes: [7, empty],
  'node-status': [8, empty],
  'grant-pool': [9, { size: count }],
  watch: [11, { address, generation: count, offset: count, length: count, watch: count }],
  unwatch: [12, { watch: count }],
  'grant-ids': [32, empty],
  admit: [33, { name, listen: endpoint }],
  whereis: [34, { address }],
  hint: [35, { descriptor }],
  report: [36, { report: spaceReport }],
  'return-space': [37, { address, generation: count }],
  resources: [38, { limits: resourceLimits }],
  coordinate: [39, { question: coordinatorQuestion }],
  leave: [50, {}],
  'take-pool': [
    51,
    {
      pool: reportedPool,
      generation: count,
      moved: list(descriptor, limits.movedRegionsMax),
      isLast: flag,
    },
  ],
  'take-ids': [52, { ids: list(idRange, limits.idRangesMax) }],
  migrate: [20, { address, generation: count, to: name }],
  stay: [21, { address, generation: count, to: name }],
  adopt: [
    22,
    {
      transfer: count,
      descriptor,
      allocated: list(pageRange, limits.allocatedFragmentsMax),
      floor: count,
    },
  ],
  'adopt-pages': [
    23,
    {
      address,
      transfer: count,
      pages: list(record<TransferredPage>({ page: pageIndex, version }), limits.pageStampsMax),
    },
  ],
  activate: [24, transferSign],
  discard: [25, transferSign],
  'transfer-state': [26, transferSign],
  vote: [
    60,
    {
      address,
      generation: count,
      id: address,
      by: address,
      vote: choice<TransactionVote>(['ready', 'not', 'still-ready']),
    },
  ],
  conclude: [
    61,
    {
      address,
      generation: count,
      id: address,
      outcome: choice<'committed' | 'aborted'>(['committed', 'aborted']),
    },
  ],
})

const result = union<words.Result, 'op'>('op', {
  reserve: [0, { descriptor }],
  unreserve: [1, { state: releaseState }],
  allocate: [2, empty],
  free: [3, { state: releaseState }],
  describe: [4, { descriptor, found }],
  'set-attributes': [5, { descriptor }],
  stat: [6, { stat: regionStat, found }],
  nodes: [7, { nodes: list(nodeEntry, limits.membersMax) }],
  'node-status': [8, { status: nodeStatus }],
  'grant-pool': [9, { pool: poolEntry }],
  watch: [11, empty],
  unwatch: [12, empty],
  'grant-ids': [32, { ids: idRange }],
  admit: [33, { node: nodeId }],
  whereis: [34, { whereabouts }],
  hint: [35, empty],
  report: [36, empty],
  'return-space': [37, empty],
  resources: [38, { resources }],
  coordinate: [39, { answer: coordinatorAnswer }],
  leave: [50, empty],
  'take-pool': [51, empty],
  'take-ids': [52, empty],
  migrate: [20, { descriptor }],
  stay: [21, empty],
  adopt: [22, empty],
  'adopt-pages': [23, empty],
  activate: [24, empty],
  discard: [25, empty],
  'transfer-state': [26, { state: choice<TransferState>(['wait', 'activate', 'discard']) }],
  moved: [30, { descriptor }],
  refused: [31, { code: errorCode, message: errorMessage }],
  vote: [60, { outcome: choice<TransactionOutcome>(['open', 'committed', 'aborted']) }],
  conclude: [61, empty],
})

/** Read before all else of a first message: what follows may lie differently in another version. */
const thisVersion: Layout<number> = {
  write: count.write,
  read: (reader) => {
    const version = count.read(reader)
    if (version !== protocolVersion) {
      throw new KhazanaError(
        'wrong-version',
        `protocol version ${version} is not ${protocolVersion}, the one spoken here`,
      )
    }
    return version
  },
}

const resumption = record<NonNullable<words.Hello['resume']>>({
  session: count,
  peerIncarnation: count,
  received: count,
})

/**
 * Every message that there is. Numbers are never used again for another meaning. What no version may change, so that
 * two versions can tell each other so: the numbers of `hello`, `welcome` and `refused`, their first field, and all of
 * `refused`.
 */
export const message = union<words.Message, 'kind'>('kind', {
  hello: [
    0,
    {
      version: thisVersion,
      cluster,
      role: choice(['node', 'client']),
      site: noSiteId,
      to: noSiteId,
      incarnation: count,
      name,
      listen: endpoint,
      latest: integer(0, limits.sessionNumberMax),
      resume: optional(resumption),
    },
  ],
  welcome: [
    1,
    {
      version: thisVersion,
      cluster,
      site: nodeId,
      incarnation: count,
      name,
      listen: endpoint,
      assigned: siteId,
      session: count,
      resumed: flag,
      received: count,
      leaseMs,
    },
  ],
  refused: [2, { code: errorCode, message: errorMessage }],
  acknowledge: [3, empty],
  renew: [4, { renewal: count }],
  renewed: [5, { renewal: count, validForMs: milliseconds }],
  goodbye: [6, empty],
  cm: [16, { region: address, generation: count, era: count, body: crewMessage }],
  request: [17, { id: count, waitMs: count, call }],
  response: [18, { id: count, result }],
  failure: [19, { id: count, code: errorCode, message: errorMessage }],
  'cm-plain': [
    21,
    {
      region: address,
      generation: count,
      era: count,
      client: noSiteId,
      link: count,
      body: bytes(limits.cmBodyBytesMax),
      parcels: list(wireParcel, limits.cmParcelsMax),
    },
  ],
  'region-notice': [22, { region: address, generation: count, era: count, client: noSiteId, notice }],
  'watch-notice': [24, { watch: count, news: watchNews }],
  members: [
    20,
    { members: list(member, limits.membersMax), known: optional(list(memberStamp, limits.membersMax)) },
  ],
  group: [23, { group: text(limits.groupNameBytesMax), body: groupMessage }],
  part: [28, empty],
  stay: [29, empty],
})
