import type { Address } from '../../src/address/address.js'
import { checkAttributes } from '../../src/address/attributes.js'
import type { AttributeSettings } from '../../src/address/attributes.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import type { FenceMark } from '../../src/address/fence.js'
import { founder } from '../../src/address/identity.js'
import type { SiteId } from '../../src/address/identity.js'
import type { LockMode } from '../../src/address/lock-mode.js'
import type { PageIndex, PageRange, Version } from '../../src/address/page.js'
import type {
  AnyProtocol,
  CmEffect,
  CmEvent,
  CmSite,
  CommitId,
  ConsistencyManager,
  EvictAnswer,
  MergeFunction,
  PageView,
  ParcelId,
} from '../../src/consistency/contract.js'
import { withResolvers } from '../../src/io/deadline.js'
import { PageMemory } from '../../src/node/page-memory.js'
import type { HomeBacking, HomeWrite } from '../../src/node/replica/home-backing.js'
import { LockMemory } from '../../src/node/replica/site-environment.js'
import type { SiteEnvironment } from '../../src/node/replica/site-environment.js'
import { SessionPost } from '../../src/node/replica/session-post.js'
import type { Session } from '../../src/node/session/session.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { BufferPool } from '../../src/store/buffer-pool.js'
import { FrameReader } from '../../src/wire/frame-reader.js'
import { FrameWriter } from '../../src/wire/frame-writer.js'
import { frameBytesMax } from '../../src/wire/limits.js'
import type { SequencedMessage } from '../../src/wire/message.js'
import { FakeClock, recordingLogger } from './fake-world.js'
import type { LogEntry } from './fake-world.js'

export type Effect = CmEffect<string>
export type Event = CmEvent<string>

export const pageBytes = 4096
export const peer = 2 as SiteId

export function page(index: number): PageIndex {
  return index as PageIndex
}

/** A page full of one byte. */
export function full(byte: number, length = pageBytes): Uint8Array {
  return new Uint8Array(length).fill(byte)
}

/**
 * A protocol whose managers do what the test says, and write down what they are told. Its messages are words. The newest
 * manager is the one that is meant.
 */
export class ScriptedProtocol {
  readonly definition: AnyProtocol
  readonly events: Event[] = []
  /** What is answered to an event; nothing unless told. */
  on: (event: Event) => readonly Effect[] = () => []
  onRelease: () => readonly Effect[] = () => []
  onEvict: (page: PageIndex) => EvictAnswer<string> = () => ({ kind: 'allowed', effects: [] })
  isHit: (mode: LockMode) => boolean = () => false
  isQuiet = true
  needsLease = true
  view: Partial<PageView> = {}
  /** Those that there is any state of. */
  pages: PageIndex[] = []
  site: CmSite | undefined
  readonly evictions: PageIndex[] = []

  constructor(name: string, writes: 'patches' | 'pages' = 'patches') {
    this.definition = {
      name,
      writes,
      codec: {
        encode: (message: string) => new TextEncoder().encode(message),
        decode: (bytes) => {
          const message = new TextDecoder().decode(bytes)
          if (message === 'nonsense') throw new KhazanaError('protocol-error', 'nonsense')
          return message
        },
      },
      create: (site) => {
        this.site = site
        return this.#manager()
      },
    }
  }

  /** The kinds of what was told. */
  get told(): string[] {
    return this.events.map(({ kind }) => kind)
  }

  #manager(): ConsistencyManager<string> {
    return {
      tryAcquire: (_first, _count, mode) => this.isHit(mode),
      release: () => this.onRelease(),
      step: (event) => {
        this.events.push(event)
        return this.on(event)
      },
      evict: (index) => {
        this.evictions.push(index)
        return this.onEvict(index)
      },
      isUnsettled: () => false,
      needsLease: () => this.needsLease,
      isQuiet: () => this.isQuiet,
      inspect: () => ({
        right: 'none',
        version: 0,
        children: new Map(),
        readers: 0,
        writing: false,
        waiting: 0,
        unsettled: false,
        ...this.view,
      }),
      pages: () => this.pages,
    }
  }
}

/** A home's disk, at the test's pace. */
export class FakeBacking implements HomeBacking {
  readonly stored = new Map<PageIndex, { readonly version: Version; readonly bytes: Uint8Array }>()
  readonly groups: {
    readonly pages: readonly HomeWrite[]
    readonly done: (failure: KhazanaError | undefined) => void
  }[] = []
  isBacklogged = false
  readonly isUnderTransaction = false
  /** What each reading of a page waits for. */
  beforeLoad: (page: PageIndex) => Promise<void> = () => Promise.resolve()

  put(index: number, bytes: Uint8Array): void {
    this.stored.set(page(index), { version: 1 as Version, bytes })
  }

  isAllocated(): boolean {
    return true
  }

  versionOf(index: PageIndex): Version {
    return this.stored.get(index)?.version ?? (0 as Version)
  }

  isCurrent(index: PageIndex, version: number): boolean {
    return version === this.versionOf(index)
  }

  beginFences(): FenceMark {
    return { used: 0, limit: this.fenceLimit() }
  }

  fenceLimit(): number {
    return 1000
  }

  storedVersion(index: PageIndex): Version | undefined {
    return this.stored.get(index)?.version
  }

  isNeverWritten(index: PageIndex): boolean {
    return !this.stored.has(index)
  }

  async load(
    index: PageIndex,
  ): Promise<{ readonly version: Version; readonly bytes: Uint8Array } | undefined> {
    await this.beforeLoad(index)
    const stored = this.stored.get(index)
    return stored === undefined ? undefined : { ...stored, bytes: stored.bytes.slice() }
  }

  persist(pages: readonly HomeWrite[], done: (failure: KhazanaError | undefined) => void): void {
    this.groups.push({ pages, done })
  }

  /** The oldest group is on the platter. */
  flush(): void {
    const group = this.groups.shift()
    if (group === undefined) throw new Error('nothing waits for the disk')
    for (const { page: index, version, bytes } of group.pages) {
      this.stored.set(index, { version, bytes: bytes.slice() })
    }
    group.done(undefined)
  }

  /** All that waits fails. */
  fail(): void {
    for (const { done } of this.groups.splice(0)) done(new KhazanaError('storage-failed', 'the disk is gone'))
  }

  whenCaughtUp(): Promise<void> {
    return Promise.resolve()
  }

  readonly hasOwnNumbers = false

  numberOf(): undefined {
    return undefined
  }

  skipVersions(): void {
    // Nothing is told of versions here.
  }

  isInDoubt(): boolean {
    return false
  }

  isDamaged(): boolean {
    return false
  }
}

/** One end of a connection: what is sent crosses the wire as bytes, and comes out at the other end when the test says. */
export class WireSession {
  readonly sent: { readonly message: SequencedMessage; readonly pages: readonly Uint8Array[] }[] = []
  readonly #writer = new FrameWriter()
  #sequence = 0
  validUntil = Infinity
  writable = true
  loss: Session['loss']
  connected = true
  isParting = false
  id = 7

  as(site: SiteId): Session {
    return Object.assign(this, { peer: { site, role: 'node' } }) as unknown as Session
  }

  send(message: SequencedMessage, pages: readonly Uint8Array[] = []): void {
    if (this.loss !== undefined) return
    const frame = this.#writer.encode(message, pages, ++this.#sequence, 0)
    const reader = new FrameReader({
      allocate: (bytes) => new Uint8Array(bytes),
      frameBytesMax,
      receive: (arrived) => {
        this.sent.push({ message: arrived.message as SequencedMessage, pages: arrived.pages })
      },
    })
    for (const chunk of [frame.head, ...frame.pages]) reader.push(chunk)
  }

  whenValid(): Promise<void> {
    return this.#valid.promise
  }

  whenWritable(): Promise<void> {
    return Promise.resolve()
  }

  readonly #valid = withResolvers<void>()

  renew(): void {
    this.validUntil = Infinity
    this.#valid.resolve()
  }
}

export interface ScriptedSite {
  readonly clock: FakeClock
  readonly log: LogEntry[]
  readonly session: WireSession
  readonly env: SiteEnvironment
}

/** What surrounds one replica: memory for so many pages, a clock, a session with one peer. */
export function scriptedSite(
  options: { readonly pagesMax?: number; readonly merge?: MergeFunction } = {},
): ScriptedSite {
  const clock = new FakeClock()
  const log: LogEntry[] = []
  const session = new WireSession()
  const bytesMax = (options.pagesMax ?? 64) * pageBytes
  const env: SiteEnvironment = {
    clock,
    logger: recordingLogger(log),
    frames: new PageMemory(bytesMax),
    buffers: new BufferPool(bytesMax),
    lockMemory: new LockMemory(bytesMax),
    post: new SessionPost(),
    plugins: { conflictTestOf: () => undefined, mergeFunctionOf: () => options.merge },
    session: (site) => (site === peer && session.loss === undefined ? session.as(peer) : undefined),
    parentSession: (site) => (site === peer && session.loss === undefined ? session.as(peer) : undefined),
    want: () => undefined,
    canReach: () => session.connected,
    isNode: true,
    gone: () => undefined,
  }
  return { clock, log, session, env }
}

export function regionOf(
  settings: AttributeSettings = {},
  size: { readonly pages?: number; readonly pageSize?: number } = {},
): RegionDescriptor {
  const { pages = 16, pageSize = pageBytes } = size
  return {
    address: 0x1000n as Address,
    size: pages * pageSize,
    pageSize,
    home: founder,
    generation: 1,
    revision: 1,
    era: 1,
    attributes: { ...checkAttributes({}), ...checkAttributes(settings) },
  }
}

export function range(first: number, count: number): PageRange {
  return { first: page(first), count }
}

export function commitId(value: number): CommitId {
  return value as CommitId
}

export function version(value: number): Version {
  return value as Version
}

/** The n-th parcel of the newest event that brought any. */
export function parcelOf(protocol: ScriptedProtocol, index = 0): ParcelId {
  for (const event of protocol.events.toReversed()) {
    if (event.kind !== 'message' && event.kind !== 'unlock') continue
    const parcel = event.parcels[index]
    if (parcel !== undefined) return parcel
  }
  throw new Error('no parcel has come')
}
