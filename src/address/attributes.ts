import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { presets } from './consistency-vector.js'
import type { RegionAttributes } from './descriptor.js'

export const replicasMax = 16
export const labelsMax = 64
export const labelNameCharsMax = 64
export const labelTextCharsMax = 1024
export const protocolNameCharsMax = 32

/** What a region has where its user does not say otherwise. */
export const defaultAttributes: RegionAttributes = Object.freeze({
  protocol: 'crew',
  consistency: presets.strict,
  conflicts: '',
  merge: '',
  minReplicas: 1,
  labels: Object.freeze({}),
})

/** What to set; the rest stays as it is. */
export interface AttributeSettings {
  readonly protocol?: string | undefined
  readonly minReplicas?: number | undefined
  /** By name; an empty text removes the label. */
  readonly labels?: Readonly<Record<string, string>> | undefined
}

/** The attributes of a new region: the settings over the defaults. Throws `invalid-argument`, as `applyChanges`. */
export function checkAttributes(settings: AttributeSettings): RegionAttributes {
  return applyChanges(defaultAttributes, settings)
}

/**
 * The attributes as changed by the settings, all checked; neither argument is touched. Throws `invalid-argument`, which
 * says what is allowed. That the protocol is registered, and that there are so many nodes, is for the node to check.
 */
export function applyChanges(attributes: RegionAttributes, changes: AttributeSettings): RegionAttributes {
  const protocol = changes.protocol ?? attributes.protocol
  const minReplicas = changes.minReplicas ?? attributes.minReplicas
  const labels =
    changes.labels === undefined ? attributes.labels : mergeLabels(attributes.labels, changes.labels)
  checkProtocolName(protocol)
  checkMinReplicas(minReplicas)
  return { ...attributes, protocol, minReplicas, labels }
}

function checkProtocolName(name: string): void {
  if (typeof name === 'string' && name.length <= protocolNameCharsMax && /^[a-z][a-z0-9-]*$/.test(name))
    return
  throw invalid(
    `a protocol's name is 1 to ${protocolNameCharsMax} lower-case letters, digits and "-", beginning with a letter, ` +
      `such as "crew"; ${shown(name)} is not`,
  )
}

function checkMinReplicas(count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= replicasMax) return
  throw invalid(`minReplicas is a whole number from 1 to ${replicasMax}, not ${shown(count)}`)
}

function checkIsRecord(labels: unknown): void {
  if (typeof labels === 'object' && labels !== null && !Array.isArray(labels)) return
  throw invalid(`labels are texts by name, such as { owner: "mail" }, not ${shown(labels)}`)
}

/** No name that begins like `__proto__` can pass, so that labels may be plain objects. */
function checkLabelName(name: string): void {
  if (name.length <= labelNameCharsMax && /^[A-Za-z][A-Za-z0-9._/-]*$/.test(name)) return
  throw invalid(
    `a label's name is 1 to ${labelNameCharsMax} letters, digits, ".", "_", "/" and "-", beginning with a letter; ` +
      `${shown(name)} is not`,
  )
}

function checkLabelText(name: string, text: string): void {
  if (typeof text !== 'string') throw invalid(`the label ${shown(name)} has a text, not ${shown(text)}`)
  if (text.length > labelTextCharsMax) {
    throw invalid(`the label ${shown(name)} has at most ${labelTextCharsMax} characters, not ${text.length}`)
  }
  // UTF-8 has no half of a surrogate pair: it would come back as another text.
  if (/\p{Surrogate}/u.test(text)) throw invalid(`the label ${shown(name)} holds half of a surrogate pair`)
}

function mergeLabels(
  labels: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  checkIsRecord(changes)
  const merged = new Map(Object.entries(labels))
  for (const [name, text] of Object.entries(changes)) {
    // Before the map is made an object, which `__proto__` would not survive.
    checkLabelName(name)
    checkLabelText(name, text)
    if (text === '') merged.delete(name)
    else merged.set(name, text)
  }
  if (merged.size > labelsMax) throw invalid(`a region has at most ${labelsMax} labels, not ${merged.size}`)
  return Object.fromEntries(merged)
}

function invalid(message: string): KhazanaError {
  return new KhazanaError('invalid-argument', message)
}
