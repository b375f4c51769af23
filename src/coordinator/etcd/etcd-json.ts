import { KhazanaError } from '../../stdx/errors.js'
import { shown } from '../../stdx/shown.js'
import type { Revision } from '../coordinator.js'

/*
 * How etcd's gateway writes protocol buffers: names with underscores, numbers of 64 bits as texts, bytes in base64, and what is zero,
 * false or empty not at all. What is read is checked here: all of these throw `protocol-error`.
 */

export type Fields = Readonly<Record<string, unknown>>

export function fieldsOf(value: unknown): Fields {
  if (value === undefined) return {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw strange('an object', value)
}

export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value
  throw strange('a list', value)
}

export function textOf(value: unknown): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  throw strange('a text', value)
}

export function flagOf(value: unknown): boolean {
  if (value === undefined || value === false) return false
  if (value === true) return true
  throw strange('true or false', value)
}

/** A whole number, as a text or not, that fits into a number of the language. */
export function numberOf(value: unknown): number {
  if (value === undefined) return 0
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number
  throw strange('a whole number', value)
}

export function revisionOf(value: unknown): Revision {
  const number = numberOf(value)
  if (number >= 1) return number as Revision
  throw strange('a revision', value)
}

/** The moment of an answer. */
export function revisionOfAnswer(answer: Fields): Revision {
  return revisionOf(fieldsOf(answer['header'])['revision'])
}

export function bytesOf(value: unknown): Uint8Array {
  const text = textOf(value)
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch (cause) {
    throw new KhazanaError('protocol-error', 'etcd said something that is not base64', { cause })
  }
}

export function base64Of(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

/** Keys are ASCII. */
export function keyText(value: unknown): string {
  return String.fromCharCode(...bytesOf(value))
}

export function parseJson(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new KhazanaError('protocol-error', `etcd said ${shown(text)}, which is no JSON`, { cause })
  }
  return fieldsOf(value)
}

function strange(wanted: string, value: unknown): KhazanaError {
  return new KhazanaError('protocol-error', `etcd said ${shown(value)} where ${wanted} belongs`)
}
