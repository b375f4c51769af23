import { KhazanaError } from '../../src/stdx/errors.js'
import type { ProtocolDefinition } from '../../src/consistency/contract.js'

/** A protocol as a program might register it, for tests in which no region of it is ever used. */
export function outsideProtocol(name: string): ProtocolDefinition<string> {
  return {
    name,
    codec: {
      encode: (message) => new TextEncoder().encode(message),
      decode: (bytes) => new TextDecoder().decode(bytes),
    },
    create: () => {
      throw new KhazanaError('internal', 'a protocol that no test may run was run')
    },
  }
}
