import type { Entry, LeaseId } from '../coordinator.js'
import { base64Of, bytesOf, fieldsOf, keyText, revisionOf, textOf } from './etcd-json.js'
import type { Fields } from './etcd-json.js'
import { KhazanaError } from '../../stdx/errors.js'

/** Keys of ours within an etcd that others may use too: theirs, behind a prefix of our own. */
export class EtcdKeys {
  readonly #namespace: string

  /** Not empty, printable ASCII. */
  constructor(namespace: string) {
    this.#namespace = namespace
  }

  /** As etcd takes it. */
  key(key: string): string {
    return encode(this.#namespace + key)
  }

  /** All keys that begin so: from the first one, to before the second one. */
  range(prefix: string): { readonly key: string; readonly range_end: string } {
    const first = this.#namespace + prefix
    // Characters are ASCII and not the last one of it, so that there is always a next one.
    const last = String.fromCharCode(first.charCodeAt(first.length - 1) + 1)
    return { key: encode(first), range_end: encode(first.slice(0, -1) + last) }
  }

  /** The first key behind that one. */
  keyAfter(key: string): string {
    return encode(`${this.#namespace}${key}\0`)
  }

  entryOf(value: unknown): Entry {
    const fields = fieldsOf(value)
    const lease = textOf(fields['lease'])
    return {
      key: this.keyOf(fields),
      value: bytesOf(fields['value']),
      modified: revisionOf(fields['mod_revision']),
      lease: lease === '' || lease === '0' ? undefined : (lease as LeaseId),
    }
  }

  keyOf(fields: Fields): string {
    const key = keyText(fields['key'])
    if (key.startsWith(this.#namespace)) return key.slice(this.#namespace.length)
    throw new KhazanaError('protocol-error', 'etcd tells of a key that was not asked for')
  }
}

function encode(key: string): string {
  return base64Of(new TextEncoder().encode(key))
}
