import type { LockMode } from '../../address/lock-mode.js'
import type { SiteId } from '../../address/identity.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import { unreachable } from '../../stdx/assert.js'
import { isErrorCode } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type {
  CmEffect,
  CmEvent,
  CmMessage,
  CmOptions,
  CmSite,
  CommitId,
  CommitInDoubt,
  ConsistencyManager,
  EvictAnswer,
  FenceAnswer,
  HoldAnswer,
  KeptPage,
  LockId,
  PageView,
  ProtocolDefinition,
} from '../contract.js'
import { ask } from './ask.js'
import { adoptDoubts } from './claims.js'
import { onCommit, onNotDurable, settle, startCommit, unsettle } from './commits.js'
import { CrewState } from './crew-state.js'
import {
  notAllocated,
  onAccepted,
  onAcquire,
  onAskFences,
  onCancel,
  onChildLost,
  onInquire,
  onYield,
  recallChildren,
  refuseWaiters,
} from './downstream.js'
import { enqueueLock, forgetIfIdle, refuseLock, tellWanted, unpin, withdrawLock } from './locks.js'
import {
  exclusive,
  fromToken,
  isAwaitedElsewhere,
  isIdle,
  isKeptFromOthers,
  isOnlyShared,
  lentAllows,
  noBytes,
  none,
  rightOf,
  shared,
  toToken,
} from './page-state.js'
import type { PlantedBug } from './planted-bug.js'
import { pumpMarked } from './pump.js'
import {
  cancelAsk,
  onGrant,
  onParentLost,
  onParentReady,
  onRecall,
  onRefuse,
  onRevoke,
  onSiblingLost,
  onTransfer,
  recallForRoom,
  yieldVoluntarily,
} from './upstream.js'

const noEffects: readonly CmEffect[] = []

/**
 * Concurrent read, exclusive write (paper 5). A page has one writer or any number of readers, in the whole tree of
 * sites. The same machine runs at the home, at other nodes and in clients: each has a right from its parent (the home
 * has all rights), lends parts of it to its children and uses the rest for its own locks.
 *
 * Tokens are sticky: they stay where they were last used until somebody else wants them. Requests for a page are
 * served first come first served at every site, and a site that is recalled takes no new lock before it has obeyed.
 *
 * A section's pages go to stable storage when it ends. The site itself may go on at once; a reader there is told of
 * its own end only when what it may have seen is durable. No other site gets the page before that. So nobody
 * outside ever sees what a crash could take back.
 *
 * Deadlock: one lock takes its pages in ascending order, and a token whose page no lock holds is always given back.
 * Rejected: tokens that are held from the moment they arrive, which needs less traffic for locks over many pages,
 * but lets two such locks that come from different sites wait for each other.
 */
class CrewManager implements ConsistencyManager {
  readonly #crew: CrewState

  constructor(site: CmSite, options: CmOptions, plantedBug: PlantedBug | undefined) {
    this.#crew = new CrewState(site, options, plantedBug)
    inherit(this.#crew, options.doubts ?? [])
    for (const kept of options.kept ?? []) this.#keep(kept)
  }

  /** The bytes are here, and nothing is allowed with them: the next grant says whether they are the newest. */
  #keep({ page, version, isUnsettled }: KeptPage): void {
    const crew = this.#crew
    if (version === noBytes || isUnsettled) crew.effects.push({ kind: 'drop', page })
    else crew.page(page).version = version
  }

  tryAcquire(first: PageIndex, count: number, mode: LockMode): boolean {
    const end = first + count
    for (let page = first; page < end; page++) if (!this.#isAtHand(page, mode)) return false
    for (let page = first; page < end; page++) {
      const state = this.#crew.page(page)
      if (mode === 'read') state.readers += 1
      else state.writing = true
    }
    return true
  }

  #isAtHand(page: PageIndex, mode: LockMode): boolean {
    const crew = this.#crew
    let state = crew.pages.get(page)
    if (state === undefined) {
      if (!crew.isRoot || !crew.site.isAllocated({ first: page, count: 1 })) return false
      state = crew.page(page)
    }
    const right = rightOf(mode)
    return (
      state.right >= right &&
      ((state.recalled === undefined && state.queue.length === 0) ||
        (mode === 'read' && isKeptFromOthers(state))) &&
      state.held === 0 &&
      state.doubted === 0 &&
      state.handing === undefined &&
      (mode === 'read' ? !state.writing : !state.writing && state.readers === 0) &&
      lentAllows(state, right) &&
      !crew.inGrace
    )
  }

  release(first: PageIndex, count: number, mode: LockMode): readonly CmEffect[] {
    const crew = this.#crew
    unpin(crew, first, first + count, mode)
    return crew.hasMarked ? this.#finish() : noEffects
  }

  hold(page: PageIndex): HoldAnswer {
    const crew = this.#crew
    const known = crew.pages.get(page)
    if (known === undefined && (!crew.isRoot || !crew.site.isAllocated({ first: page, count: 1 })))
      return 'refused'
    const state = known ?? crew.page(page)
    const isFree = state.recalled === undefined && state.queue.length === 0 && state.held === 0
    // Under a lock all that must be is so. What is taken for commits in doubt is no lock: they are about to put other bytes there.
    const isThere = state.readers > 0 || state.writing || isFree
    const isSure = isThere && state.doubted === 0 && state.handing === undefined
    if (state.right < shared || !isSure || !lentAllows(state, shared) || crew.inGrace) {
      forgetIfIdle(crew, state)
      return 'refused'
    }
    state.holds += 1
    const isWanted = isAwaitedElsewhere(state)
    // Whoever waits from here on is told of, also where lock holders have been told before.
    state.wanted = isWanted ? exclusive : none
    return isWanted ? 'wanted' : 'held'
  }

  letGo(page: PageIndex): readonly CmEffect[] {
    const crew = this.#crew
    const state = crew.pages.get(page)
    if (state === undefined) return noEffects
    state.holds -= 1
    if (state.holds === 0 && state.readers === 0 && !state.writing) state.wanted = none
    if (state.queue.length > 0 || state.recalled !== undefined) crew.mark(state)
    return crew.hasMarked ? this.#finish() : noEffects
  }

  step(event: CmEvent): readonly CmEffect[] {
    this.#handle(event)
    return this.#finish()
  }

  #finish(): readonly CmEffect[] {
    const crew = this.#crew
    pumpMarked(crew)
    const { effects } = crew
    crew.effects = []
    crew.outbox.flush(effects, crew.fences)
    return effects
  }

  #handle(event: CmEvent): void {
    const crew = this.#crew
    switch (event.kind) {
      case 'lock':
        return this.#onLock(event.lock, event.range, event.mode)
      case 'cancel':
        return this.#onCancelLock(event.lock)
      case 'unlock':
        return this.#onUnlock(event)
      case 'message':
        return this.#onMessage(event.from, event.message)
      case 'child-lost':
        return onChildLost(crew, event.child)
      case 'parent-lost':
        return onParentLost(crew)
      case 'parent-ready':
        return onParentReady(crew)
      case 'sibling-lost':
        return onSiblingLost(crew)
      case 'durable':
        return settle(crew, event.commit)
      case 'not-durable':
        return onNotDurable(crew, event.commit, event.code, event.message)
      case 'doubt-ended':
        return this.#onDoubtEnded(event.pages)
      case 'grace-ended':
        crew.inGrace = false
        crew.markDoubt()
        for (const state of crew.pages.values()) if (state.queue.length > 0) crew.mark(state)
        return
      case 'quiesce':
      case 'resume':
      case 'alarm':
      case 'loaded':
        return
      case 'freed':
        return this.#onFreed(event.range, event.code, event.message)
      default:
        return unreachable(event)
    }
  }

  #onMessage(from: SiteId, message: CmMessage): void {
    const crew = this.#crew
    if (isForChildren(message.kind) && from !== crew.site.parent) return
    switch (message.kind) {
      case 'acquire': {
        const { serial, range, known, isInDoubt } = message
        return onAcquire(crew, from, { serial, range, known, isInDoubt, right: fromToken(message.right) })
      }
      case 'cancel':
        return onCancel(crew, from, message.serial, message.range)
      case 'commit':
        return onCommit(crew, from, message)
      case 'yield':
        crew.fences.hear(from, message.used)
        onYield(crew, from, { range: message.range, keep: fromToken(message.keep), handed: message.handed })
        return this.#forgetRange(message.range)
      case 'accepted':
        return onAccepted(crew, from, message.serial, message.page, fromToken(message.right))
      case 'grant':
        if (message.fences !== undefined) crew.fences.learn(message.fences)
        return onGrant(crew, message.serial, message.right, message.pages)
      case 'inquire':
        return onInquire(crew, from, message.commits)
      case 'ask-fences':
        return onAskFences(crew, from, message.used)
      case 'fences':
        crew.fences.isAsking = false
        return crew.fences.learn(message.fences)
      case 'refuse':
        return onRefuse(crew, message.serial, message.range, codeOf(message.code), message.message)
      case 'recall':
        return onRecall(crew, message.range, fromToken(message.keep), message.transfer)
      case 'committed':
        return this.#onCommitAnswer(message.commit, (commit) => {
          settle(crew, commit)
        })
      case 'uncommitted':
        return this.#onCommitAnswer(message.commit, (commit) => {
          unsettle(crew, commit, codeOf(message.code), message.message)
        })
      case 'revoke':
        return onRevoke(crew, message.range)
      case 'transfer':
        return onTransfer(crew, message)
      default:
        return unreachable(message)
    }
  }

  #onCommitAnswer(number: number, end: (commit: CommitId) => void): void {
    for (const commit of this.#crew.commits.keys()) {
      if (commit === number) return end(commit)
    }
  }

  #onLock(lock: LockId, range: PageRange, mode: LockMode): void {
    const crew = this.#crew
    if (crew.isRoot && !crew.site.isAllocated(range)) {
      crew.effects.push({ kind: 'refuse', lock, code: 'not-allocated', message: notAllocated })
      return
    }
    const request = enqueueLock(crew, lock, range, mode)
    // All that is missing is asked for at once, so that a lock over many pages does not wait for them one by one.
    for (let page = range.first; page < range.first + range.count; page++) {
      const state = crew.page(page)
      if (state.right < request.right) ask(crew, state, request.right)
      else if (!lentAllows(state, request.right) && !crew.inGrace) {
        recallChildren(crew, state, request.right === shared ? shared : none, undefined)
      }
    }
  }

  #onCancelLock(lock: LockId): void {
    const crew = this.#crew
    const request = crew.locks.get(lock)
    if (request === undefined) return
    withdrawLock(crew, request)
    for (let page = request.next; page < request.range.first + request.range.count; page++) {
      const state = crew.pages.get(page as PageIndex)
      if (state?.asked !== undefined && state.queue.length === 0) cancelAsk(crew, state)
    }
  }

  #onUnlock({ range, written, ticket, together }: Extract<CmEvent, { kind: 'unlock' }>): void {
    const crew = this.#crew
    for (const page of written) crew.page(page).version += 1
    startCommit(crew, { kind: 'local', ticket }, written, together)
    unpin(crew, range.first, range.first + range.count, 'write')
  }

  #onDoubtEnded(pages: readonly PageIndex[]): void {
    const crew = this.#crew
    for (const page of pages) {
      const state = crew.pages.get(page)
      // Made since it has been known: it was never held.
      if (state === undefined || state.held === 0) continue
      state.held -= 1
      state.version = crew.site.versionOf(page)
      crew.mark(state)
    }
  }

  #onFreed(range: PageRange, code: ErrorCode, message: string): void {
    const crew = this.#crew
    // Also those that have not come to the freed pages yet.
    for (const request of [...crew.locks.values()]) {
      if (overlaps(request.range, range)) refuseLock(crew, request, code, message)
    }
    for (let page = range.first; page < range.first + range.count; page++) {
      const state = crew.pages.get(page)
      if (state === undefined) continue
      refuseWaiters(crew, state, code, message)
      if (state.holds > 0) crew.effects.push({ kind: 'break', page })
      crew.overtakings.forget(page)
      state.version = crew.site.versionOf(page)
    }
  }

  evict(page: PageIndex): EvictAnswer {
    const crew = this.#crew
    const state = crew.pages.get(page)
    if (state === undefined) return { kind: 'allowed', effects: noEffects }
    const isPinned = state.readers > 0 || state.writing || state.unsettled > 0
    if (crew.isRoot) {
      if (isPinned) return { kind: 'refused', effects: noEffects }
      forgetIfIdle(crew, state)
      return { kind: 'allowed', effects: noEffects }
    }
    if (!isIdle(state)) {
      if (state.holds > 0) tellWanted(crew, state, exclusive)
      // Only children read it: they are asked to let go, so that memory here bounds what they hold of it too.
      if (isOnlyShared(state)) recallForRoom(crew, state)
      return {
        kind: 'refused',
        effects: crew.hasMarked || crew.effects.length > 0 ? this.#finish() : noEffects,
      }
    }
    crew.pages.delete(page)
    if (state.right === exclusive) crew.noteSurrender()
    if (state.right === none) return { kind: 'allowed', effects: noEffects }
    yieldVoluntarily(crew, page)
    return { kind: 'allowed', effects: this.#finish() }
  }

  /** At the root, a page that nobody uses costs nothing but its bytes. */
  #forgetRange(range: PageRange): void {
    const crew = this.#crew
    if (!crew.isRoot) return
    for (let page = range.first; page < range.first + range.count; page++) {
      const state = crew.pages.get(page)
      if (state !== undefined) forgetIfIdle(crew, state)
    }
  }

  fence(): FenceAnswer {
    const crew = this.#crew
    const count = crew.fences.take()
    crew.askForFences()
    const { effects } = crew
    if (effects.length === 0) return { count, effects: noEffects }
    crew.effects = []
    return { count, effects }
  }

  needsLease(): boolean {
    return true
  }

  isQuiet(): boolean {
    return this.#crew.commits.size === 0 && this.#crew.doubts.isEmpty
  }

  isUnsettled(page: PageIndex): boolean {
    return (this.#crew.pages.get(page)?.unsettled ?? 0) > 0
  }

  commitsInDoubt(): readonly CommitInDoubt[] {
    const { commits, doubts, site } = this.#crew
    return site.keepsDoubts === true ? doubts.list : openCommits(commits)
  }

  inspect(page: PageIndex): PageView {
    const crew = this.#crew
    const state = crew.pages.get(page)
    if (state === undefined) return unknownPage(crew, page)
    const children = new Map<SiteId, 'shared' | 'exclusive'>()
    for (const [child, right] of state.children ?? []) children.set(child, toToken(right))
    if (state.handing !== undefined) children.set(state.handing.to, toToken(state.handing.right))
    return {
      right: state.right === none ? 'none' : toToken(state.right),
      version: state.version,
      children,
      readers: state.readers,
      writing: state.writing,
      waiting: state.queue.length,
      unsettled: state.unsettled > 0,
    }
  }

  pages(): Iterable<PageIndex> {
    return this.#crew.pages.keys()
  }
}

/** What a manager of before has left open: to be looked into; or, at a client, to be asked about. */
function inherit(crew: CrewState, doubts: readonly CommitInDoubt[]): void {
  for (const { commit } of doubts) crew.skipCommits(commit)
  if (crew.isRoot || crew.site.keepsDoubts === true) {
    adoptDoubts(crew, doubts)
    return
  }
  for (const { commit, origin, pages } of doubts) {
    const indexes = pages.map(({ page }) => page)
    const versions = pages.map(({ own }) => own)
    for (const page of indexes) crew.page(page).unsettled += 1
    crew.commits.set(commit, { origin, pages: indexes, versions, isTogether: false })
    crew.inherited.push(commit)
  }
}

/** Of a client, which its node answers: as if they were in doubt. Those of transactions end with its manager. */
function openCommits(commits: CrewState['commits']): readonly CommitInDoubt[] {
  const open: CommitInDoubt[] = []
  for (const [commit, { origin, pages, versions, isTogether }] of commits) {
    if (isTogether) continue
    const doubted = pages.map((page, index) => {
      const own = versions[index] ?? 0
      return { page, own, last: own }
    })
    open.push({ commit, origin, pages: doubted, isBarred: false })
  }
  return open
}

export const crew: ProtocolDefinition = crewWith(undefined)

/** The protocol with a bug in it, to see that a checker catches it. */
export function crewWith(plantedBug: PlantedBug | undefined): ProtocolDefinition {
  return {
    name: 'crew',
    keepsPages: true,
    create: (site, options) => new CrewManager(site, options, plantedBug),
  }
}

/** Messages that only a parent may send. `transfer` carries its own proof, and `commit` is checked against rights. */
function isForChildren(kind: CmMessage['kind']): boolean {
  return (
    kind === 'grant' ||
    kind === 'fences' ||
    kind === 'refuse' ||
    kind === 'recall' ||
    kind === 'committed' ||
    kind === 'uncommitted' ||
    kind === 'revoke'
  )
}

function overlaps(a: PageRange, b: PageRange): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count
}

function codeOf(text: string): ErrorCode {
  return isErrorCode(text) ? text : 'internal'
}

function unknownPage(crew: CrewState, page: PageIndex): PageView {
  return {
    right: crew.isRoot ? 'exclusive' : 'none',
    version: crew.isRoot ? crew.site.versionOf(page) : -1,
    children: new Map(),
    readers: 0,
    writing: false,
    waiting: 0,
    unsettled: false,
  }
}
