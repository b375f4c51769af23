import { KhazanaError } from './errors.js'
import { shown } from './shown.js'

/*
 * Checks of what callers without types, or with wrong ones, may pass. Each takes anything, and throws
 * `invalid-argument` with words on what is wanted.
 */

export function checkObject(value: unknown, what: string): void {
  if (typeof value !== 'object' || value === null) throw invalid(what, 'an object', value)
}

export function checkText(value: unknown, what: string): void {
  if (typeof value !== 'string') throw invalid(what, 'a text', value)
}

export function checkBytes(value: unknown, what: string): void {
  if (!(value instanceof Uint8Array)) throw invalid(what, 'a Uint8Array', value)
}

export function checkOneOf(value: unknown, allowed: readonly string[], what: string): void {
  if (typeof value === 'string' && allowed.includes(value)) return
  throw invalid(what, allowed.map((one) => `'${one}'`).join(' or '), value)
}

/** `undefined` is none. */
export function checkSignal(value: unknown): void {
  if (value === undefined || value instanceof AbortSignal) return
  throw invalid('signal', 'an AbortSignal', value)
}

function invalid(what: string, wanted: string, value: unknown): KhazanaError {
  return new KhazanaError('invalid-argument', `${what} must be ${wanted}, not ${shown(value)}`)
}
