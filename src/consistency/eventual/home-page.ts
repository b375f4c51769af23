import type { SiteId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { ParcelId } from '../contract.js'
import type { Stamp } from './hybrid-clock.js'

/** A whole page that somebody wrote, on its way to stable storage. The manager keeps its parcel until it is there. */
export interface Write {
  /** Undefined: the home itself. */
  readonly by: SiteId | undefined
  readonly parcel: ParcelId
  readonly stamp: Stamp
  /** The newest of the home's states that it was made from. */
  readonly base: Stamp
  /** Whether its writer is still there to be told what became of it. */
  isAwaited: boolean
}

/** A site that has, or wants, a copy. */
export interface Holder {
  /** The durable state that it has or is about to get. Undefined: none. */
  sent: Stamp | undefined
  /** The update that it has not acknowledged. */
  underWay: Stamp | undefined
  /** A push of its that something else has prevailed over; it is answered with that. */
  overruled: Stamp | undefined
}

/** What the home knows of a page that anybody uses. */
export interface HomePage {
  readonly page: PageIndex
  /** Of what is durable. Every copy that is not dirty was this once. */
  stamp: Stamp
  /** What was last accepted here, and is neither durable nor on its way. The frame has it. */
  accepted: Write | undefined
  /** What is on its way to stable storage, and the stamp that the page has then. */
  commit: { readonly write: Write; readonly result: Stamp; readonly isMerged: boolean } | undefined
  /** Pushes that wait for the commit to end. One a child. */
  queue: Write[]
  readonly holders: Map<SiteId, Holder>
  isLoading: boolean
  /** Whether the frame could not be had of late. */
  isUnreadable: boolean
  /** Whether there are holders to whom the durable state is to be sent now. */
  isOwed: boolean
}

export function newHomePage(page: PageIndex, stamp: Stamp): HomePage {
  return {
    page,
    stamp,
    accepted: undefined,
    commit: undefined,
    queue: [],
    holders: new Map(),
    isLoading: false,
    isUnreadable: false,
    isOwed: false,
  }
}

/** Whether there is nothing to remember but what storage knows. */
export function isIdle(state: HomePage): boolean {
  return (
    state.accepted === undefined &&
    state.commit === undefined &&
    state.queue.length === 0 &&
    state.holders.size === 0 &&
    !state.isLoading
  )
}

/** The page's holder of that name, made where there is none. */
export function holderOf(state: HomePage, child: SiteId): Holder {
  const known = state.holders.get(child)
  if (known !== undefined) return known
  const made: Holder = { sent: undefined, underWay: undefined, overruled: undefined }
  state.holders.set(child, made)
  return made
}

/** Whether the holder has what is durable, or is about to hear of it. */
export function isUpToDate(state: HomePage, holder: Holder): boolean {
  return holder.overruled === undefined && holder.sent === state.stamp
}

/** What the child has pushed stands, but the child does not wait for the answer. */
export function disown(state: HomePage, child: SiteId): void {
  for (const write of [...state.queue, state.commit?.write]) {
    if (write?.by === child) write.isAwaited = false
  }
  const holder = state.holders.get(child)
  if (holder !== undefined) holder.overruled = undefined
}

/** Whether the frame has what is not durable. */
export function isAhead(state: HomePage): boolean {
  return state.accepted !== undefined || (state.commit !== undefined && state.commit.write.by === undefined)
}

/** Of the frame. */
export function newestStamp({ accepted, commit, stamp }: HomePage): Stamp {
  if (accepted !== undefined) return accepted.stamp
  return commit !== undefined && commit.write.by === undefined ? commit.result : stamp
}
