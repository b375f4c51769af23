/** Local storage, as the layers above see it. */
export type {
  CommitDone,
  CommitGroup,
  MetadataPut,
  PageDamage,
  PageMend,
  PageWrite,
  RangeFree,
} from './commit-group.js'
export type { Damage, PagePlace, Store, StoredPage, StoreLimits, StoreOptions } from './store-contract.js'
export { damageAcceptedKey } from './store-contract.js'
export { openStore } from './open-store.js'
export { type SpaceId, spaceId, spaceIdMax } from './space.js'
