import type { CmOptions, CmSite, ConsistencyManager, ProtocolDefinition } from '../contract.js'
import { ChildManager } from './child/child-manager.js'
import { copiesCodec } from './codec.js'
import { HomeManager } from './home/home-manager.js'
import type { CopiesMessage } from './message.js'
import type { PlantedBug } from './planted-bug.js'
import { boundedPolicy, objectsPolicy, releasePolicy } from './policy.js'
import type { PolicyFactory } from './policy.js'

export type { CopiesMessage } from './message.js'

/** Many writers a page, whose patches meet at the home; a lock sees all that was unlocked before. */
export const release: ProtocolDefinition<CopiesMessage> = releaseWith(undefined)

/** Writers take turns; reads come from copies that are behind by no more than the region's, or the lock's, staleness. */
export const bounded: ProtocolDefinition<CopiesMessage> = boundedWith(undefined)

/**
 * What `crew` is in regions that name a conflict test: locks on different objects of one page are held at once, and
 * sections on one object are linearizable.
 */
export const crewObjects: ProtocolDefinition<CopiesMessage> = crewObjectsWith(undefined)

/** The protocol with a bug in it, to see that a checker catches it. So the others. */
export function releaseWith(plantedBug: PlantedBug | undefined): ProtocolDefinition<CopiesMessage> {
  return definition('release', releasePolicy, plantedBug)
}

export function boundedWith(plantedBug: PlantedBug | undefined): ProtocolDefinition<CopiesMessage> {
  return definition('bounded', boundedPolicy, plantedBug)
}

export function crewObjectsWith(plantedBug: PlantedBug | undefined): ProtocolDefinition<CopiesMessage> {
  return definition('crew-objects', objectsPolicy, plantedBug)
}

function definition(
  name: string,
  policyOf: PolicyFactory,
  plantedBug: PlantedBug | undefined,
): ProtocolDefinition<CopiesMessage> {
  return {
    name,
    codec: copiesCodec,
    writes: 'patches',
    keepsPages: true,
    create: (site: CmSite, options: CmOptions): ConsistencyManager<CopiesMessage> => {
      const policy = policyOf(options, plantedBug)
      return site.parent === undefined
        ? new HomeManager(site, options, policy)
        : new ChildManager(site, site.parent, policy, options.kept)
    },
  }
}
