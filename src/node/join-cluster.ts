import { isNode, noCluster } from '../address/identity.js'
import type { NodeId } from '../address/identity.js'
import type { Clock } from '../io/clock.js'
import type { Endpoint } from '../io/network.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Member } from '../wire/message.js'
import { membersPerMessageMax } from './cluster/membership.js'
import { whenAnyoneListens } from './contact.js'
import { defaultTimeoutMs, within, withResolvers } from '../io/deadline.js'
import { formatEndpoint } from './endpoint-text.js'
import type { NodeOptions } from './node-options.js'
import type { NodeIdentity } from './node-record.js'
import { Dialer } from './session/dialer.js'
import { defaultSessionLimits } from './session/session-limits.js'
import type { Session } from './session/session.js'
import { Traffic } from './session/traffic.js'

export interface Joined {
  readonly identity: NodeIdentity
  /** All that the node which let it in knows of, itself included: also without that one it is to find the others. */
  readonly members: readonly Member[]
}

/** How long the node that gave an id has to tell of the others. */
const listedMs = 2000

/**
 * Asks a node of a cluster for an id. The session in which this happens is only for that: the node comes
 * back with its id. Throws `unreachable` where nobody listens there for `contactMsMax`, or nobody lets this node in for
 * `defaultTimeoutMs` after that, and what the node refuses with.
 *
 * The id is in the list of members for good. So whatever can keep this node from serving is to be found out before.
 */
export async function joinCluster(options: NodeOptions, endpoint: Endpoint): Promise<Joined> {
  const { world } = options
  await whenAnyoneListens(world, endpoint)
  const hindrance: { last: KhazanaError | undefined } = { last: undefined }
  const admitted = withResolvers<Session>()
  const others = new Others()
  const dialer = new Dialer({
    clock: world.clock,
    logger: world.logger,
    random: world.random,
    network: world.network,
    limits: defaultSessionLimits,
    traffic: new Traffic(),
    allocate: (bytes) => new Uint8Array(bytes),
    leaseLimit: () => Infinity,
    endpoint: () => endpoint,
    identity: () => ({
      cluster: noCluster,
      role: 'node',
      site: 0,
      incarnation: 1,
      name: options.name ?? '',
      listen: '',
    }),
    expected: undefined,
    mayOpen: () => true,
    open: (session) => {
      admitted.resolve(session)
      session.send({ kind: 'members', members: [], known: [] })
      return {
        message: (message) => {
          if (message.kind === 'members') others.add(message.members)
        },
        lost: () => {
          others.end()
        },
      }
    },
    failed: (error) => {
      hindrance.last = error
    },
    refused: admitted.reject,
  })
  dialer.start()
  try {
    const wait = within(world.clock, 'joining', { timeoutMs: defaultTimeoutMs }, admitted.promise)
    const session = await wait
    await others.whenAll(world.clock)
    return joinedBy(session, options.name, others.members)
  } catch (reason) {
    const error = KhazanaError.from(reason)
    if (error.code !== 'timeout') throw error
    throw notLetIn(endpoint, hindrance.last ?? error)
  } finally {
    await dialer.close()
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

/** Gathers what a node tells of who is in its cluster. */
class Others {
  readonly members: Member[] = []
  readonly #isAll = withResolvers<void>()

  add(members: readonly Member[]): void {
    this.members.push(...members)
    // There is more where a message is full.
    if (members.length < membersPerMessageMax) this.end()
  }

  end(): void {
    this.#isAll.resolve()
  }

  /** That it is slow to tell is no reason not to join. */
  async whenAll(clock: Clock): Promise<void> {
    try {
      await within(clock, 'joining', { timeoutMs: listedMs }, this.#isAll.promise)
    } catch (reason) {
      if (KhazanaError.from(reason).code !== 'timeout') throw reason
    }
  }
}

function joinedBy(session: Session, name: string | undefined, told: readonly Member[]): Joined {
  const { peer, assigned } = session
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
