import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import { presets } from './consistency-vector.js'
import type { ConsistencySettings } from './consistency-settings.js'
import type { RegionAttributes } from './descriptor.js'
import { chooseProtocol, presetOf } from './protocol-choice.js'

export const replicasMax = 16
export const labelsMax = 64
export const labelNameCharsMax = 64
export const labelTextCharsMax = 1024
export const protocolNameCharsMax = 32
/** Of conflict tests and merge functions. */
export const functionNameCharsMax = 64

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
  /** What its users may rely on; `strict` unless told. The protocol follows from it. */
  readonly consistency?: ConsistencySettings | undefined
  /** The name of a protocol. One that is built in stands for its preset; one from outside is told the consistency. */
  readonly protocol?: string | undefined
  /** The name of a registered conflict test; an empty text is none: locks conflict where they share a page. */
  readonly conflicts?: string | undefined
  /** The name of a registered merge function, with `eventual`; an empty text is none: the later write wins. */
  readonly merge?: string | undefined
  /** On how many nodes a write is durable before `unlock` resolves. */
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
 * says what is allowed. That all that is named is registered, and that there are so many nodes, is for the node to check.
 */
export function applyChanges(attributes: RegionAttributes, changes: AttributeSettings): RegionAttributes {
  if (changes.protocol !== undefined) checkProtocolName(changes.protocol)
  const { protocol, consistency } = chooseProtocol(attributes, changes)
  const conflicts = changes.conflicts ?? attributes.conflicts
  const merge = changes.merge ?? attributes.merge
  const minReplicas = changes.minReplicas ?? attributes.minReplicas
  const labels =
    changes.labels === undefined ? attributes.labels : mergeLabels(attributes.labels, changes.labels)
  checkFunctionName(conflicts, 'a conflict test')
  checkFunctionName(merge, 'a merge function')
  checkMergeable(protocol, merge)
  checkMinReplicas(minReplicas)
  return { protocol, consistency, conflicts, merge, minReplicas, labels }
}

export function isProtocolName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= protocolNameCharsMax && /^[a-z][a-z0-9-]*$/.test(name)
}

/** Of a conflict test or a merge function. */
export function isFunctionName(name: unknown): name is string {
  return (
    typeof name === 'string' && name.length <= functionNameCharsMax && /^[A-Za-z][A-Za-z0-9._-]*$/.test(name)
  )
}

function checkProtocolName(name: string): void {
  if (isProtocolName(name)) return
  throw invalid(
    `a protocol's name is 1 to ${protocolNameCharsMax} lower-case letters, digits and "-", beginning with a letter, ` +
      `such as "crew"; ${shown(name)} is not`,
  )
}

/** Empty is none. */
function checkFunctionName(name: string, what: string): void {
  if (name === '' || isFunctionName(name)) return
  throw invalid(
    `the name of ${what} is 1 to ${functionNameCharsMax} letters, digits, ".", "_" and "-", beginning with a letter, or ` +
      `empty for none; ${shown(name)} is not`,
  )
}

/** Elsewhere every write knows of those before it, and nothing is left to merge. */
function checkMergeable(protocol: string, merge: string): void {
  const preset = presetOf(protocol)
  if (merge === '' || preset === undefined || preset === 'eventual') return
  throw invalid(
    `the merge function ${shown(merge)} would never be called with consistency '${preset}', where every write knows of ` +
      "those before it: use the consistency 'eventual', or set merge to '' as well",
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
