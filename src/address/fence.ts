import { KhazanaError } from '../stdx/errors.js'

/*
 * A fence, the number that a lock context carries for systems outside: 63 bits, so that it fits a signed integer of 64 bits.
 *
 *   bit 62..43  era    of the region: 1 to 2^20 - 1; one higher with each move, each change of protocol, each new primary
 *   bit 42..0   count  within the era: 1 to 2^43 - 1
 *
 * The era comes first, so that whoever serves a new one may count from the beginning, without having heard of the last one's end.
 */

const countBits = 43n
export const fenceCountMax = 2 ** 43 - 1
export const fenceEraMax = 2 ** 20 - 1

/** What one site knows of the counting in an era of a region. `used` <= `limit`, but where what they come from has begun anew. */
export interface FenceMark {
  /** Counts up to this may have been given to a context. */
  readonly used: number
  /** Counts up to this may be given, without asking again. */
  readonly limit: number
}

/** Throws `unsupported` for an era that does not fit. */
export function fenceOf(era: number, count: number): bigint {
  if (era > fenceEraMax) {
    throw new KhazanaError(
      'unsupported',
      `a region has fences in its first ${fenceEraMax} eras, and this is era ${era}: reserve another region for the lock`,
    )
  }
  return (BigInt(era) << countBits) | BigInt(count)
}
