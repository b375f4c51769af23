/*
 * What a copy and the home say to each other. Bytes of pages are not part of a message: they are attached to it, and the
 * managers never see them.
 */

/** `lock` is a number that the copy chose; `page`, `pages`, `first` are numbers of pages. */
export type ToHome =
  /** I would like to read, or to write, these pages. */
  | { readonly kind: 'read' | 'write'; readonly lock: number; readonly first: number; readonly count: number }
  /** I have written these under the lock; a patch to each is attached. */
  | { readonly kind: 'wrote'; readonly lock: number; readonly pages: readonly number[] }
  /** I have written nothing under the lock, or no longer want it. */
  | { readonly kind: 'unlock'; readonly lock: number }
  /** I have no copy of this page any more. */
  | { readonly kind: 'drop'; readonly page: number }

export type ToCopy =
  /** The lock is yours; its pages are attached, as they are now. Those that change will be sent. */
  | { readonly kind: 'granted'; readonly lock: number }
  /** What you wrote is durable. */
  | { readonly kind: 'durable'; readonly lock: number }
  /** You do not get the lock; or what you wrote never happened. */
  | { readonly kind: 'failed'; readonly lock: number; readonly code: string; readonly message: string }
  /** The page as it is now, attached. */
  | { readonly kind: 'changed'; readonly page: number }
  /** The page has no storage any more. */
  | { readonly kind: 'gone'; readonly page: number }

export type Message = ToHome | ToCopy

/** Pages that a copy may lock at once: as many as the home brings to memory at once. */
export const lockPagesMax = 64

/** For `jsonCodec`, as a peer may send anything: throws what is no message. */
export function checkMessage(value: unknown): Message {
  const message = value as Readonly<Record<string, unknown>>
  const form = forms.get(message['kind'])
  if (form === undefined) throw new Error('a kind of message that there is not')
  for (const [name, isRight] of Object.entries(form)) {
    if (!isRight(message[name])) throw new Error(`a wrong ${name}`)
  }
  return value as Message
}

type Form = Readonly<Record<string, (value: unknown) => boolean>>

const range: Form = { lock: isNumber, first: isNumber, count: isCount }

const forms: ReadonlyMap<unknown, Form> = new Map<string, Form>([
  ['read', range],
  ['write', range],
  ['wrote', { lock: isNumber, pages: (value) => Array.isArray(value) && value.every(isNumber) }],
  ['unlock', { lock: isNumber }],
  ['drop', { page: isNumber }],
  ['granted', { lock: isNumber }],
  ['durable', { lock: isNumber }],
  ['failed', { lock: isNumber, code: isText, message: isText }],
  ['changed', { page: isNumber }],
  ['gone', { page: isNumber }],
])

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < 2 ** 40
}

function isCount(value: unknown): boolean {
  return isNumber(value) && value >= 1 && value <= lockPagesMax
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}
