import { isNode, noCluster } from '../address/identity.js'
import type { NodeId, SiteId } from '../address/identity.js'
import type { Clock } from '../io/clock.js'
import type { Endpoint } from '../io/network.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Member } from '../wire/message.js'
import { membersPerMessageMax } from './cluster/membership.js'
import { whenAnyoneListens } from './contact.js'
import { defaultTimeoutMs, within, withResolvers } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import { formatEndpoint } from './endpoint-text.js'
import type { NodeOptions } from './node-options.js'
import type { NodeIdentity } from './node-record.js'
import { Dialer } from './session/dialer.js'
import { loneDialing } from './session/lone-dialing.js'
import type { Session, SessionHandlers } from './session/session.js'

export interface Joined {
  readonly identity: NodeIdentity
  /** All that the node which let it in knows of, itself included: also without that one it is to find the others. */
  readonly members: readonly Member[]
}

/** How long one session with the node that gives the id may take to tell of the others. */
const listedMs = 2000

/**
 * Asks a node of a cluster for an id, and who else is in the cluster. The sessions in which this happens are only for that: the node
 * comes back with its id. Throws `unreachable` where nobody listens there for `contactMsMax`, or nobody lets this node in and tells
 * it of the others for `defaultTimeoutMs` after that, `aborted`, and what the node refuses with.
 *
 * The id is in the list of members for good. So whatever can keep this node from serving is to be found out before. And a node that
 * knew only the one which let it in would be alone for ever if that one left.
 */
export async function joinCluster(options: NodeOptions, endpoint: Endpoint): Promise<Joined> {
  const { world } = options
  const { signal } = options
  await whenAnyoneListens(world, endpoint, signal)
  const until = world.clock.now() + defaultTimeoutMs
  let before: Session | undefined
  do {
    const attempt = new Attempt(options, endpoint, before)
    try {
      const leftMs = Math.max(1, until - world.clock.now())
      const session = await attempt.admitted({ timeoutMs: leftMs, ...(signal && { signal }) })
      const members = await attempt.whenTold(Math.min(listedMs, leftMs))
      if (members !== undefined) return joinedBy(session, before, options.name, members)
      before ??= session
    } finally {
      await attempt.close()
    }
  } while (world.clock.now() < until)
  throw notTold(endpoint, before.assigned)
}

/** One session, in which a node is given an id, or, if it has got that in an earlier one, is told of the others at least. */
class Attempt {
  readonly #clock: Clock
  readonly #endpoint: Endpoint
  readonly #before: Session | undefined
  readonly #dialer: Dialer
  readonly #admitted = withResolvers<Session>()
  readonly #others = new Others()
  /** Why there is no session yet. */
  #hindrance: KhazanaError | undefined

  constructor({ world, name = '' }: NodeOptions, endpoint: Endpoint, before: Session | undefined) {
    this.#clock = world.clock
    this.#endpoint = endpoint
    this.#before = before
    this.#dialer = new Dialer({
      ...loneDialing(world, endpoint, (bytes) => new Uint8Array(bytes)),
      identity: () => ({
        cluster: before?.peer.cluster ?? noCluster,
        role: 'node',
        site: before?.assigned ?? 0,
        incarnation: 1,
        name,
        listen: '',
      }),
      latest: () => before?.id ?? 0,
      open: (session) => this.#onSession(session),
      failed: (error) => {
        this.#hindrance = error
      },
      refused: this.#admitted.reject,
    })
    this.#dialer.start()
  }

  #onSession(session: Session): SessionHandlers {
    this.#admitted.resolve(session)
    session.send({ kind: 'members', members: [], known: [] })
    return {
      message: (message) => {
        if (message.kind === 'members') this.#others.add(message.members)
      },
      lost: () => {
        this.#others.end()
      },
    }
  }

  /** Throws `unreachable`, and what the node refuses with. */
  async admitted(wait: WaitOptions): Promise<Session> {
    try {
      return await within(this.#clock, 'joining', wait, this.#admitted.promise)
    } catch (reason) {
      const error = KhazanaError.from(reason)
      if (error.code !== 'timeout') throw error
      if (this.#before !== undefined) throw notTold(this.#endpoint, this.#before.assigned)
      throw notLetIn(this.#endpoint, this.#hindrance ?? error)
    }
  }

  /** All who are in the cluster; undefined where the node does not say so in that time. */
  whenTold(timeoutMs: number): Promise<readonly Member[] | undefined> {
    return this.#others.whenAll(this.#clock, timeoutMs)
  }

  close(): Promise<unknown> {
    return this.#dialer.close()
  }
}

function notLetIn(endpoint: Endpoint, cause: KhazanaError): KhazanaError {
  const where = formatEndpoint(endpoint)
  return new KhazanaError(
    'unreachable',
    `who listens at ${where} has not let this node in for ${defaultTimeoutMs / 1000} s (${cause.message}): try again, or ` +
      'correct --join',
    { cause },
  )
}

function notTold(endpoint: Endpoint, assigned: SiteId): KhazanaError {
  return new KhazanaError(
    'unreachable',
    `the node at ${formatEndpoint(endpoint)} has let this one in, as node ${assigned}, and then did not say who else is in the ` +
      `cluster, for ${defaultTimeoutMs / 1000} s: try again, or join at another one`,
  )
}

/** Gathers what a node tells of who is in its cluster. */
class Others {
  readonly #members: Member[] = []
  readonly #isAll = withResolvers<boolean>()

  add(members: readonly Member[]): void {
    this.#members.push(...members)
    // There is more where a message is full.
    if (members.length < membersPerMessageMax) this.#isAll.resolve(true)
  }

  /** Nothing comes any more. */
  end(): void {
    this.#isAll.resolve(false)
  }

  async whenAll(clock: Clock, timeoutMs: number): Promise<readonly Member[] | undefined> {
    try {
      return (await within(clock, 'joining', { timeoutMs }, this.#isAll.promise)) ? this.#members : undefined
    } catch (reason) {
      if (KhazanaError.from(reason).code !== 'timeout') throw reason
      return undefined
    }
  }
}

/** `before`: the session in which the id was given, where that was an earlier one. */
function joinedBy(
  session: Session,
  before: Session | undefined,
  name: string | undefined,
  told: readonly Member[],
): Joined {
  const { peer } = session
  const { assigned } = before ?? session
  if (!isNode(assigned)) throw new KhazanaError('protocol-error', `node ${peer.site} gave no node id`)
  const contact: Member = {
    node: peer.site as NodeId,
    name: peer.name,
    listen: peer.listen,
    revision: peer.incarnation,
    state: 'in',
  }
  const others = told.filter(({ node }) => node !== assigned)
  const isTold = others.some(({ node }) => node === contact.node)
  return {
    identity: { cluster: peer.cluster, node: assigned, name: name ?? `node-${assigned}` },
    members: isTold ? others : [contact, ...others],
  }
}
