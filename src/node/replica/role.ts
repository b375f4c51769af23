import type { SiteId } from '../../address/identity.js'
import type { HomeBacking } from './home-backing.js'

/** Where a replica stands in the tree of sites. */
export type ReplicaRole =
  | { readonly kind: 'home'; readonly backing: HomeBacking; readonly inGrace: () => boolean }
  | { readonly kind: 'copy'; readonly parent: SiteId }
