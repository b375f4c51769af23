declare const brand: unique symbol

/**
 * A type that must not be mixed with others of the same representation. Each brand has one parse function. A branded type can be
 * branded once more: it is both then.
 */
export type Brand<T, Name extends string> = T & { readonly [brand]: Readonly<Record<Name, true>> }
