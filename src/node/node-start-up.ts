import { clusterId, founder } from '../address/identity.js'
import type { Endpoint } from '../io/network.js'
import { checkText } from '../stdx/checks.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { leaseMsMax, leaseMsMin, nameBytesMax } from '../wire/limits.js'
import { formatEndpoint, isLocal, unixEndpoint } from './endpoint-text.js'
import { joinCluster } from './join-cluster.js'
import {
  leaseMsDefault,
  memoryBytesDefault,
  memoryBytesMin,
  restoreBytesPerSecondDefault,
  restoreBytesPerSecondMin,
  scrubEveryMsDefault,
  scrubEveryMsMax,
  scrubEveryMsMin,
} from './node-options.js'
import type { NodeOptions } from './node-options.js'
import type { NodeIdentity, NodeRecord } from './node-record.js'

/** All that can be told from the options alone. Throws `invalid-argument`, `insecure`. */
export function checkOptions({
  name,
  listen,
  socketPath,
  insecure,
  memoryBytesMax = memoryBytesDefault,
  leaseMs = leaseMsDefault,
  restoreBytesPerSecond = restoreBytesPerSecondDefault,
  scrubEveryMs = scrubEveryMsDefault,
}: NodeOptions): void {
  if (!(leaseMs >= leaseMsMin && leaseMs <= leaseMsMax)) {
    const range = `${leaseMsMin} to ${leaseMsMax} milliseconds`
    throw new KhazanaError('invalid-argument', `a lease lasts ${range}, not ${shown(leaseMs)}`)
  }
  checkMemory(memoryBytesMax)
  if (!(restoreBytesPerSecond >= restoreBytesPerSecondMin)) {
    const rate = shown(restoreBytesPerSecond)
    throw new KhazanaError(
      'invalid-argument',
      `replicas are restored with at least ${restoreBytesPerSecondMin} bytes a second, not ${rate}`,
    )
  }
  if (scrubEveryMs !== 0 && !(scrubEveryMs >= scrubEveryMsMin && scrubEveryMs <= scrubEveryMsMax)) {
    const range = `${scrubEveryMsMin} to ${scrubEveryMsMax} milliseconds apart, or never, which is 0`
    throw new KhazanaError('invalid-argument', `the disk is read ${range}: not ${shown(scrubEveryMs)}`)
  }
  if (name !== undefined) checkNodeName(name)
  if (listen !== undefined && !isLocal(listen) && insecure !== true) throw insecureEndpoint(listen)
  if (socketPath !== undefined) unixEndpoint(socketPath)
}

function checkNodeName(name: string): void {
  checkText(name, 'name')
  if (/^[0-9]+$/.test(name)) {
    throw new KhazanaError(
      'invalid-argument',
      `a node is not called ${name}: a number alone is that of a node, and no name`,
    )
  }
  const bytes = new TextEncoder().encode(name).length
  if (bytes <= nameBytesMax) return
  throw new KhazanaError(
    'invalid-argument',
    `the name of a node has at most ${nameBytesMax} bytes, not ${bytes}`,
  )
}

function insecureEndpoint(endpoint: Endpoint): KhazanaError {
  return new KhazanaError(
    'insecure',
    `${formatEndpoint(endpoint)} can be reached from other machines, and there is no TLS yet: ` +
      'listen on 127.0.0.1, or pass --insecure in a network that you trust',
  )
}

/** Throws `invalid-argument`. */
export function checkMemory(bytesMax: number): void {
  if (Number.isInteger(bytesMax) && bytesMax >= memoryBytesMin) return
  throw new KhazanaError('invalid-argument', `a node needs at least ${memoryBytesMin} bytes of memory`)
}

/** A member that is told again where it once joined may be; a founder never joined anything. */
export function checkJoin({ join, directory }: NodeOptions, identity: NodeIdentity | undefined): void {
  if (join === undefined || identity?.node !== founder) return
  throw new KhazanaError(
    'wrong-cluster',
    `${directory} belongs to the node that founded cluster ${identity.cluster}, which cannot join another: ` +
      'start it without --join, or use a new directory',
  )
}

/**
 * Who has left does not come back as who it was: others have what it had. Answers whether it has left, and nobody has heard so.
 * Throws `wrong-cluster`.
 */
export function checkNotLeft(options: NodeOptions, record: NodeRecord): boolean {
  const { identity, members } = record
  if (identity === undefined) return false
  if (members.find(({ node }) => node === identity.node)?.state !== 'left') return false
  if (record.hasSaidFarewell) throw leftForGood(options, identity)
  return true
}

export function leftForGood({ directory }: NodeOptions, { node }: NodeIdentity): KhazanaError {
  return new KhazanaError(
    'wrong-cluster',
    `${directory} belongs to node ${node}, which has left its cluster: use a new directory`,
  )
}

export function leftUnheard({ directory }: NodeOptions, { node }: NodeIdentity): KhazanaError {
  return new KhazanaError(
    'unreachable',
    `${directory} belongs to node ${node}, which has left its cluster, and no other node could be told yet: start it ` +
      'once more while others run, or its number stays in their list',
  )
}

/** What a node with a new directory becomes. */
export async function foundOrJoin(options: NodeOptions, record: NodeRecord): Promise<NodeIdentity> {
  if (options.join !== undefined) {
    const joined = await joinCluster(options, options.join)
    await record.writeMembers(joined.members)
    await record.writeIdentity(joined.identity)
    return joined.identity
  }
  const digits = [...options.world.random.bytes(16)].map((byte) => byte.toString(16).padStart(2, '0'))
  const node = founder
  const identity = { cluster: clusterId(digits.join('')), node, name: options.name ?? `node-${node}` }
  // A member before anybody can come to join: the ids of others count on from its own.
  await record.writeMembers([{ node, name: identity.name, listen: '', revision: 0, state: 'in' }])
  await record.writeIdentity(identity)
  return identity
}
