declare const brand: unique symbol

/** A type that must not be mixed with others of the same representation. Each brand has one parse function. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }
