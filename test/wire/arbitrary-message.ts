import { presets } from '../../src/address/consistency-vector.js'
import { pageStampsMax, sessionNumberMax } from '../../src/wire/limits.js'
import fc, { type Arbitrary } from 'fast-check'
import { addressFrom, addressSpaceEnd } from '../../src/address/address.js'
import { fenceCountMax } from '../../src/address/fence.js'
import type { FenceMark } from '../../src/address/fence.js'
import type { RegionAttributes, RegionDescriptor } from '../../src/address/descriptor.js'
import {
  siteIdMax,
  clusterId,
  nodeId,
  nodeIdMax,
  type NodeId,
  type SiteId,
} from '../../src/address/identity.js'
import { pageIndex, pagesPerRegionMax, type PageRange, type Version } from '../../src/address/page.js'
import type { CrewMessage, PageStamp, Transfer } from '../../src/wire/crew-message.js'
import {
  protocolVersion,
  type AttributeChanges,
  type Call,
  type Message,
  type Notice,
  type NodeStatus,
  type RegionStat,
  type Result,
  type WatchNews,
  type Whereabouts,
  type WireParcel,
} from '../../src/wire/message.js'
import type { TransactionTag } from '../../src/wire/transaction-message.js'
import { coordinatorAnswer, coordinatorQuestion } from './arbitrary-coordinator.js'
import { groupMessages } from './arbitrary-group.js'

/** Every kind of message, with values from all of their ranges, the edges more often than not. */

const whole = (min: number, max: number): Arbitrary<number> =>
  fc.oneof(
    fc.constantFrom(min, max),
    fc.integer({ min, max: Math.min(max, min + 300) }),
    fc.integer({ min, max }),
  )

function plain<T>(fields: { [Name in keyof T]: Arbitrary<T[Name]> }): Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true })
}

const count = whole(0, Number.MAX_SAFE_INTEGER)
const milliseconds = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
const short = fc.string({ unit: 'grapheme', maxLength: 20 })
const code = fc.constantFrom('busy', 'no-space', '')
const site = whole(1, siteIdMax).map((value) => value as SiteId)
const node: Arbitrary<NodeId> = whole(1, nodeIdMax).map(nodeId)
const page = whole(0, pagesPerRegionMax - 1).map(pageIndex)
const version = count.map((value) => value as Version)
const known = whole(-1, Number.MAX_SAFE_INTEGER - 1)
const right = fc.constantFrom('shared', 'exclusive')
const keep = fc.constantFrom('none', 'shared')
const address = fc.bigInt({ min: 0n, max: addressSpaceEnd - 1n }).map(addressFrom)

const range: Arbitrary<PageRange> = page.chain((first) =>
  whole(1, pagesPerRegionMax - first).map((pages) => ({ first, count: pages })),
)
/** What one message of a consistency manager may name. */
const crewRange: Arbitrary<PageRange> = page.chain((first) =>
  whole(1, Math.min(pageStampsMax, pagesPerRegionMax - first)).map((pages) => ({ first, count: pages })),
)
const stamp: Arbitrary<PageStamp> = plain({ page, version, hasBytes: fc.boolean() })
const stored = fc.option(plain({ version: count, overtaken: known, by: count }), { nil: undefined })
const grantStamps = fc.array(plain({ page, version, hasBytes: fc.boolean(), stored }), { maxLength: 5 })
const stamps = fc.array(stamp, { maxLength: 5 })
const used = whole(0, fenceCountMax)
const fences: Arbitrary<FenceMark> = plain({ used, limit: used })
const transfer: Arbitrary<Transfer> = plain({ to: node, serial: count, session: count, right, known })

function tagged<Tag extends string, Kind extends string, T>(
  tag: Tag,
  kind: Kind,
  fields: { [Name in keyof T]: Arbitrary<T[Name]> },
): Arbitrary<Record<Tag, Kind> & T> {
  return plain(fields).map((record) => ({ [tag]: kind, ...record }) as Record<Tag, Kind> & T)
}

const transaction: Arbitrary<TransactionTag> = plain({
  id: address,
  regions: fc
    .uniqueArray(address, { minLength: 1, maxLength: 5 })
    .map((all) => all.sort((a, b) => (a < b ? -1 : 1)))
    .chain((all) =>
      fc.tuple(
        ...all.map((each) => plain({ address: fc.constant(each), generation: count, parts: whole(1, 256) })),
      ),
    ),
})

const crew: Arbitrary<CrewMessage> = fc.oneof(
  tagged('kind', 'acquire', {
    serial: count,
    range: crewRange,
    right,
    known: fc.array(known, { maxLength: 5 }),
    isInDoubt: fc.boolean(),
  }),
  tagged('kind', 'cancel', { serial: count, range: crewRange }),
  tagged('kind', 'commit', {
    commit: count,
    pages: stamps,
    final: fc.boolean(),
    together: fc.option(transaction, { nil: undefined }),
  }),
  tagged('kind', 'yield', { range: crewRange, keep, handed: fc.boolean(), used }),
  tagged('kind', 'accepted', { serial: count, page, right }),
  tagged('kind', 'grant', {
    serial: count,
    right,
    pages: grantStamps,
    fences: fc.option(fences, { nil: undefined }),
  }),
  tagged('kind', 'refuse', { serial: count, range: crewRange, code, message: short }),
  tagged('kind', 'recall', { range: crewRange, keep, transfer: fc.option(transfer, { nil: undefined }) }),
  tagged('kind', 'committed', { commit: count }),
  tagged('kind', 'uncommitted', { commit: count, code, message: short }),
  tagged('kind', 'inquire', { commits: fc.array(count, { maxLength: 5 }) }),
  tagged('kind', 'revoke', { range: crewRange }),
  tagged('kind', 'transfer', {
    serial: count,
    session: count,
    right,
    page: stamp,
    fences: fc.option(fences, { nil: undefined }),
  }),
  tagged('kind', 'ask-fences', { used }),
  tagged('kind', 'fences', { fences }),
)

const labels = fc.dictionary(short, short, { maxKeys: 4, noNullPrototype: true })
const attributes: Arbitrary<RegionAttributes> = plain({
  protocol: fc.constantFrom('crew', 'release'),
  consistency: fc.constantFrom(...Object.values(presets)),
  conflicts: short,
  merge: short,
  minReplicas: whole(1, 64),
  labels,
})
const pageSize = fc.constantFrom(4096, 65_536, 1_048_576)
const descriptor: Arbitrary<RegionDescriptor> = plain({
  address,
  pages: whole(1, 2 ** 32),
  pageSize,
  home: node,
  generation: count,
  revision: count,
  era: count,
  attributes,
}).map(({ pages, ...rest }) => ({ ...rest, size: pages * rest.pageSize }))
const changes: Arbitrary<AttributeChanges> = plain({
  protocol: fc.option(fc.constant('crew'), { nil: undefined }),
  consistency: fc.option(fc.constantFrom(...Object.values(presets)), { nil: undefined }),
  conflicts: fc.option(short, { nil: undefined }),
  merge: fc.option(short, { nil: undefined }),
  minReplicas: fc.option(whole(1, 64), { nil: undefined }),
  labels,
})
const status: Arbitrary<NodeStatus> = plain({
  node,
  name: short,
  listen: short,
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
  manager: node,
  poolBytes: address.map((value) => value + 0n),
  poolFreeBytes: address.map((value) => value + 0n),
  leaving: fc.option(plain({ regionsLeft: count, regionsTotal: count }), { nil: undefined }),
  movedByUse: count,
  releasesPending: count,
})
const state = fc.constantFrom('in' as const, 'left' as const)
const member = plain({ node, name: short, listen: short, revision: count, state })
const memberStamp = plain({ node, revision: count, state })
const found = plain({
  by: fc.constantFrom(
    'home' as const,
    'directory' as const,
    'manager' as const,
    'map' as const,
    'walk' as const,
  ),
  asked: count,
})
const extent = address.map((value) => value + 0n)
const reportedPool = plain({ start: address, size: extent, map: fc.option(address, { nil: undefined }) })
const idRange = whole(1, 1000).chain((first) =>
  plain({ first: fc.constant(nodeId(first)), count: whole(1, 1000) }),
)
const report = plain({
  pools: fc.array(reportedPool, { maxLength: 3 }),
  freeBytes: extent,
  largestFreeBytes: extent,
  diskFreeBytes: count,
})
const whereabouts: Arbitrary<Whereabouts> = fc.oneof(
  tagged('kind', 'home', { descriptor }),
  tagged('kind', 'elsewhere', { nodes: fc.array(node, { maxLength: 3 }), isSure: fc.boolean() }),
  tagged('kind', 'unreserved', {}),
  tagged('kind', 'unknown', {}),
)
const stat: Arbitrary<RegionStat> = plain({
  descriptor,
  group: fc.array(node, { maxLength: 3 }),
  epoch: count,
  allocated: fc.array(plain({ offset: count, length: count }), { maxLength: 3 }),
  allocatedBytes: count,
  pages: fc.array(
    plain({
      page,
      version,
      owner: fc.option(site, { nil: undefined }),
      sharers: fc.array(site, { maxLength: 3 }),
      damaged: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  moving: fc.option(plain({ to: node, pagesDone: count, pagesTotal: count }), { nil: undefined }),
  restoring: fc.array(
    plain({ node, pagesDone: count, pagesTotal: count, bytesDone: count, bytesTotal: count }),
    { maxLength: 3 },
  ),
})
const pool = plain({ start: address, size: address.map((value) => value + 0n), node })

const resourceLimits = plain({
  memoryBytesMax: fc.option(count, { nil: undefined }),
  diskBytesMax: fc.option(count, { nil: undefined }),
})
const resources = plain({
  memoryBytes: count,
  memoryBytesMax: count,
  diskBytes: count,
  diskBytesMax: count,
  storageBytes: count,
  storageBytesMax: count,
})

const sign = { address, generation: count, era: count, transfer: count }

const call: Arbitrary<Call> = fc.oneof(
  tagged('op', 'reserve', { size: count, pageSize, attributes }),
  tagged('op', 'unreserve', { address, generation: count, keep: fc.boolean() }),
  tagged('op', 'allocate', { address, generation: count, offset: count, length: count }),
  tagged('op', 'free', { address, generation: count, offset: count, length: count, keep: fc.boolean() }),
  tagged('op', 'describe', { address }),
  tagged('op', 'set-attributes', { address, generation: count, changes }),
  tagged('op', 'stat', { address, generation: count, range }),
  tagged('op', 'nodes', {}),
  tagged('op', 'node-status', {}),
  tagged('op', 'grant-pool', { size: count }),
  tagged('op', 'grant-ids', {}),
  tagged('op', 'admit', { name: short, listen: short }),
  tagged('op', 'whereis', { address }),
  tagged('op', 'coordinate', { question: coordinatorQuestion }),
  tagged('op', 'hint', { descriptor }),
  tagged('op', 'report', { report }),
  tagged('op', 'return-space', { address, generation: count }),
  tagged('op', 'resources', { limits: resourceLimits }),
  tagged('op', 'leave', {}),
  tagged('op', 'take-pool', {
    pool: reportedPool,
    generation: count,
    moved: fc.array(descriptor, { maxLength: 3 }),
    isLast: fc.boolean(),
  }),
  tagged('op', 'take-ids', { ids: fc.array(idRange, { maxLength: 3 }) }),
  tagged('op', 'watch', { address, generation: count, offset: count, length: count, watch: count }),
  tagged('op', 'unwatch', { watch: count }),
  tagged('op', 'migrate', { address, generation: count, to: short }),
  tagged('op', 'stay', { address, generation: count, to: short }),
  tagged('op', 'adopt', {
    transfer: count,
    descriptor,
    allocated: fc.array(range, { maxLength: 3 }),
    floor: count,
  }),
  tagged('op', 'adopt-pages', {
    address,
    transfer: count,
    pages: fc.array(plain({ page, version }), { maxLength: 3 }),
  }),
  tagged('op', 'activate', sign),
  tagged('op', 'discard', sign),
  tagged('op', 'transfer-state', sign),
  tagged('op', 'vote', {
    address,
    generation: count,
    id: address,
    by: address,
    vote: fc.constantFrom('ready', 'still-ready', 'not'),
  }),
  tagged('op', 'conclude', {
    address,
    generation: count,
    id: address,
    outcome: fc.constantFrom('committed', 'aborted'),
  }),
)
const result: Arbitrary<Result> = fc.oneof(
  tagged('op', 'reserve', { descriptor }),
  tagged('op', 'describe', { descriptor, found }),
  tagged('op', 'set-attributes', { descriptor }),
  tagged('op', 'unreserve', { state: fc.constantFrom('done', 'pending') }),
  tagged('op', 'allocate', {}),
  tagged('op', 'free', { state: fc.constantFrom('done', 'pending') }),
  tagged('op', 'stat', { stat, found }),
  tagged('op', 'nodes', {
    nodes: fc.array(plain({ member, status: fc.option(status, { nil: undefined }) }), { maxLength: 3 }),
  }),
  tagged('op', 'node-status', { status }),
  tagged('op', 'grant-pool', { pool }),
  tagged('op', 'grant-ids', { ids: idRange }),
  tagged('op', 'admit', { node }),
  tagged('op', 'whereis', { whereabouts }),
  tagged('op', 'coordinate', { answer: coordinatorAnswer }),
  tagged('op', 'hint', {}),
  tagged('op', 'report', {}),
  tagged('op', 'return-space', {}),
  tagged('op', 'resources', { resources }),
  tagged('op', 'leave', {}),
  tagged('op', 'take-pool', {}),
  tagged('op', 'take-ids', {}),
  tagged('op', 'watch', {}),
  tagged('op', 'unwatch', {}),
  tagged('op', 'migrate', { descriptor }),
  tagged('op', 'stay', {}),
  tagged('op', 'adopt', {}),
  tagged('op', 'adopt-pages', {}),
  tagged('op', 'activate', {}),
  tagged('op', 'discard', {}),
  tagged('op', 'transfer-state', { state: fc.constantFrom('wait', 'activate', 'discard') }),
  tagged('op', 'vote', { outcome: fc.constantFrom('open', 'committed', 'aborted') }),
  tagged('op', 'conclude', {}),
  tagged('op', 'moved', { descriptor }),
  tagged('op', 'refused', { code, message: short }),
)

const parcel: Arbitrary<WireParcel> = fc.oneof(
  tagged('kind', 'page', {}),
  tagged('kind', 'patch', { bytes: fc.uint8Array({ maxLength: 50 }) }),
  tagged('kind', 'large-patch', { length: count }),
)
const notice: Arbitrary<Notice> = fc.oneof(
  tagged('kind', 'client-lost', { client: site }),
  tagged('kind', 'severed', {}),
  tagged('kind', 'unserved', {}),
  tagged('kind', 'joined', { link: count }),
  tagged('kind', 'suspend', { serial: count }),
  tagged('kind', 'suspended', { serial: count, idle: fc.boolean() }),
  tagged('kind', 'resume', { descriptor }),
  tagged('kind', 'gone', {}),
  tagged('kind', 'refused', { code, message: short, link: count }),
)

const news: Arbitrary<WatchNews> = fc.oneof(
  tagged('kind', 'changes', {
    changes: fc.array(plain({ page, version, by: whole(1, siteIdMax).map((value) => value as SiteId) }), {
      maxLength: 5,
    }),
  }),
  tagged('kind', 'dropped', { count: fc.option(count, { nil: undefined }) }),
  tagged('kind', 'ended', { code, message: short }),
  tagged('kind', 'moved', {}),
)

const cluster = fc.stringMatching(/^[0-9a-f]{32}$/).map(clusterId)
const who = { version: fc.constant(protocolVersion), cluster, incarnation: count, name: short, listen: short }

export const messages: Arbitrary<Message> = fc.oneof(
  tagged('kind', 'hello', {
    ...who,
    role: fc.constantFrom('node', 'client'),
    site: fc.oneof(fc.constant(0 as const), site),
    to: fc.oneof(fc.constant(0 as const), site),
    latest: whole(0, sessionNumberMax),
    resume: fc.option(plain({ session: count, peerIncarnation: count, received: count }), {
      nil: undefined,
    }),
  }),
  tagged('kind', 'part', {}),
  tagged('kind', 'stay', {}),
  tagged('kind', 'welcome', {
    ...who,
    site: node,
    assigned: site,
    session: count,
    resumed: fc.boolean(),
    received: count,
    leaseMs: whole(10, 3_600_000),
  }),
  tagged('kind', 'refused', { code, message: short }),
  tagged('kind', 'acknowledge', {}),
  tagged('kind', 'renew', { renewal: count }),
  tagged('kind', 'renewed', { renewal: count, validForMs: milliseconds }),
  tagged('kind', 'goodbye', {}),
  {
    weight: 4,
    arbitrary: tagged('kind', 'cm', { region: address, generation: count, era: count, body: crew }),
  },
  {
    weight: 2,
    arbitrary: tagged('kind', 'cm-plain', {
      region: address,
      generation: count,
      era: count,
      client: fc.oneof(fc.constant(0 as const), site),
      link: count,
      body: fc.uint8Array({ maxLength: 50 }),
      parcels: fc.array(parcel, { maxLength: 3 }),
    }),
  },
  tagged('kind', 'region-notice', { region: address, generation: count, era: count, client: site, notice }),
  { weight: 2, arbitrary: tagged('kind', 'watch-notice', { watch: count, news }) },
  { weight: 2, arbitrary: tagged('kind', 'request', { id: count, waitMs: count, call }) },
  { weight: 2, arbitrary: tagged('kind', 'response', { id: count, result }) },
  tagged('kind', 'failure', { id: count, code, message: short }),
  tagged('kind', 'members', {
    members: fc.array(member, { maxLength: 3 }),
    known: fc.option(fc.array(memberStamp, { maxLength: 3 }), { nil: undefined }),
  }),
  {
    weight: 2,
    arbitrary: tagged('kind', 'group', {
      group: fc.string({ maxLength: 20 }),
      body: groupMessages({ count, address, page, version, range, descriptor }),
    }),
  },
)
