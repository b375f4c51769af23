import type { RegionAttributes } from '../address/descriptor.js'

/** Whether regions with these attributes are kept consistent in the same way. */
export function isKeptAlike(a: RegionAttributes, b: RegionAttributes): boolean {
  return a === b || how(a) === how(b)
}

function how({ protocol, consistency, conflicts, merge }: RegionAttributes): string {
  const { ms, versions } = consistency.staleness
  return JSON.stringify([protocol, consistency, String(ms), String(versions), conflicts, merge])
}
