import { KhazanaError } from '../stdx/errors.js'
import type { ProtocolDefinition } from './contract.js'

/** The protocols that regions may name. */
export class ProtocolRegistry {
  readonly #protocols = new Map<string, ProtocolDefinition>()

  /** Of two with one name the later counts. */
  constructor(protocols: readonly ProtocolDefinition[]) {
    for (const protocol of protocols) this.#protocols.set(protocol.name, protocol)
  }

  has(name: string): boolean {
    return this.#protocols.has(name)
  }

  /** Throws `unsupported`. */
  get(name: string): ProtocolDefinition {
    const found = this.#protocols.get(name)
    if (found === undefined) {
      const known = [...this.#protocols.keys()].join(', ')
      throw new KhazanaError('unsupported', `no protocol "${name}" is registered here: there is ${known}`)
    }
    return found
  }
}
