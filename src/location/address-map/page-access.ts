/**
 * How the algorithms of the address map reach its pages. Pages are read under locks, which takes time; so an algorithm
 * is a generator that yields the page it needs and is sent that page's bytes. Whoever drives it waits, it never does.
 */
export interface PageRead {
  /** Counted from the start of the map's region. */
  readonly page: number
}

/** The bytes that are sent are never written to; they must not change before the generator has ended. */
export type Reading<T> = Generator<PageRead, T, Uint8Array>

/**
 * What the owner does to a page, durably and under the page's lock, before it goes on to the next one. A released page
 * is no longer part of the map: its storage may be freed, or left as it is.
 */
export type PageWrite =
  | { readonly kind: 'write'; readonly page: number; readonly bytes: Uint8Array }
  | { readonly kind: 'release'; readonly page: number }
