import { defaultAttributes } from '../../address/attributes.js'
import type { RegionAttributes } from '../../address/descriptor.js'
import type { SiteId } from '../../address/identity.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { ConflictTest, MergeFunction, ProtocolDefinition } from '../../consistency/contract.js'
import type { ProtocolSection } from './protocol-section.js'

export interface WorldOptions<M> {
  readonly protocol: ProtocolDefinition<M>
  /** Names of the sites beside the home, which is `H`. Three, `A`, `B` and `C`, unless told. */
  readonly children?: readonly string[]
  /** Of the region; 4 unless told. */
  readonly pages?: number
  /** Bytes; 256 unless told: what the protocol must not mind. */
  readonly pageSize?: number
  readonly attributes?: Partial<RegionAttributes>
  readonly conflicts?: ConflictTest
  readonly merge?: MergeFunction
  /** How far the site's clocks are from the world's: `now`, and the wall clock. 0 unless told. */
  readonly clocks?: (site: string) => { readonly offsetMs: number; readonly wallOffsetMs: number }
  /** A message for a transcript; its kind and fields unless told. `nameOf` gives a site's name. */
  readonly words?: (message: M, nameOf: (site: SiteId) => string) => string
  /** Called when a section can be used, and when it is over. */
  readonly opened?: (section: ProtocolSection) => void
  readonly over?: (section: ProtocolSection) => void
}

/** What a lock is asked for with, beside mode and pages. */
export interface LockSettings {
  /** `offset` and `length` are those of the pages unless told. */
  readonly terms?: Partial<LockTerms>
}

/** Those of a world's region. */
export function regionAttributesOf<M>(options: WorldOptions<M>): RegionAttributes {
  return {
    ...defaultAttributes,
    protocol: options.protocol.name,
    merge: options.merge === undefined ? '' : 'merge',
    conflicts: options.conflicts === undefined ? '' : 'conflicts',
    ...options.attributes,
  }
}
