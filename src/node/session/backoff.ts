import type { Random } from '../../io/random.js'

const firstMs = 20
export const backoffMaxMs = 2000

/**
 * How long to wait before attempt number `attempt + 1`: between half of a span and the whole of it, so that many who
 * lost the same peer do not return together. The span doubles with each attempt from 20 ms to 2 s.
 */
export function backoffMs(attempt: number, random: Random): number {
  const spanMs = Math.min(backoffMaxMs, firstMs * 2 ** Math.min(attempt - 1, 16))
  return spanMs * (0.5 + random.uint32() / 2 ** 33)
}
