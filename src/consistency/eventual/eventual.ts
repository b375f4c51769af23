import type { CmOptions, CmSite, ConsistencyManager, ProtocolDefinition } from '../contract.js'
import { eventualCodec } from './codec.js'
import { CopySite } from './copy-site.js'
import { HomeSite } from './home-site.js'
import type { EventualMessage } from './message.js'
import type { EventualBug } from './planted-bug.js'

/**
 * Writes at once, everywhere; agreement later. A lock keeps others out at its own site alone, and asks nobody: where a page
 * has been, it can be read and written while the home is away. What is written is pushed to the home, which keeps the last
 * write of each page, or lets the application merge, and tells all who hold a copy.
 *
 * Why all copies become the same, once nobody writes and the home can be reached:
 *
 * - The home takes one write of a page at a time, and gives the page a higher stamp with each. So its states of a page are
 *   in one order, and stop changing when all dirty copies have been answered.
 * - A dirty copy is pushed until it is answered. Then the home has its write, or a later one, or one page made of both. With
 *   the answer the copy is the home's. A push that is repeated after a loss changes nothing: its stamp is not above the
 *   home's any more; and to merge what was merged gives the same, for which the merge function must be idempotent.
 * - A copy that is not dirty is some state of the home's. The home knows which, as it sent it, or was told when the copy
 *   said `hold` after a loss; and sends the newest where that is another. Each state it sends is durable, so that no copy
 *   can have one that the home has forgotten; and no two states of a page have one stamp.
 *
 * Which write is the last: the one with the higher stamp; of equal stamps, the one that the home has. A site's stamps are
 * above all that it has seen, so that who writes upon what another wrote prevails, whatever their clocks say. A push whose
 * stamp is more than a day ahead of the home's clock counts as written when it came: a broken clock makes its site no
 * winner for years. Copies follow the home's stamps without asking.
 *
 * Merging (`merges`) is for who writes without having seen the other: the push says on which state of the home's it was
 * made, and where that is the newest, the page is taken as it is, so that what was removed stays removed. The function must
 * be commutative, associative and idempotent, as for a set that grows.
 *
 * What is not promised. Pages are apart: two of one lock may prevail over, or lose to, others separately. `unlock` ends
 * before anything is durable: what has not come to the home is lost with the process that accepted it. A page without
 * storage takes what was written to its copies along.
 *
 * Left out: asking the home from time to time whether a copy is still the newest. Messages between two sites are lost only
 * with the session, and then everything is compared; there is nothing that it would mend.
 */
export const eventual: ProtocolDefinition<EventualMessage> = eventualWith(undefined)

/** The protocol with a bug in it, to see that a checker catches it. */
export function eventualWith(bug: EventualBug | undefined): ProtocolDefinition<EventualMessage> {
  return {
    name: 'eventual',
    codec: eventualCodec,
    writes: 'pages',
    keepsPages: true,
    create: (site: CmSite, options: CmOptions): ConsistencyManager<EventualMessage> =>
      site.parent === undefined ? new HomeSite(site, options, bug) : new CopySite(site, options, bug),
  }
}
