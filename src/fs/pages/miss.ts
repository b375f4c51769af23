import type { FsRegion } from './fs-region.js'

/** What an operation needs, and cannot have at this moment. */
export type Need =
  | {
      readonly kind: 'pages'
      readonly region: FsRegion
      readonly first: number
      readonly count: number
      readonly mode: 'read' | 'write'
    }
  /** Storage. */
  | { readonly kind: 'storage'; readonly region: FsRegion; readonly first: number; readonly count: number }
  /** Where the region is. */
  | { readonly kind: 'region'; readonly region: FsRegion }
  /** Anything else; rejects with what the operation fails with. */
  | { readonly kind: 'call'; readonly call: () => Promise<void> }

/** Thrown by an operation that is to be run again, from its beginning, when it can have what it needs. */
export class Miss extends Error {
  override readonly name = 'Miss'
  readonly need: Need

  constructor(need: Need) {
    super('something is needed that is not at hand')
    this.need = need
  }
}
