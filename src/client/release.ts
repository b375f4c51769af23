import { timeoutOf, waitFrom } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import { expectResult } from '../node/calls/result.js'
import type { Release } from '../node/releases/release.js'
import type { SiteAccess } from '../node/site-access.js'
import { KhazanaError } from '../stdx/errors.js'
import type { ErrorCode } from '../stdx/errors.js'
import type { ReleaseState } from '../wire/message.js'

/** Of the caller's time, what is set aside for keeping what could not be done in the rest of it. */
const keepShare = 0.2
const keepMsMax = 5000

/** What the world did: the next attempt may find it otherwise. */
const mayPass: ReadonlySet<ErrorCode> = new Set([
  'timeout',
  'unreachable',
  'outcome-unknown',
  'busy',
  'closed',
  'context-broken',
  'no-space',
  'damaged',
  'storage-failed',
])

/**
 * Has it done in the caller's time, or else kept by the node that this site is, or is connected to, which goes on trying (P5). In two calls, so that
 * nothing is kept for a caller that has given up before: the second one, which takes no more than a flush, is not given up any more. Throws what
 * no other attempt would change, and what keeps the node from keeping it.
 */
export async function release(
  access: SiteAccess,
  what: Release,
  options: WaitOptions,
): Promise<ReleaseState> {
  const timeoutMs = timeoutOf(options)
  const wait = waitFrom(access.clock, options)
  const keepMs = Math.min(keepMsMax, timeoutMs * keepShare)
  try {
    const call = { ...what, keep: false } as const
    const answer = await access.call(call, { ...options, timeoutMs: timeoutMs - keepMs })
    return expectResult(what.op, answer).state
  } catch (reason) {
    if (!mayPass.has(KhazanaError.from(reason).code)) throw reason
  }
  if (options.signal?.aborted === true) {
    const { reason: cause } = options.signal as { readonly reason: unknown }
    throw new KhazanaError('aborted', `${what.op}: given up by the caller`, { cause })
  }
  const answer = await access.call({ ...what, keep: true }, { timeoutMs: wait().timeoutMs })
  return expectResult(what.op, answer).state
}
