import type { RegionDescriptor } from '../address/descriptor.js'
import { noCluster } from '../address/identity.js'
import type { ClusterId, NodeId } from '../address/identity.js'
import { Plugins } from '../consistency/plugins.js'
import type { PluginOptions } from '../consistency/plugins.js'
import type { Clock } from '../io/clock.js'
import type { Endpoint } from '../io/network.js'
import type { Random } from '../io/random.js'
import type { World } from '../io/world.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Call, Result, SequencedMessage, Welcome } from '../wire/message.js'
import { Deadline, defaultTimeoutMs, timeoutOf, within, withResolvers } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import { formatEndpoint } from './endpoint-text.js'
import { makeLocalMemory } from './local-memory.js'
import { Peers } from './peers.js'
import { ReplicaSet } from './replica-set.js'
import type { Replica } from './replica/replica.js'
import { Dialer } from './session/dialer.js'
import { loneDialing } from './session/lone-dialing.js'
import type { Session, SessionHandlers } from './session/session.js'
import type { SiteAccess } from './site-access.js'
import { OwnWatches } from './watch/own-watches.js'
import type { Watched } from './watch/own-watches.js'
import { RemoteWatches } from './watch/remote-watches.js'
import type { Watch, WatchOptions } from './watch/watch.js'

export interface ConnectOptions extends WaitOptions, PluginOptions {
  readonly world: World
  readonly endpoint: Endpoint
  /** Bytes of RAM for page frames; 64 MiB unless told. */
  readonly memoryBytesMax?: number
  /** For people: what the node calls this client. */
  readonly name?: string
}

export const clientMemoryBytesDefault = 64 * 1024 * 1024

/**
 * A client of a node: a site like the node itself, with replicas, tokens and hits of its own, but no disk, and with the
 * node as the parent of all its replicas. When the connection breaks it is made again by itself. If the node still
 * knows the session by then, nothing is noticed. If not, or if the lease ran out, lock contexts are broken and tokens
 * are gone; regions stay usable, and what waits goes on waiting.
 */
export class ConnectedSite implements SiteAccess {
  readonly kind = 'client'
  readonly #options: ConnectOptions
  readonly #peers: Peers
  readonly replicas: ReplicaSet
  readonly #remoteWatches: RemoteWatches
  readonly #watches: OwnWatches
  readonly #dialer: Dialer
  readonly #connected = withResolvers<Session>()
  #gateway: NodeId | undefined
  #cluster: ClusterId | undefined
  #closed: KhazanaError | undefined
  #closing: Promise<void> | undefined

  /** Throws `unreachable` where nobody answers, what the node refuses with, and `invalid-argument`. */
  static async connect(options: ConnectOptions): Promise<ConnectedSite> {
    timeoutOf(options)
    const site = new ConnectedSite(options, Plugins.of(options, 'client'))
    site.#dialer.start()
    const deadline = Deadline.start(options.world.clock, 'connecting', options, site.#connected.reject)
    try {
      await site.#connected.promise
      return site
    } catch (error) {
      await site.close()
      throw error
    } finally {
      deadline.stop()
    }
  }

  private constructor(options: ConnectOptions, plugins: Plugins) {
    const { world, endpoint } = options
    this.#options = options
    const memory = makeLocalMemory(options.memoryBytesMax ?? clientMemoryBytesDefault)
    this.#peers = new Peers(world.clock)
    this.replicas = new ReplicaSet({
      self: undefined,
      environment: { clock: world.clock, logger: world.logger, plugins, ...memory },
      protocol: (attributes) => plugins.protocolOf(attributes),
      describe: () => undefined,
      learned: () => undefined,
      find: () => undefined,
      learn: () => Promise.reject(new KhazanaError('internal', "a client is nobody's parent")),
      isAwaited: () => false,
      mayArrive: () => false,
      gone: () => undefined,
    })
    this.#remoteWatches = new RemoteWatches({
      clock: world.clock,
      random: world.random,
      peers: this.#peers,
      where: () => Promise.resolve(this.#parent()),
      learned: () => undefined,
      watchHere: () => {
        throw new KhazanaError('internal', "a client is nobody's home")
      },
    })
    this.#watches = new OwnWatches(world.clock, (target, sink, timeoutMs) =>
      this.#remoteWatches.subscribe(target, sink, timeoutMs),
    )
    // The node tells clients of one process from those of another, and of an earlier life, by this number.
    const incarnation = world.random.uint32()
    this.#dialer = new Dialer({
      ...loneDialing(world, endpoint, (bytes) => memory.buffers.take(bytes)),
      identity: () => ({
        cluster: noCluster,
        role: 'client',
        site: 0,
        incarnation,
        name: options.name ?? 'client',
        listen: '',
      }),
      judge: (welcome) => {
        this.#judge(welcome)
      },
      open: (session) => this.#onSession(session),
      failed: (error) => {
        if (this.#gateway === undefined) this.#connected.reject(notThere(endpoint, error))
      },
      refused: (error) => {
        this.#connected.reject(error)
        this.#closed ??= error
        this.replicas.closeAll(error)
        this.#watches.close(error)
      },
    })
  }

  /** The node it is connected to. */
  get node(): NodeId {
    return this.#parent()
  }

  get clock(): Clock {
    return this.#options.world.clock
  }

  get random(): Random {
    return this.#options.world.random
  }

  async call(call: Call, options: WaitOptions): Promise<Result> {
    const { clock } = this.#options.world
    const started = clock.now()
    const timeoutMs = timeoutOf(options)
    for (;;) {
      if (this.#closed !== undefined) throw this.#closed
      const left = timeoutMs - (clock.now() - started)
      try {
        return await this.#peers.call(this.#parent(), call, { ...options, timeoutMs: Math.max(1, left) })
      } catch (reason) {
        const error = KhazanaError.from(reason)
        if (error.code !== 'outcome-unknown' || !isRepeatable(call) || left <= 0) throw error
      }
    }
  }

  replica(descriptor: RegionDescriptor): Replica {
    if (this.#closed !== undefined) throw this.#closed
    return this.replicas.open(descriptor, { kind: 'copy', parent: this.#parent() })
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.world.clock.after(ms, resolve))
  }

  async watch(watched: Watched, options: WatchOptions): Promise<Watch> {
    if (this.#closed !== undefined) throw this.#closed
    return this.#watches.open(watched, options)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const error = new KhazanaError('closed', 'the connection was closed')
    this.#closed ??= error
    await this.#drain()
    // Rights end here before the node sees the end of the connection and gives them to others.
    this.replicas.closeAll(error)
    this.#watches.close(this.#closed)
    await this.#dialer.close()
  }

  /** What was unlocked before the end reaches the home. */
  async #drain(): Promise<void> {
    const { clock, logger } = this.#options.world
    const wait = { timeoutMs: defaultTimeoutMs }
    try {
      await within(clock, 'closing', wait, this.replicas.finish(wait))
    } catch (reason) {
      logger.log('warn', 'closed before all was durable', { reason: KhazanaError.from(reason).message })
    }
  }

  /**
   * Where the node's disk was lost, another node may have come to its place, or even the first one of another cluster, whose regions have the addresses that
   * those had which this process has handles of. Throws `wrong-cluster`.
   */
  #judge({ site, cluster }: Welcome): void {
    const gateway = this.#gateway
    if (gateway === undefined || (gateway === site && this.#cluster === cluster)) return
    const what = site === gateway ? 'a node of another cluster' : `node ${site}`
    throw new KhazanaError('wrong-cluster', `${what} answers where node ${gateway} was: connect anew`)
  }

  #onSession(session: Session): SessionHandlers {
    const { site, cluster } = session.peer
    this.#gateway = site as NodeId
    this.#cluster = cluster
    this.#peers.up(session)
    this.replicas.sessionUp(session)
    this.#connected.resolve(session)
    return {
      message: (message, pages) => {
        this.#onMessage(session, message, pages)
      },
      lost: (loss) => {
        this.#peers.lost(session, loss)
        this.replicas.sessionLost(session, loss)
        this.#remoteWatches.lost(session)
      },
    }
  }

  #onMessage(session: Session, message: SequencedMessage, pages: readonly Uint8Array[]): void {
    switch (message.kind) {
      case 'cm':
      case 'cm-plain':
      case 'region-notice':
        return this.replicas.deliver(session, message, pages)
      case 'watch-notice':
        return this.#remoteWatches.onNotice(session, message)
      case 'response':
      case 'failure':
        return this.#peers.onAnswer(session, message)
      case 'request':
        session.send({
          kind: 'failure',
          id: message.id,
          code: 'unsupported',
          message: 'a client serves no requests',
        })
        return
      case 'members':
      case 'group':
      case 'part':
      case 'stay':
        return
    }
  }

  #parent(): NodeId {
    if (this.#gateway === undefined) throw new KhazanaError('unreachable', 'not connected yet')
    return this.#gateway
  }
}

/** Whether doing it twice is the same as doing it once. */
function isRepeatable(call: Call): boolean {
  // Of a region that has ended it cannot be told whether the first time did it; what is kept is kept once.
  if (call.op === 'unreserve') return call.keep
  return call.op !== 'reserve' && call.op !== 'grant-pool'
}

function notThere(endpoint: Endpoint, cause: KhazanaError): KhazanaError {
  const where = formatEndpoint(endpoint)
  return new KhazanaError('unreachable', `no node answers at ${where}: is \`khazana node\` running there?`, {
    cause,
  })
}
