import type { Endpoint } from '../../io/network.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Member } from '../../wire/message.js'
import { within, withResolvers } from '../deadline.js'
import { parseEndpoint } from '../endpoint-text.js'
import type { NodeOptions } from '../node-options.js'
import type { NodeIdentity, NodeRecord } from '../node-record.js'
import { Dialer } from '../session/dialer.js'
import { defaultSessionLimits } from '../session/session-limits.js'
import type { Session } from '../session/session.js'
import { Traffic } from '../session/traffic.js'

/** How long one member has to listen: it may have to wait first until rights from before have ended. */
const tellMsMax = 5000
/** Members that are told, at most: one is enough, as they tell each other. */
const toldMax = 8

/**
 * Says again that the node has left its cluster, in case that it died before anybody had heard: it would count as a member that is
 * down for ever. To be called when its directory is started again, before that is refused. Where no member answers, the next
 * start tries again. Never rejects but for a bug.
 */
export async function sayFarewellAgain(
  options: NodeOptions,
  record: NodeRecord,
  identity: NodeIdentity,
): Promise<void> {
  const { node } = identity
  const self = record.members.find((member) => member.node === node)
  if (self === undefined) return
  await record.writeIncarnation(record.incarnation + 1)
  const others = record.members.filter((member) => member.state === 'in' && member.node !== node)
  const reachable = others.filter(({ listen }) => listen !== '').slice(0, toldMax)
  await Promise.all(reachable.map((member) => tell(options, record, identity, member, self)))
}

async function tell(
  { world }: NodeOptions,
  record: NodeRecord,
  { cluster, node, name }: NodeIdentity,
  { node: other, listen }: Member,
  left: Member,
): Promise<void> {
  const met = withResolvers<Session>()
  const endpoint: Endpoint = parseEndpoint(listen)
  const { incarnation } = record
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
    identity: () => ({ cluster, role: 'node', site: node, incarnation, name, listen: '' }),
    expected: other,
    mayOpen: () => true,
    open: (session) => {
      met.resolve(session)
      return { message: () => undefined, lost: () => undefined }
    },
    failed: () => undefined,
    // It has heard: or it is no member itself any more.
    refused: met.reject,
  })
  dialer.start()
  try {
    const session = await within(world.clock, 'a farewell', { timeoutMs: tellMsMax }, met.promise)
    session.send({ kind: 'members', members: [left], known: undefined })
  } catch (reason) {
    const { code, message } = KhazanaError.from(reason)
    if (code === 'internal') throw reason
    world.logger.log('info', 'a farewell was not heard', { node: other, code, reason: message })
  } finally {
    await dialer.close()
  }
}
