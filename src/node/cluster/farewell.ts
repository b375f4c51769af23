import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Call, Result } from '../../wire/message.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { NodeRecord } from '../node-record.js'
import { pause } from '../pause.js'
import type { Membership } from './membership.js'

/** How long a node that has left tries to tell another one, before it stops all the same. */
const farewellMs = 10_000
/** How long one node has to say that it has heard. */
const tellMs = 2000
/** Between two rounds over all nodes. */
const roundMs = 500

export interface FarewellOptions {
  readonly clock: Clock
  readonly record: NodeRecord
  readonly members: Membership
  readonly call: (node: NodeId, call: Call, wait: WaitOptions) => Promise<Result>
}

/**
 * Tells one other node that this one has left: that tells the rest. Until one has heard it, all would go on looking for this one.
 * Answers whether one has; if not, the next start of this node is to try again. Never rejects but for what the disk does.
 */
export async function sayFarewell(options: FarewellOptions, signal: AbortSignal): Promise<boolean> {
  const { clock, record, members } = options
  const until = clock.now() + farewellMs
  const isOver = (): boolean => signal.aborted || clock.now() >= until
  while (!isOver()) {
    const others = members.members.map(({ node }) => node).filter((node) => node !== members.manager)
    for (const node of [members.manager, ...others]) {
      if (isOver()) break
      if (!(await hasHeard(options, node))) continue
      await record.writeFarewell()
      return true
    }
    await pause(clock, roundMs, signal)
  }
  return false
}

async function hasHeard({ members, call }: FarewellOptions, node: NodeId): Promise<boolean> {
  try {
    // What is told goes before what is asked, in the same session: whoever answers has heard.
    const isTold = members.tellLeft(node)
    await call(node, { op: 'node-status' }, { timeoutMs: tellMs })
    if (isTold) return true
    if (!members.tellLeft(node)) return false
    await call(node, { op: 'node-status' }, { timeoutMs: tellMs })
    return true
  } catch (reason) {
    const { code } = KhazanaError.from(reason)
    if (code === 'internal') throw reason
    // It knows, and therefore will have no session.
    return code === 'wrong-cluster'
  }
}
