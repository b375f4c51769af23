import { nodeId, noCluster, clientSiteMin, clusterId, type SiteId } from '../../src/address/identity.js'
import { Acceptor, type AcceptorOptions } from '../../src/node/session/acceptor.js'
import { Dialer, type DialerOptions } from '../../src/node/session/dialer.js'
import { defaultSessionLimits } from '../../src/node/session/session-limits.js'
import type { Session, SessionHandlers, SessionLoss } from '../../src/node/session/session.js'
import { Traffic } from '../../src/node/session/traffic.js'
import type { KhazanaError } from '../../src/stdx/errors.js'
import type { SequencedMessage } from '../../src/wire/message.js'
import { FakeClock, FakeNetwork, fakeRandom, recordingLogger, type LogEntry } from './fake-world.js'

export const leaseMs = 3000
export const cluster = clusterId('c'.repeat(32))

/** The use of one session, written down. */
export interface Recorded {
  readonly session: Session
  readonly messages: SequencedMessage[]
  readonly pages: Uint8Array[]
  readonly losses: SessionLoss[]
}

/** Writes down all sessions that are opened at one side. */
export class Recorder {
  readonly sessions: Recorded[] = []
  /** What is done in each message, besides. */
  onMessage: (session: Session, message: SequencedMessage) => void = () => undefined
  onLost: (session: Session, loss: SessionLoss) => void = () => undefined

  readonly open = (session: Session): SessionHandlers => {
    const recorded: Recorded = { session, messages: [], pages: [], losses: [] }
    this.sessions.push(recorded)
    return {
      message: (message, pages) => {
        recorded.messages.push(message)
        recorded.pages.push(...pages)
        this.onMessage(session, message)
      },
      lost: (loss) => {
        recorded.losses.push(loss)
        this.onLost(session, loss)
      },
    }
  }

  get last(): Recorded {
    const recorded = this.sessions.at(-1)
    if (recorded === undefined) throw new Error('no session was opened')
    return recorded
  }
}

export interface Pair {
  readonly clock: FakeClock
  readonly network: FakeNetwork
  readonly logs: LogEntry[]
  readonly dialed: Recorder
  readonly accepted: Recorder
  readonly dialer: Dialer
  acceptor: Acceptor
  /** What each side has counted. */
  readonly traffic: { readonly dialed: Traffic; readonly accepted: Traffic }
  readonly failures: KhazanaError[]
  readonly refusals: KhazanaError[]
}

export interface PairOptions {
  readonly role: 'node' | 'client'
  /** Of the site that dials. */
  readonly incarnation?: number
  readonly acceptor?: Partial<AcceptorOptions>
  readonly dialer?: Partial<DialerOptions>
}

/** A site that dials (a client, or node 2), and node 1, which accepts. Nothing has happened yet. */
export function sitePair(options: PairOptions): Pair {
  const clock = new FakeClock()
  const network = new FakeNetwork()
  const logs: LogEntry[] = []
  const dialed = new Recorder()
  const accepted = new Recorder()
  const failures: KhazanaError[] = []
  const refusals: KhazanaError[] = []
  const common = {
    clock,
    logger: recordingLogger(logs),
    limits: defaultSessionLimits,
    allocate: (bytes: number) => new Uint8Array(bytes),
    leaseLimit: () => Infinity,
  }
  const traffic = { dialed: new Traffic(), accepted: new Traffic() }
  const acceptor = acceptorOf(
    { ...common, traffic: traffic.accepted, open: accepted.open, ...options.acceptor },
    1,
  )
  network.accept = (connection) => acceptor.accept(connection)
  const isNode = options.role === 'node'
  const dialer = new Dialer({
    ...common,
    traffic: traffic.dialed,
    network,
    random: fakeRandom(),
    endpoint: () => ({ kind: 'unix', path: '/fake' }),
    identity: () => ({
      cluster: isNode ? cluster : noCluster,
      role: options.role,
      site: isNode ? nodeId(2) : 0,
      incarnation: options.incarnation ?? 7,
      name: 'dialing',
      listen: '',
    }),
    expected: undefined,
    mayOpen: () => true,
    open: dialed.open,
    failed: (error) => failures.push(error),
    refused: (error) => refusals.push(error),
    ...options.dialer,
  })
  return { clock, network, logs, dialed, accepted, dialer, acceptor, traffic, failures, refusals }
}

type Common = Pick<
  AcceptorOptions,
  'clock' | 'logger' | 'limits' | 'traffic' | 'allocate' | 'leaseLimit' | 'open'
>

export function acceptorOf(options: Common & Partial<AcceptorOptions>, incarnation: number): Acceptor {
  let clients = 0
  return new Acceptor({
    identity: () => ({ cluster, site: nodeId(1), incarnation, name: 'accepting', listen: 'here:1' }),
    leaseMs,
    admit: (hello) => (hello.role === 'node' ? nodeId(2) : ((clientSiteMin + clients++) as SiteId)),
    ...options,
  })
}

/** A pair whose session stands. */
export async function connectedPair(options: PairOptions): Promise<Pair> {
  const pair = sitePair(options)
  pair.dialer.start()
  await pair.clock.advance(1)
  return pair
}

export function request(id: number): SequencedMessage {
  return { kind: 'request', id, waitMs: 1000, call: { op: 'nodes' } }
}

export function idsOf(recorded: Recorded): number[] {
  return recorded.messages.map((message) => ('id' in message ? message.id : -1))
}
