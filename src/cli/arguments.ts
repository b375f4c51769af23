import { InvalidArgumentError } from 'commander'
import { parseAddress } from '../address/address.js'
import type { Address } from '../address/address.js'
import { parseSize } from '../address/size-text.js'
import { KhazanaError } from '../stdx/errors.js'

/** Parsers of arguments, for commander: what they refuse is an error of usage, found before anything is done. */

export const addressArgument = asArgument<Address>(parseAddress)

/** Bytes, as in `4096`, `64KiB`, `1GiB`. */
export const sizeArgument = asArgument<number>(parseSize)

export const replicasArgument = wholeNumber(1, 2 ** 31 - 1)

/** Seconds, with a fraction if need be; the answer is milliseconds. */
export function secondsArgument(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!(seconds > 0 && seconds <= 2_000_000)) {
    throw new InvalidArgumentError('A number of seconds over 0 and up to 2000000, such as 30 or 0.5.')
  }
  return seconds * 1000
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN
    if (number >= min && number <= max) return number
    throw new InvalidArgumentError(`A whole number from ${min} to ${max}.`)
  }
}

export function asArgument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (reason) {
      if (reason instanceof KhazanaError) throw new InvalidArgumentError(`${reason.message}.`)
      throw reason
    }
  }
}
