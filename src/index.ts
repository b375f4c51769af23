import { connect as connectIn, open as openIn } from './client/open.js'
import type { ConnectToOptions, OpenOptions as OpenInOptions } from './client/open.js'
import type { Khazana as KhazanaClient } from './client/khazana.js'
import { coordinatorOf } from './coordinator-option.js'
import type { CoordinatorChoice } from './coordinator-option.js'
import { nodeWorld } from './io/node/world.js'
import { silentLogger } from './io/logger.js'
import type { Logger } from './io/logger.js'

export interface OpenOptions extends Omit<OpenInOptions, 'coordinator'> {
  /** What happens behind the scenes; nowhere unless told. */
  readonly logger?: Logger
  /** `embedded` unless told. */
  readonly coordinator?: CoordinatorChoice
}

export interface ConnectOptions extends ConnectToOptions {
  readonly logger?: Logger
}

/** The ways into global memory. */
export const Khazana = {
  /**
   * Global memory kept in a directory: this process becomes its node, or, where another process is that already, a
   * client of that process; unless `exclusive` is set, which then throws `directory-in-use`.
   *
   * Throws `bad-format`, `damaged`, `wrong-cluster`, `address-in-use`, `insecure`, `unreachable`, `invalid-argument`.
   */
  open(options: OpenOptions): Promise<KhazanaClient> {
    const { logger = silentLogger, coordinator = 'embedded', ...rest } = options
    return openIn(nodeWorld(logger), { ...rest, ...coordinatorOf(coordinator) })
  },

  /**
   * Global memory through a node that runs elsewhere: `host:port`, or the path of its socket (`unix:PATH`).
   * Throws `unreachable` where no node answers, `wrong-version`, `invalid-argument`.
   */
  connect(endpoint: string, options: ConnectOptions = {}): Promise<KhazanaClient> {
    const { logger = silentLogger, ...rest } = options
    return connectIn(nodeWorld(logger), endpoint, rest)
  },
}

export type Khazana = KhazanaClient

export type { CoordinatorChoice } from './coordinator-option.js'
export type { TlsOptions } from './io/http.js'

export { formatAddress, parseAddress } from './address/address.js'
export type { Address } from './address/address.js'
export { nextVersion } from './address/page.js'
export type { PageIndex, PageRange, Version } from './address/page.js'
export type { AttributeSettings } from './address/attributes.js'
export type { ConsistencySettings } from './address/consistency-settings.js'
export type { ConsistencyPreset, ConsistencyVector } from './address/consistency-vector.js'
export type { RegionAttributes, RegionDescriptor } from './address/descriptor.js'
export type { FenceMark } from './address/fence.js'
export type { NodeId, SiteId } from './address/identity.js'
export type { LockDemands } from './address/lock-demands.js'
export type { LockMode } from './address/lock-mode.js'
export type { LockTerms, Staleness } from './address/lock-terms.js'
export type { ByteRange } from './address/range.js'
export type { ReserveOptions, ResourceSettings } from './client/khazana.js'
export type { PageHolder, PageLocations, PageRun } from './client/page-locations.js'
export type { FoundRegionStat, LockOptions, Region } from './client/region.js'
export type {
  AnyProtocol,
  Attachment,
  CmEffect,
  CmEvent,
  CmOptions,
  CmSite,
  CommitId,
  CommittedPage,
  ConflictTest,
  ConsistencyManager,
  EvictAnswer,
  FenceAnswer,
  LockClaim,
  LockId,
  MergeFunction,
  MessageCodec,
  PageView,
  ParcelId,
  ProtocolDefinition,
} from './consistency/contract.js'
export { jsonCodec } from './consistency/json-codec.js'
export type { PluginOptions } from './consistency/plugins.js'
export type { Logger, LogLevel } from './io/logger.js'
export type { WaitOptions } from './io/deadline.js'
export type { LockContext } from './node/replica/lock-context.js'
export type { HoldEnd, RightHold } from './node/replica/right-hold.js'
export type { Change, Dropped, Watch, WatchEvent, WatchOptions, Writer } from './node/watch/watch.js'
export { errorCodes, isErrorCode, KhazanaError } from './stdx/errors.js'
export type { ErrorCode } from './stdx/errors.js'
export type { Found, NodeEntry, NodeStatus, RegionStat, ReleaseState, Resources } from './wire/message.js'
