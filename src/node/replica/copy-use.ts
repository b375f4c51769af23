import type { PageIndex } from '../../address/page.js'
import type { RegionDescriptor } from '../../address/descriptor.js'
import type { Engine } from './engine.js'
import type { FrameTable } from './frame-table.js'
import type { LockDesk } from './lock-desk.js'

/** Pages that one copy gives up in one turn of the event loop. */
const givenUpMax = 4096

/** A replica, as far as it shows whether it is in use. */
export interface UsedCopy {
  readonly descriptor: () => RegionDescriptor
  readonly frames: FrameTable
  readonly desk: () => LockDesk
  readonly engine: () => Engine
  readonly hasOpenLocks: () => boolean
  /** Whether somebody waits for it to come to rest. */
  readonly isToRest: () => boolean
  /** Asks the manager for the page, and tells the parent what that needs to know. */
  readonly mayEvict: (page: PageIndex) => boolean
}

/**
 * What a copy needs its parent for. A session with the parent lasts as long as that; a copy that was not used for a while
 * gives up what it has, so that nothing holds the session any more.
 */
export class CopyUse {
  readonly #copy: UsedCopy

  constructor(copy: UsedCopy) {
    this.#copy = copy
  }

  /** Whether a lock is open or waits, or something is on its way to the home. */
  get isBusy(): boolean {
    const { hasOpenLocks, desk, isToRest, engine } = this.#copy
    const { commits, manager } = engine()
    return hasOpenLocks() || !desk().isEmpty || isToRest() || commits.openCommits > 0 || !manager.isQuiet()
  }

  /** Without a session with the parent: whether that must come back by itself. */
  get needsParent(): boolean {
    if (this.isBusy) return true
    const { engine, frames } = this.#copy
    const { manager, writes } = engine()
    // In `crew` the rights went with the session, and nothing of the pages can be used.
    if (writes !== undefined && !frames.isEmpty) return true
    for (const page of manager.pages()) if (manager.inspect(page).waiting > 0) return true
    return false
  }

  /**
   * Gives up all that is here, if nobody uses it; else perhaps a part. Answers whether nothing is left. What clients of this
   * node hold of it counts as in use, and so do copies that are to be of use while the home cannot be reached.
   */
  giveUp(): boolean {
    if (this.isBusy) return false
    const { descriptor, engine, frames, mayEvict } = this.#copy
    const { manager } = engine()
    const pages = [...manager.pages()]
    if (descriptor().attributes.consistency.failure !== 'refuse') return pages.length === 0
    for (const [index, page] of pages.entries()) {
      if (index === givenUpMax || manager.inspect(page).children.size > 0 || !mayEvict(page)) return false
      frames.drop(page)
    }
    frames.clear()
    return true
  }
}
