import type { Brand } from '../stdx/brand.js'

/** A place in global memory: 0 to 2^128 - 1. */
export type Address = Brand<bigint, 'Address'>
