/** A question to the node that keeps the embedded coordinator, and its answer: src/coordinator says what each means. */

export interface CoordinatorEntry {
  readonly key: string
  readonly value: Uint8Array
  readonly modified: number
  readonly lease: string | undefined
}

export type CoordinatorCondition =
  | { readonly kind: 'absent'; readonly key: string }
  | { readonly kind: 'unchanged'; readonly key: string; readonly modified: number }

export interface CoordinatorPut {
  readonly key: string
  readonly value: Uint8Array
  readonly lease: string | undefined
}

export interface CoordinatorChanges {
  readonly revision: number
  readonly puts: readonly CoordinatorEntry[]
  readonly deletes: readonly string[]
}

export type CoordinatorQuestion =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'list'; readonly prefix: string }
  | {
      readonly kind: 'transact'
      readonly conditions: readonly CoordinatorCondition[]
      readonly puts: readonly CoordinatorPut[]
      readonly deletes: readonly string[]
    }
  | { readonly kind: 'grant'; readonly ttlMs: number }
  | { readonly kind: 'keep-alive'; readonly lease: string }
  | { readonly kind: 'revoke'; readonly lease: string }
  | { readonly kind: 'changes'; readonly prefix: string; readonly from: number; readonly waitMs: number }

export type CoordinatorAnswer =
  | { readonly kind: 'entry'; readonly entry: CoordinatorEntry | undefined; readonly revision: number }
  | { readonly kind: 'entries'; readonly entries: readonly CoordinatorEntry[]; readonly revision: number }
  | { readonly kind: 'applied'; readonly revision: number }
  | { readonly kind: 'refused'; readonly revision: number }
  | { readonly kind: 'no-lease' }
  | { readonly kind: 'granted'; readonly lease: string; readonly ttlMs: number }
  | { readonly kind: 'alive' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'news'; readonly news: readonly CoordinatorChanges[]; readonly next: number }
  | { readonly kind: 'compacted'; readonly revision: number }
