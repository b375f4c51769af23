import assert from 'node:assert/strict'
import type { ConsistencyVector } from '../../src/address/consistency-vector.js'
import { presets } from '../../src/address/consistency-vector.js'
import type { LockMode } from '../../src/address/lock-mode.js'
import type { LockTerms } from '../../src/address/lock-terms.js'
import type { ConflictTest, ProtocolDefinition } from '../../src/consistency/contract.js'
import { boundedWith, crewObjectsWith, releaseWith } from '../../src/consistency/copies/copies.js'
import type { CopiesMessage } from '../../src/consistency/copies/message.js'
import type { PlantedBug } from '../../src/consistency/copies/planted-bug.js'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import type { ProtocolSection } from '../../src/testing/protocol/protocol-section.js'
import { ProtocolWorld } from '../../src/testing/protocol/protocol-world.js'

export type CopiesWorld = ProtocolWorld<CopiesMessage>

export interface CopiesWorldOptions {
  readonly plantedBug?: PlantedBug
  readonly vector?: Partial<ConsistencyVector>
  readonly pages?: number
  readonly children?: readonly string[]
}

export function releaseWorld(options: CopiesWorldOptions = {}): CopiesWorld {
  return worldOf(releaseWith(options.plantedBug), presets.release, options)
}

export function boundedWorld(options: CopiesWorldOptions = {}): CopiesWorld {
  return worldOf(boundedWith(options.plantedBug), presets.bounded, options)
}

/** Locks conflict where their tags are the same, unless both read. */
export function objectsWorld(options: CopiesWorldOptions = {}): CopiesWorld {
  return worldOf(crewObjectsWith(options.plantedBug), presets.strict, options, byTag)
}

export const byTag: ConflictTest = (a, b) => a.tag === b.tag && (a.mode !== 'read' || b.mode !== 'read')

function worldOf(
  protocol: ProtocolDefinition<CopiesMessage>,
  preset: ConsistencyVector,
  { vector, pages, children }: CopiesWorldOptions,
  conflicts?: ConflictTest,
): CopiesWorld {
  return new ProtocolWorld({
    protocol,
    attributes: { consistency: { ...preset, ...vector } },
    ...(pages === undefined ? {} : { pages }),
    ...(children === undefined ? {} : { children }),
    ...(conflicts === undefined ? {} : { conflicts }),
  })
}

/** A lock, with all that has to happen for it. */
export function opened(
  world: CopiesWorld,
  site: string,
  mode: LockMode,
  page: number,
  count = 1,
  terms: Partial<LockTerms> = {},
): ProtocolSection {
  const section = world.lock(site, mode, page, count, { terms })
  world.settle()
  assert.equal(section.state, 'open', `${section.name} has its lock`)
  return section
}

/** Reads a cell under a lock of its own. */
export function seenBy(
  world: CopiesWorld,
  site: string,
  page: number,
  cell: number,
  terms: Partial<LockTerms> = {},
): number {
  const section = opened(world, site, 'read', page, 1, terms)
  const value = readCell(section, page, cell)
  world.unlock(section)
  world.settle()
  return value
}

/** Writes a cell under a lock of its own, to the end. */
export function written(
  world: CopiesWorld,
  site: string,
  mode: LockMode,
  page: number,
  cell: number,
  value: number,
  terms: Partial<LockTerms> = {},
): void {
  const section = opened(world, site, mode, page, 1, terms)
  writeCell(section, page, cell, value)
  world.unlock(section)
  world.settle()
  assert.equal(section.state, 'done')
}
