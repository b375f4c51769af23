import type { WatchedSite } from './snapshots.js'

/** All that is not idle, for whoever looks for the reason of a failure. */
export function describeSites(sites: readonly WatchedSite[]): string[] {
  const lines: string[] = []
  for (const { name, replicas } of sites) {
    for (const replica of replicas.all()) {
      for (const page of replica.pages()) {
        const view = replica.inspect(page)
        const children = [...view.children].map(([child, right]) => `${child}:${right}`).join(' ')
        const locks = `readers ${view.readers} writing ${view.writing} waiting ${view.waiting}`
        const region = replica.descriptor.address.toString(16)
        lines.push(
          `${name} ${region} p${page} ${replica.role.kind} valid ${replica.isValid()}: ${view.right} v${view.version} ` +
            `[${children}] ${locks} unsettled ${view.unsettled}`,
        )
      }
    }
  }
  return lines
}
