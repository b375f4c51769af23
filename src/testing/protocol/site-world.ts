import type { SiteId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { CmEffect, CmOptions, MergeFunction, ProtocolDefinition } from '../../consistency/contract.js'
import type { HomeStorage } from './home-storage.js'
import type { Parcel } from './parcel-table.js'
import type { ProtocolSection } from './protocol-section.js'

/** What the sections of a site need of the world that it is part of. */
export interface SectionWorld {
  /** The next place in the order of all that happens. */
  nextOrder(): number
  /** A section can be used. */
  onOpen(section: ProtocolSection): void
  /** A section is over, in state `done`, `failed` or `unknown`. */
  onOutcome(section: ProtocolSection): void
}

/** What a site needs of the world that it is part of. Sites go by their names, but for the manager's word of one. */
export interface SiteWorld<M> extends SectionWorld {
  /** Milliseconds of true time. */
  readonly now: number
  /** `parcels` belong to the receiver. `pages`: those whose frames are the first of them. */
  send(from: string, to: SiteId, message: M, parcels: readonly Parcel[], pages: readonly PageIndex[]): void
  /** Whether the child has a session with the home, as far as it knows. */
  isConnected(child: string): boolean
  /** An effect is about to be performed. */
  onEffect(site: string, effect: CmEffect<M>): void
}

export interface SiteSettings<M> {
  readonly id: SiteId
  readonly name: string
  /** Undefined at the home. */
  readonly parent: SiteId | undefined
  /** At the home alone. */
  readonly storage: HomeStorage | undefined
  readonly protocol: ProtocolDefinition<M>
  readonly options: Omit<CmOptions, 'grace'>
  readonly merge: MergeFunction | undefined
  /** How far its clocks are from true time, in milliseconds. */
  readonly clockOffsetMs: number
  readonly wallOffsetMs: number
}
