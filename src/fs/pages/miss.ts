import type { FsRegion } from './fs-region.js'

/** Pages, locked. */
export interface PagesNeed {
  readonly kind: 'pages'
  readonly region: FsRegion
  readonly first: number
  readonly count: number
  readonly mode: 'read' | 'write'
}

/** What an operation needs, and cannot have at this moment. */
export type Need =
  | PagesNeed
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
  /** What will be needed next, if all is as it was: it is asked for at the same time. */
  readonly next: PagesNeed | undefined

  constructor(need: Need, next: PagesNeed | undefined) {
    super('something is needed that is not at hand')
    this.need = need
    this.next = next
  }
}
