import type { NodeId } from '../../address/identity.js'

/** One synchronisation with a backup, and the entries after it: a primary numbers those of its reign. */
export interface LinkName {
  readonly from: NodeId
  readonly reign: number
  readonly link: number
}

export function isSameLink(a: LinkName, b: LinkName): boolean {
  return a.from === b.from && a.reign === b.reign && a.link === b.link
}
