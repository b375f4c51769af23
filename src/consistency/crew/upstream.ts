import type { FenceMark } from '../../address/fence.js'
import { present } from '../../stdx/assert.js'
import type { PageIndex, PageRange, Version } from '../../address/page.js'
import type { GrantStamp, PageStamp, TokenRight, Transfer } from '../../wire/crew-message.js'
import type { ErrorCode } from '../../stdx/errors.js'
import { askForDoubted, doubtCommits, refuseClaim } from './claims.js'
import { unsettle } from './commits.js'
import type { CrewState } from './crew-state.js'
import { recallChildren, refuseWaiters } from './downstream.js'
import { tellWanted } from './locks.js'
import { loseRights } from './lost-rights.js'
import { fromToken, isNamed, noBytes, none, rename, shared, siteAllows, toKept } from './page-state.js'
import type { PageState, Right } from './page-state.js'

export function onGrant(
  crew: CrewState,
  serial: number,
  right: TokenRight,
  pages: readonly GrantStamp[],
): void {
  crew.noteAnswer(serial)
  let payload = 0
  for (const stamp of pages) {
    const index = stamp.hasBytes ? payload++ : undefined
    const state = crew.pages.get(stamp.page)
    // Not the answer to an open question: the token came by another way before.
    if (state?.asked?.serial !== serial) continue
    if (right === 'exclusive' && state.doubted > 0) crew.doubts.learn(stamp.page, stamp.stored)
    accept(crew, state, stamp, fromToken(right), index)
  }
}

/** A sibling hands its token over, on the parent's order. Void unless it is what this site asked, in this session. */
export function onTransfer(
  crew: CrewState,
  message: {
    readonly serial: number
    readonly session: number
    readonly right: TokenRight
    readonly page: PageStamp
    readonly fences: FenceMark | undefined
  },
): void {
  const { serial, session, right, page: stamp, fences } = message
  const state = crew.pages.get(stamp.page)
  const { parent, parentSession } = crew.site
  if (parent === undefined || !crew.connected || session !== parentSession) return
  // Once a site has said that it gave up, it takes no token but from the parent, which then knows where the token is.
  if (state?.asked?.serial !== serial || state.asked.cancelling) return
  // It may have overtaken what the parent said before: that a commit failed, or an order about an earlier token.
  if (state.unsettled > 0 || !crew.isPastSurrender) {
    cancelAsk(crew, state)
    return
  }
  if (fences !== undefined) crew.fences.inherit(fences)
  accept(crew, state, stamp, fromToken(right), stamp.hasBytes ? 0 : undefined)
  crew.send(parent, { kind: 'accepted', serial, page: stamp.page, right })
}

function accept(
  crew: CrewState,
  state: PageState,
  stamp: PageStamp,
  right: Right,
  payload: number | undefined,
): void {
  state.asked = undefined
  if (payload !== undefined) {
    crew.effects.push({ kind: 'install', page: stamp.page, version: stamp.version, payload })
    state.version = stamp.version
  } else if (state.version !== noBytes && state.version !== stamp.version) rename(state, stamp.version)
  else state.version = stamp.version
  if (right > state.right) state.right = right
  crew.mark(state)
}

/** What of a request the parent will not grant. Cancelled questions are asked again where somebody still waits. */
export function onRefuse(
  crew: CrewState,
  serial: number,
  range: PageRange,
  code: ErrorCode,
  message: string,
): void {
  crew.noteAnswer(serial)
  for (let page = range.first; page < range.first + range.count; page++) {
    const state = crew.pages.get(page)
    if (state?.asked?.serial !== serial) continue
    state.asked = undefined
    if (code !== 'aborted') {
      refuseWaiters(crew, state, code, message)
      refuseClaim(crew, state)
    }
    crew.mark(state)
  }
}

/** Takes an open question back. The parent answers with the grant that was on its way, or with a refusal. */
export function cancelAsk(crew: CrewState, state: PageState): void {
  if (state.asked === undefined || state.asked.cancelling) return
  state.asked.cancelling = true
  crew.outbox.cancel(present(crew.site.parent, 'only a child asks'), state.asked.serial, state.page)
}

/** A sibling that may have been told to hand a token over can no longer do so: ask anew. */
export function onSiblingLost(crew: CrewState): void {
  for (const state of crew.pages.values()) cancelAsk(crew, state)
}

/** The parent wants tokens back. What this site has given up already is on its way: the parent will see. */
export function onRecall(
  crew: CrewState,
  range: PageRange,
  keep: Right,
  transfer: Transfer | undefined,
): void {
  for (let page = range.first; page < range.first + range.count; page++) {
    const state = crew.pages.get(page)
    if (state === undefined || state.right <= keep) continue
    const before = state.recalled?.isOwn === true ? undefined : state.recalled
    const kept = before !== undefined && before.keep < keep ? before.keep : keep
    state.recalled = { keep: kept, transfer, isOwn: false }
    crew.mark(state)
  }
}

/** Storage needs the room of a page that only children read: it is given up once they have let go. */
export function recallForRoom(crew: CrewState, state: PageState): void {
  state.recalled = { keep: none, transfer: undefined, isOwn: true }
  crew.mark(state)
}

/**
 * Gives the parent what it has recalled, once no local lock and no child needs it. Answers whether nothing is left to
 * give.
 */
export function obeyRecall(crew: CrewState, state: PageState): boolean {
  const { recalled } = state
  if (recalled === undefined) return true
  // Somebody here wants the page after all. The answer may be on its way, and what is given up now would be taken for that.
  if (recalled.isOwn && state.asked !== undefined) {
    state.recalled = undefined
    return true
  }
  const mayGo = crew.plantedBug === 'yield-while-locked'
  // What others may do once this site keeps no more than `keep`: to read beside it, or to write.
  const others: Right = recalled.keep === shared ? shared : 2
  if (!mayGo && !siteAllows(state, others)) {
    tellWanted(crew, state, others)
    return false
  }
  if (state.lent > recalled.keep) {
    recallChildren(crew, state, recalled.keep, undefined)
    return false
  }
  if (state.handing !== undefined) return false
  giveUp(crew, state, recalled.keep, recalled.transfer)
  return true
}

function giveUp(crew: CrewState, state: PageState, keep: Right, transfer: Transfer | undefined): void {
  const parent = present(crew.site.parent, 'only a child gives up')
  state.recalled = undefined
  state.right = keep
  crew.doubts.forget(state.page)
  // While a commit is on its way, only the parent may hand the page on: it waits until the bytes are durable.
  const mayHand = state.unsettled === 0 && state.version !== noBytes
  if (transfer === undefined || !mayHand || !crew.site.canReach(transfer.to)) {
    crew.outbox.yield(parent, state.page, toKept(keep))
    return
  }
  const hasBytes = !isNamed(state, transfer.known)
  crew.send(transfer.to, {
    kind: 'transfer',
    serial: transfer.serial,
    session: transfer.session,
    right: transfer.right,
    fences: transfer.right === 'exclusive' ? handedFences(crew) : undefined,
    page: { page: state.page, version: state.version as Version, hasBytes },
  })
  crew.send(parent, {
    kind: 'yield',
    range: { first: state.page, count: 1 },
    keep: toKept(keep),
    handed: true,
    used: crew.fences.used,
  })
}

function handedFences(crew: CrewState): FenceMark {
  const { mark } = crew.fences
  return crew.plantedBug === 'hand-over-without-fences' ? { ...mark, used: 0 } : mark
}

/** The parent's own rights to these pages ended, and so do this site's. */
export function onRevoke(crew: CrewState, range: PageRange): void {
  const lost: PageState[] = []
  for (let page = range.first; page < range.first + range.count; page++) {
    const state = crew.pages.get(page)
    if (state !== undefined) lost.push(state)
  }
  loseRights(crew, lost)
}

/**
 * The session with the parent is lost: so is every right, and the fate of commits on their way is unknown, until the home, or the next
 * one, says what it has. A client asks nobody: what its node has of its commits is not for the node's home to say.
 */
export function onParentLost(crew: CrewState): void {
  crew.connected = false
  crew.forgetSurrender()
  crew.fences.isAsking = false
  for (const state of crew.pages.values()) {
    state.asked = undefined
    state.owesYield = false
  }
  loseRights(crew, [...crew.pages.values()])
  crew.inherited.length = 0
  for (const commit of crew.site.keepsDoubts === true ? doubtCommits(crew) : [...crew.commits.keys()]) {
    unsettle(
      crew,
      commit,
      'outcome-unknown',
      'the connection to the home was lost before it confirmed the write',
    )
  }
}

export function onParentReady(crew: CrewState): void {
  crew.connected = true
  for (const state of crew.pages.values()) if (state.queue.length > 0) crew.mark(state)
  askForDoubted(crew)
  const commits = crew.inherited.splice(0)
  if (commits.length > 0)
    crew.send(present(crew.site.parent, 'only a child asks'), { kind: 'inquire', commits })
}

/** Gives an unused token up of this site's own accord, because storage needs the room. */
export function yieldVoluntarily(crew: CrewState, page: PageIndex): void {
  crew.outbox.yield(present(crew.site.parent, 'only a child gives up'), page, 'none')
}
