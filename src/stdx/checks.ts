import { KhazanaError } from './errors.js'
import { shown } from './shown.js'

/*
 * Checks of what callers without types, or with wrong ones, may pass. Each takes anything, and throws
 * `invalid-argument` with words on what is wanted.
 */

export function checkObject(value: unknown, what: string): void {
  if (typeof value !== 'object' || value === null) throw invalid(what, 'an object', value)
}

/** Only these names: a slip of the pen would otherwise be taken for nothing said. */
export function checkNames(value: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue
    throw new KhazanaError(
      'invalid-argument',
      `${what} has no setting ${shown(name)}: there is ${known.join(', ')}`,
    )
  }
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
