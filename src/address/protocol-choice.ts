import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { resolveVector } from './consistency-settings.js'
import type { ConsistencySettings } from './consistency-settings.js'
import { nearestPreset, presets } from './consistency-vector.js'
import type { ConsistencyPreset, ConsistencyVector } from './consistency-vector.js'

/** Which protocol keeps a region, and what consistency is asked of it. */
export interface ProtocolChoice {
  readonly protocol: string
  readonly consistency: ConsistencyVector
}

/** Either settles the other, unless the protocol is none of the built-in ones, which are each made for one preset. */
export interface ProtocolWish {
  /** The name of a protocol. */
  readonly protocol?: string | undefined
  readonly consistency?: ConsistencySettings | undefined
}

/** What `crew` becomes in a region that names a conflict test; not for users to name. */
export const objectsProtocol = 'crew-objects'

const protocolOfPreset = Object.freeze({
  strict: 'crew',
  release: 'release',
  bounded: 'bounded',
  eventual: 'eventual',
} satisfies Record<ConsistencyPreset, string>)

/** The built-in protocol that serves the vector. */
export function protocolFor(vector: ConsistencyVector): string {
  return protocolOfPreset[nearestPreset(vector)]
}

/** The preset that the built-in protocol is made for; undefined for a protocol from outside. */
export function presetOf(protocol: string): ConsistencyPreset | undefined {
  const found = Object.entries(protocolOfPreset).find(([, name]) => name === protocol)
  return found?.[0] as ConsistencyPreset | undefined
}

/**
 * What the wish makes of the choice so far. A protocol from outside keeps whatever consistency there is, or is asked for:
 * what it makes of that is its affair. It stays where single settings change, and goes where a preset is named instead.
 * Throws `invalid-argument` for what cannot be, and where protocol and consistency contradict each other.
 */
export function chooseProtocol(before: ProtocolChoice, wish: ProtocolWish): ProtocolChoice {
  const { protocol, consistency } = wish
  if (protocol === undefined) return consistency === undefined ? before : byConsistency(before, consistency)
  if (protocol === objectsProtocol) throw namedObjects()
  const preset = presetOf(protocol)
  if (preset === undefined) {
    return { protocol, consistency: resolveVector(consistency ?? {}, before.consistency) }
  }
  const isServed = protocolFor(before.consistency) === protocol
  const vector = resolveVector(consistency ?? {}, isServed ? before.consistency : presets[preset])
  if (protocolFor(vector) !== protocol) throw contradiction(protocol, preset, vector)
  return { protocol, consistency: vector }
}

function byConsistency(before: ProtocolChoice, settings: ConsistencySettings): ProtocolChoice {
  const consistency = resolveVector(settings, before.consistency)
  const isPreset = typeof settings === 'string' || settings.preset !== undefined
  const isOutside = presetOf(before.protocol) === undefined
  return { protocol: isOutside && !isPreset ? before.protocol : protocolFor(consistency), consistency }
}

function contradiction(protocol: string, preset: ConsistencyPreset, vector: ConsistencyVector): KhazanaError {
  const other = protocolFor(vector)
  return new KhazanaError(
    'invalid-argument',
    `protocol '${protocol}' cannot go with consistency '${nearestPreset(vector)}': it keeps consistency '${preset}', and ` +
      `protocol '${other}' the other. Give consistency alone, and the protocol follows`,
  )
}

function namedObjects(): KhazanaError {
  return new KhazanaError(
    'invalid-argument',
    `protocol ${shown(objectsProtocol)} is what 'crew' becomes where a region names a conflict test: name the test ` +
      'in conflicts, and leave protocol out',
  )
}
