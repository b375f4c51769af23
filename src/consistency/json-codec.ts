import { KhazanaError } from '../stdx/errors.js'
import type { MessageCodec } from './contract.js'

/**
 * Messages as JSON: for protocols whose author has better things to do than to lay out bytes. `check` gets whatever a peer
 * sent, and returns it as a message, or throws anything at all for what is none. Messages hold what JSON can: an absent
 * field is better than one that is `undefined`, and `Infinity` and bytes do not survive.
 */
export function jsonCodec<M>(check: (value: unknown) => M): MessageCodec<M> {
  return {
    encode: (message) => new TextEncoder().encode(JSON.stringify(message)),
    decode: (bytes) => {
      try {
        const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
        return check(JSON.parse(text))
      } catch (cause) {
        if (cause instanceof KhazanaError && cause.code === 'protocol-error') throw cause
        const reason = cause instanceof Error ? cause.message : String(cause)
        throw new KhazanaError('protocol-error', `not a message of this protocol: ${reason}`, { cause })
      }
    },
  }
}
