import type { PageIndex } from '../../../address/page.js'
import { noBytes } from '../message.js'

/** What a child knows of one page. */
export interface ChildPage {
  readonly page: PageIndex
  /** Of the bytes here, or `noBytes`. */
  version: number
  /** Whether the home counts on this copy, at this version. Only while no answer about the page can be on its way that says otherwise. */
  isTracked: boolean
  /** Whether the home has taken the page from everybody: not for any lock, cut off or not, until the home says more of it. */
  isTakenAway: boolean
  /** On this site's clock: all that was unlocked before then is in the bytes. */
  freshAt: number
  /**
   * Copies with the same number are of one moment: what was written together is in all of them or in none. The serial of
   * the answer that brought them.
   */
  moment: number
  /** The highest serial of a lock or fetch whose answer has found these bytes to be the newest. */
  validatedBy: number
  /** What was written here is in this version: copies below are not for this site's locks. */
  floor: number
  /** The serial of the newest fetch of the page that is not answered; 0: none. */
  fetching: number
  /** Locks held, by what they may do. */
  readers: number
  writers: number
  /** Of the writers, those that have their turn at the home. */
  turns: number
  /** Local locks that wait and cover the page. */
  waiting: number
  /** This site's own commits of the page that have not ended. */
  commits: number
  /** Updates since a local lock last used the copy. */
  idleUpdates: number
}

export function newChildPage(page: PageIndex): ChildPage {
  return {
    page,
    version: noBytes,
    isTracked: false,
    isTakenAway: false,
    freshAt: -Infinity,
    moment: 0,
    validatedBy: 0,
    floor: 0,
    fetching: 0,
    readers: 0,
    writers: 0,
    turns: 0,
    waiting: 0,
    commits: 0,
    idleUpdates: 0,
  }
}

/** Whether an open lock uses the page. */
export function isLocked(page: ChildPage): boolean {
  return page.readers > 0 || page.writers > 0
}

/** Whether nothing but the bytes is at stake. */
export function isIdle(page: ChildPage): boolean {
  return !isLocked(page) && page.waiting === 0 && page.commits === 0 && page.fetching === 0
}
