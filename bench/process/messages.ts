/** What the bench asks of one of its processes. Every request but `end` is answered, by its id. */
export type Request =
  | { readonly kind: 'create'; readonly id: number; readonly part: string; readonly settings: unknown }
  | {
      readonly kind: 'call'
      readonly id: number
      /** The id of the request that created it. */
      readonly part: number
      readonly action: string
      readonly argument: unknown
    }
  | { readonly kind: 'end' }

export type Answer =
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  | {
      readonly kind: 'failed'
      readonly id: number
      readonly message: string
      /** Of a `KhazanaError`. */
      readonly code: string | undefined
    }
