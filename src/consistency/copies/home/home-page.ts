import type { SiteId } from '../../../address/identity.js'
import type { PageIndex, Version } from '../../../address/page.js'

/** What the home knows of one page that is in use. */
export interface HomePage {
  readonly page: PageIndex
  /** The newest durable one. */
  version: Version
  /**
   * Who has a copy, and of which version, as far as the home has heard and once all that is on its way has arrived;
   * `noBytes`: it is not to be used, but locks that were open before may still do so.
   */
  readonly holders: Map<SiteId, number>
  /** Whether a batch has the page, from its start to the last acknowledgement. */
  isBusy: boolean
  /** Local locks held. */
  readers: number
  writers: number
  /** Local locks that wait and cover the page. */
  waiting: number
  /** Local commits of the page that are not durable. */
  commits: number
}

export function newHomePage(page: PageIndex, version: Version): HomePage {
  return { page, version, holders: new Map(), isBusy: false, readers: 0, writers: 0, waiting: 0, commits: 0 }
}

export function isIdle(page: HomePage): boolean {
  return (
    page.holders.size === 0 &&
    !page.isBusy &&
    page.readers === 0 &&
    page.writers === 0 &&
    page.waiting === 0 &&
    page.commits === 0
  )
}
