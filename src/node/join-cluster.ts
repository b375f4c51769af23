import { isNode, noCluster } from '../address/identity.js'
import type { NodeId } from '../address/identity.js'
import type { Endpoint } from '../io/network.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Member } from '../wire/message.js'
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
  /** The node that let it in: from there it learns of the others. */
  readonly contact: Member
}

/**
 * Asks a node of a cluster for an id. The session in which this happens is only for that: the node comes
 * back with its id. Throws `unreachable`, and what the node refuses with.
 */
export async function joinCluster(options: NodeOptions, endpoint: Endpoint): Promise<Joined> {
  const { world } = options
  const admitted = withResolvers<Session>()
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
      return { message: () => undefined, lost: () => undefined }
    },
    failed: () => undefined,
    refused: admitted.reject,
  })
  dialer.start()
  try {
    const wait = within(world.clock, 'joining', { timeoutMs: defaultTimeoutMs }, admitted.promise)
    return joinedBy(await wait, options.name)
  } catch (reason) {
    const error = KhazanaError.from(reason)
    if (error.code !== 'timeout') throw error
    const where = formatEndpoint(endpoint)
    throw new KhazanaError('unreachable', `no node answers at ${where}: start it first, or correct --join`, {
      cause: error,
    })
  } finally {
    await dialer.close()
  }
}

function joinedBy(session: Session, name: string | undefined): Joined {
  const { peer, assigned } = session
  if (!isNode(assigned)) throw new KhazanaError('protocol-error', `node ${peer.site} gave no node id`)
  return {
    identity: { cluster: peer.cluster, node: assigned, name: name ?? `node-${assigned}` },
    contact: {
      node: peer.site as NodeId,
      name: peer.name,
      listen: peer.listen,
      revision: peer.incarnation,
      state: 'in',
    },
  }
}
