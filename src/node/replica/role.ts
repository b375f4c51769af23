import type { SiteId } from '../../address/identity.js'
import type { SpaceId } from '../../store/space.js'
import type { HomeBacking } from './home-backing.js'

/** Where a replica stands in the tree of sites. */
export type ReplicaRole =
  | {
      readonly kind: 'home'
      readonly backing: HomeBacking
      readonly inGrace: () => boolean
      /** Of the disk, where the pages are: what is in memory is from there. */
      readonly space: SpaceId
      /** Where another node may take the home's place: until when, on this site's clock, it may be used here. */
      readonly lease?: { readonly validUntil: number }
    }
  | { readonly kind: 'copy'; readonly parent: SiteId }
