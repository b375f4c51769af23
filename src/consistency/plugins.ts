import {
  functionNameCharsMax,
  isFunctionName,
  isProtocolName,
  protocolNameCharsMax,
} from '../address/attributes.js'
import type { RegionAttributes } from '../address/descriptor.js'
import { objectsProtocol } from '../address/protocol-choice.js'
import { KhazanaError } from '../stdx/errors.js'
import { shown } from '../stdx/shown.js'
import type { AnyProtocol, ConflictTest, MergeFunction } from './contract.js'
import { bounded, crewObjects, release } from './copies/copies.js'
import { crew } from './crew/crew.js'
import { eventual } from './eventual/eventual.js'

/** What a program adds to a site. Every site that uses a region needs what the region names, and under the same names. */
export interface PluginOptions {
  /** Beside the built-in ones; of two with one name the later counts, so that a built-in one can be replaced, too. */
  readonly protocols?: readonly AnyProtocol[]
  /** By the names that regions give in their attribute `conflicts`. */
  readonly conflictTests?: Readonly<Record<string, ConflictTest>>
  /** By the names that regions give in their attribute `merge`. */
  readonly mergeFunctions?: Readonly<Record<string, MergeFunction>>
}

/** Where they are registered, for the words of errors. */
export type PluginPlace = 'node' | 'client'

type Named = Pick<RegionAttributes, 'protocol' | 'conflicts' | 'merge'>

const builtIn: readonly AnyProtocol[] = [crew, crewObjects, release, bounded, eventual]

/** The protocols, conflict tests and merge functions of one site, by name. */
export class Plugins {
  readonly #place: PluginPlace
  readonly #protocols: ReadonlyMap<string, AnyProtocol>
  readonly #conflictTests: ReadonlyMap<string, ConflictTest>
  readonly #mergeFunctions: ReadonlyMap<string, MergeFunction>

  /** The built-in ones, and these. Throws `invalid-argument` for what is no plug-in, or has no good name. */
  static of(options: PluginOptions, place: PluginPlace): Plugins {
    const { protocols = [], conflictTests = {}, mergeFunctions = {} } = options
    checkProtocols(protocols)
    return new Plugins(place, {
      protocols: new Map([...builtIn, ...protocols].map((protocol) => [protocol.name, protocol])),
      conflictTests: functionsOf(conflictTests, 'conflictTests'),
      mergeFunctions: functionsOf(mergeFunctions, 'mergeFunctions'),
    })
  }

  private constructor(
    place: PluginPlace,
    maps: {
      readonly protocols: ReadonlyMap<string, AnyProtocol>
      readonly conflictTests: ReadonlyMap<string, ConflictTest>
      readonly mergeFunctions: ReadonlyMap<string, MergeFunction>
    },
  ) {
    this.#place = place
    this.#protocols = maps.protocols
    this.#conflictTests = maps.conflictTests
    this.#mergeFunctions = maps.mergeFunctions
  }

  /** Throws `unsupported` for the first name in the attributes that nothing is registered under. */
  check(attributes: Named): void {
    this.protocolOf(attributes)
  }

  /** What keeps a region with these attributes. Throws `unsupported` where anything that they name is missing here. */
  protocolOf(attributes: Named): AnyProtocol {
    const protocol = this.#protocol(attributes)
    this.conflictTestOf(attributes)
    this.mergeFunctionOf(attributes)
    return protocol
  }

  /** Undefined where the region names none. Throws `unsupported`. */
  conflictTestOf({ conflicts }: Pick<Named, 'conflicts'>): ConflictTest | undefined {
    return conflicts === '' ? undefined : this.#named(this.#conflictTests, conflicts, conflictKind)
  }

  /** Undefined where the region names none. Throws `unsupported`. */
  mergeFunctionOf({ merge }: Pick<Named, 'merge'>): MergeFunction | undefined {
    return merge === '' ? undefined : this.#named(this.#mergeFunctions, merge, mergeKind)
  }

  /** `crew` knows pages alone: for regions with a conflict test there is another like it. */
  #protocol({ protocol, conflicts }: Named): AnyProtocol {
    const name = protocol === crew.name && conflicts !== '' ? objectsProtocol : protocol
    return this.#named(this.#protocols, name, protocolKind)
  }

  #named<T>(registered: ReadonlyMap<string, T>, name: string, { what, option }: Kind): T {
    const found = registered.get(name)
    if (found !== undefined) return found
    const place = this.#place === 'node' ? 'on this node' : 'in this client'
    const known = registered.size === 0 ? 'none' : [...registered.keys()].join(', ')
    throw new KhazanaError(
      'unsupported',
      `no ${what} ${shown(name)} is registered ${place}, which has ${known}: give it to Khazana.open or Khazana.connect ` +
        `in ${option}, or to the command in a --plugin module, at every site that uses the region`,
    )
  }
}

interface Kind {
  readonly what: string
  readonly option: keyof PluginOptions
}

const protocolKind: Kind = { what: 'protocol', option: 'protocols' }
const conflictKind: Kind = { what: 'conflict test', option: 'conflictTests' }
const mergeKind: Kind = { what: 'merge function', option: 'mergeFunctions' }

function checkProtocols(protocols: unknown): void {
  if (!Array.isArray(protocols)) throw invalid(`protocols is an array, not ${shown(protocols)}`)
  for (const protocol of protocols as unknown[]) checkProtocol(protocol)
}

function checkProtocol(protocol: unknown): void {
  if (!isRecord(protocol)) throw invalid(`a protocol is an object, not ${shown(protocol)}`)
  const { name, create, codec, writes } = protocol
  if (!isProtocolName(name)) {
    throw invalid(
      `a protocol has a name of 1 to ${protocolNameCharsMax} lower-case letters, digits and "-", beginning with a letter, ` +
        `not ${shown(name)}`,
    )
  }
  const which = `the protocol ${shown(name)}`
  if (typeof create !== 'function') throw invalid(`${which} has a function "create", not ${shown(create)}`)
  if (writes !== undefined && writes !== 'patches' && writes !== 'pages') {
    throw invalid(`${which} writes 'patches' or 'pages', not ${shown(writes)}`)
  }
  if (name === crew.name && codec === undefined) return
  if (isRecord(codec) && typeof codec['encode'] === 'function' && typeof codec['decode'] === 'function')
    return
  throw invalid(
    `${which} has a "codec" with functions "encode" and "decode", for its messages to cross the wire`,
  )
}

function functionsOf<T>(
  functions: Readonly<Record<string, T>>,
  option: keyof PluginOptions,
): ReadonlyMap<string, T> {
  if (!isRecord(functions)) {
    throw invalid(`${option} has functions by name, not ${shown(functions)}`)
  }
  const named = new Map(Object.entries(functions))
  for (const [name, found] of named) {
    if (!isFunctionName(name)) {
      throw invalid(
        `a name in ${option} is 1 to ${functionNameCharsMax} letters, digits, ".", "_" and "-", beginning with a letter; ` +
          `${shown(name)} is not`,
      )
    }
    if (typeof found !== 'function') throw invalid(`${option}.${name} is a function, not ${shown(found)}`)
  }
  return named
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(message: string): KhazanaError {
  return new KhazanaError('invalid-argument', message)
}
