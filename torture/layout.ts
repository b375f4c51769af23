/** What is in a region: pages of one key each, first the counters and then the accounts. */
export const pageBytes = 4096
export const countersPerRegion = 2
export const accountsPerRegion = 4
export const pagesPerRegion = countersPerRegion + accountsPerRegion
/** The pages of the accounts, counted from the start of the region. */
export const accountPages: readonly number[] = Array.from(
  { length: accountsPerRegion },
  (_, index) => countersPerRegion + index,
)
/** What an account begins with. */
export const balanceAtFirst = 100
/** Transfers move it about, and never change it: what all accounts of a region have together. */
export const sumOfAccounts = accountsPerRegion * balanceAtFirst

/** A region before it is reserved. */
export interface RegionPlan {
  /** Such as `r2-n3`: of 2 replicas, reserved at the third node. */
  readonly name: string
  readonly replicas: number
  /** The number of the node, from 1. */
  readonly node: number
}

/** A region of each number of replicas at each node. */
export function planRegions(nodes: number, replicas: readonly number[]): readonly RegionPlan[] {
  return replicas.flatMap((count) =>
    Array.from({ length: nodes }, (_, index) => ({
      name: `r${count}-n${index + 1}`,
      replicas: count,
      node: index + 1,
    })),
  )
}

/** The page is counted from the start of the region. */
export function keyOf(region: string, page: number): string {
  const isCounter = page < countersPerRegion
  return `${region}/${isCounter ? `counter-${page}` : `account-${page - countersPerRegion}`}`
}

export function isCounter(key: string): boolean {
  return key.includes('/counter-')
}

export function regionOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}
