import type { Endpoint } from '../../io/network.js'
import type { World } from '../../io/world.js'
import type { DialerOptions } from './dialer.js'
import { defaultSessionLimits } from './session-limits.js'
import { Traffic } from './traffic.js'

type LoneDialing = Pick<
  DialerOptions,
  | 'clock'
  | 'logger'
  | 'random'
  | 'network'
  | 'limits'
  | 'traffic'
  | 'allocate'
  | 'leaseLimit'
  | 'endpoint'
  | 'expected'
  | 'mayOpen'
>

/** What a site that has one session, with whichever node is at the endpoint, and gives nobody any rights, tells the dialer of it. */
export function loneDialing(
  { clock, logger, random, network }: World,
  endpoint: Endpoint,
  allocate: DialerOptions['allocate'],
): LoneDialing {
  return {
    ...{ clock, logger, random, network, allocate },
    limits: defaultSessionLimits,
    traffic: new Traffic(),
    leaseLimit: () => Infinity,
    endpoint: () => endpoint,
    expected: undefined,
    mayOpen: () => true,
  }
}
