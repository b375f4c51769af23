import { plainTerms } from '../../../address/lock-terms.js'
import type { LockMode } from '../../../address/lock-mode.js'
import type { LockTerms } from '../../../address/lock-terms.js'
import type { ProtocolDefinition } from '../../../consistency/contract.js'
import { readCell, writeCell } from '../cells.js'
import { demand } from '../contract-violation.js'
import { Patience } from '../patience.js'
import { attributesOf } from '../protocol-claims.js'
import type { ProtocolClaims } from '../protocol-claims.js'
import type { ProtocolSection } from '../protocol-section.js'
import { ProtocolWorld } from '../protocol-world.js'
import type { WorldOptions } from '../world-options.js'

/** A short story that every protocol with such claims has to bring to a good end. */
export interface Scene {
  /** A sentence about behaviour. */
  readonly name: string
  /** Whether it says anything of protocols with such claims; of all, unless told. */
  readonly isFor?: (claims: ProtocolClaims) => boolean
  play<M>(stage: Stage<M>): void
}

/** The scene, with its types. */
export function scene(one: Scene): Scene {
  return one
}

/** A protocol, what it claims, and a world of a home and three children in which to see it. */
export class Stage<M> {
  readonly protocol: ProtocolDefinition<M>
  readonly claims: ProtocolClaims
  readonly world: ProtocolWorld<M>

  constructor(
    protocol: ProtocolDefinition<M>,
    claims: ProtocolClaims,
    options: Partial<WorldOptions<M>> = {},
  ) {
    this.protocol = protocol
    this.claims = claims
    this.world = new ProtocolWorld({ attributes: attributesOf(claims), ...options, protocol })
  }

  /** Whether a lock of the mode can be had, and used, while the home cannot be reached. */
  isFree(mode: LockMode): boolean {
    return !this.world.site('A').manager.needsLease(mode, plainTerms)
  }

  /** Asks for a lock and waits for it. */
  open(
    site: string,
    mode: LockMode,
    page: number,
    count = 1,
    terms: Partial<LockTerms> = {},
  ): ProtocolSection {
    const section = this.world.lock(site, mode, page, count, { terms })
    this.until(
      `${site} gets its lock to ${mode} page ${page}`,
      () => section.state !== 'waiting' && section.state !== 'granted',
    )
    demand(
      section.state === 'open',
      `${site} is refused its lock to ${mode} page ${page}: ${section.failure?.message ?? ''}`,
    )
    return section
  }

  /** Ends an open section well. */
  close(section: ProtocolSection): void {
    this.world.unlock(section)
    this.until(`the unlock of ${section.name} resolves`, () => section.isOver)
    demand(section.state === 'done', `the unlock of ${section.name} fails: ${section.failure?.message ?? ''}`)
  }

  /** A section that writes one cell, which ends well. */
  write(site: string, page: number, cell: number, value: number, mode: LockMode = 'write'): void {
    const section = this.open(site, mode, page)
    writeCell(section, page, cell, value)
    this.close(section)
  }

  /** What a section sees; where reads may be stale, it demands the newest. */
  read(site: string, page: number, cell: number): number {
    const section = this.open(site, 'read', page, 1, { staleness: { ms: 0, versions: 0 } })
    const value = readCell(section, page, cell)
    this.close(section)
    return value
  }

  /** The site sees the value: at once where that is claimed, else after some time. */
  sees(site: string, page: number, cell: number, value: number): void {
    const first = this.read(site, page, cell)
    if (this.claims.reads !== 'eventual') {
      demand(
        first === value,
        `${site} sees ${first} in cell ${cell} of page ${page}, where ${value} was written`,
      )
    } else {
      this.until(
        `${site} sees ${value} in cell ${cell} of page ${page}`,
        () => this.read(site, page, cell) === value,
      )
    }
  }

  /** All sites see the value. */
  allSee(page: number, cell: number, value: number): void {
    for (const { name } of this.world.sites) this.sees(name, page, cell, value)
  }

  /** All happens that there is to do, for as long as it takes to come true. */
  until(what: string, isTrue: () => boolean): void {
    const patience = new Patience(this.world)
    this.world.settle()
    while (!isTrue()) patience.wait(() => `it never comes to it that ${what}`)
  }

  /** The page is freed, and has no storage. */
  free(page: number): void {
    const seizure = this.world.seize(page)
    this.until(`page ${page} can be freed`, () => seizure.state !== 'waiting' && seizure.state !== 'granted')
    demand(seizure.state === 'open', `page ${page} cannot be freed: ${seizure.failure?.message ?? ''}`)
    this.world.free(seizure)
    this.world.settle()
  }

  /** The home has died; the children, but for some, come back, and the rights of before end. */
  recover(missing: readonly string[] = []): void {
    const { world } = this
    for (const { name } of world.sites.slice(1)) {
      world.childNotices(name)
      if (!missing.includes(name)) world.connect(name)
    }
    world.settle()
    world.endGrace()
    world.settle()
  }
}
