import type { FaultPlan } from '../../src/testing/index.js'

/**
 * Slow disks under machines that lose their power: what is shared, or acknowledged, before it is durable gets lost. With
 * faults drawn from the seed alone such a moment is rare.
 */
export const powerCuts: FaultPlan = {
  rates: { 'power-off': { gapMs: 800, lastsMs: 20 }, 'slow-disk': { gapMs: 20, lastsMs: 20_000 } },
  machinesDownMax: 1,
  slownessMax: 300,
}

/** The same of two machines at a time, so that a page may be on neither disk that has it in memory. */
export const doublePowerCuts: FaultPlan = {
  rates: { 'power-off': { gapMs: 300, lastsMs: 20 }, 'slow-disk': { gapMs: 20, lastsMs: 20_000 } },
  machinesDownMax: 2,
  slownessMax: 300,
}

/** Sites that cannot be told in time what has changed. */
export const partitions: FaultPlan = {
  rates: { partition: { gapMs: 300, lastsMs: 1000 }, pause: { gapMs: 1000, lastsMs: 1000 } },
  machinesDownMax: 1,
  slownessMax: 300,
}

/** Links that carry nothing in one direction, while commits take long. */
export const oneWays: FaultPlan = {
  rates: { 'one-way': { gapMs: 200, lastsMs: 700 }, 'slow-disk': { gapMs: 50, lastsMs: 20_000 } },
  machinesDownMax: 1,
  slownessMax: 100,
}

/** Commits that fail, while their authors cannot be told. */
export const fullDisks: FaultPlan = {
  rates: { 'disk-full': { gapMs: 200, lastsMs: 500 }, partition: { gapMs: 300, lastsMs: 1000 } },
  machinesDownMax: 1,
  slownessMax: 100,
}

/** Pages that are damaged, and have to be read from the disk. */
export const rottenDisks: FaultPlan = {
  rates: { 'bit-rot': { gapMs: 100, lastsMs: 1 }, crash: { gapMs: 1500, lastsMs: 100 } },
  machinesDownMax: 1,
  slownessMax: 1,
}
