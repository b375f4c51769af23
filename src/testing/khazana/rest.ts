import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { PageIndex } from '../../address/page.js'
import type { Replica } from '../../node/replica/replica.js'
import { describeOperation } from '../history.js'
import type { Operation } from '../history.js'
import { checkConvergence } from '../protocol/convergence.js'
import type { ReplicaContent } from '../protocol/convergence.js'
import type { Place } from './place.js'
import { readCell } from './cell.js'
import type { ByteSource } from './cell.js'
import { missingElements } from './set-judgement.js'
import type { WatchedSite } from './snapshots.js'

/** When nothing is on the way any more: copies that are not what their home has; one line each. */
export function differentCopies(sites: readonly WatchedSite[], places: readonly Place[]): readonly string[] {
  const found: string[] = []
  for (const region of new Set(places.map(({ region }) => region))) {
    const home = homeOf(sites, region)
    if (home === undefined) continue
    for (const { name, replicas } of sites) {
      const replica = replicas.get(region)
      if (replica === undefined || replica === home) continue
      for (const page of replica.pages()) {
        const [theirs, ours] = [home.frameBytes(page), replica.frameBytes(page)]
        if (theirs === undefined || ours === undefined || replica.inspect(page).right === 'none') continue
        const at = ours.findIndex((byte, index) => byte !== theirs[index])
        if (at < 0) continue
        found.push(
          `${name} has other bytes than the home from byte ${at} on, in page ${page} of ${formatAddress(region)}: ` +
            `version ${replica.inspect(page).version}, at home ${home.inspect(page).version}`,
        )
      }
    }
  }
  return found
}

/**
 * Whether regions that promise no more than that all sites come to agree have done so, and on something that may be: one line
 * for each key for which not. Writes that were lost with their process must be of unknown outcome in the history.
 */
export function disagreementsAtRest(
  sites: readonly WatchedSite[],
  places: readonly Place[],
  history: readonly Operation[],
): readonly string[] {
  return places
    .filter(({ pledge }) => pledge.reads === 'eventual')
    .flatMap((place) => {
      const operations = history.filter(({ key }) => key === place.cell.key)
      return disagreementsAt(place, contentsAt(sites, place), operations)
    })
}

function disagreementsAt(
  { cell }: Place,
  contents: readonly ReplicaContent[],
  history: readonly Operation[],
): readonly string[] {
  const [first] = contents
  if (first === undefined) return []
  const found = first.values.get(cell.key) ?? null
  if (cell.form.kind === 'set') {
    const other = contents.find(({ values }) => values.get(cell.key) !== found)
    if (other !== undefined)
      return [`${cell.key}: ${first.site} and ${other.site} have different sets at rest`]
    return missingElements(found, history).map(
      (one) => `${cell.key} lacks, at rest: ${describeOperation(one)}`,
    )
  }
  const verdict = checkConvergence(contents, history, 'causal')
  return verdict.kind === 'ok' ? [] : [`${verdict.key} at rest: ${verdict.explanation}`]
}

function contentsAt(sites: readonly WatchedSite[], { region, cell, pageSize }: Place): ReplicaContent[] {
  const contents: ReplicaContent[] = []
  for (const { name, replicas } of sites) {
    const replica = replicas.get(region)
    const source = replica === undefined ? undefined : framesOf(replica, cell.slots, pageSize)
    if (source !== undefined)
      contents.push({ site: name, values: new Map([[cell.key, readCell(source, cell)]]) })
  }
  return contents
}

/** Undefined where not all are in memory. */
function framesOf(replica: Replica, slots: Place['cell']['slots'], pageSize: number): ByteSource | undefined {
  const pageAt = (offset: number): PageIndex => Math.floor(offset / pageSize) as PageIndex
  if (slots.some(({ offset }) => replica.frameBytes(pageAt(offset)) === undefined)) return undefined
  return {
    read: (offset, length) => {
      const start = offset % pageSize
      return replica.frameBytes(pageAt(offset))?.slice(start, start + length) ?? new Uint8Array(length)
    },
  }
}

function homeOf(sites: readonly WatchedSite[], region: Address): Replica | undefined {
  for (const { replicas } of sites) {
    const replica = replicas.get(region)
    if (replica?.role.kind === 'home') return replica
  }
  return undefined
}
