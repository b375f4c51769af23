import type { SiteId } from '../../address/identity.js'
import type { PageIndex, PageRange } from '../../address/page.js'
import type { FenceMark } from '../../address/fence.js'
import type { CrewMessage, GrantStamp, KeptRight, TokenRight, Transfer } from '../../wire/crew-message.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { CmEffect } from '../contract.js'

/** Pages in one `acquire`, and so in one `grant`: what bounds the frame that answers it. */
export const acquirePagesMax = 64

/** What goes along with exclusive rights. */
interface SentFences {
  readonly used: number
  tell(child: SiteId): FenceMark
}

interface Run {
  readonly to: SiteId
  first: number
  count: number
}

/**
 * What one step wants to say, page by page, gathered into messages about runs of pages. To the parent, what gives up
 * goes before what asks; to a child, what gives goes before what takes. Messages about a single page, if sent as they
 * come, would make a lock over n pages cost n messages.
 */
export class Outbox {
  readonly #refusals: (Run & {
    readonly serial: number
    readonly code: ErrorCode
    readonly message: string
  })[] = []
  readonly #grants: { to: SiteId; serial: number; right: TokenRight; pages: GrantStamp[] }[] = []
  readonly #recalls: (Run & { readonly keep: KeptRight; readonly transfer: Transfer | undefined })[] = []
  readonly #revokes: Run[] = []
  readonly #yields: (Run & { readonly keep: KeptRight })[] = []
  readonly #cancels: (Run & { readonly serial: number })[] = []
  readonly #asks: (Run & {
    readonly serial: number
    readonly right: TokenRight
    readonly known: number[]
    readonly isInDoubt: boolean
  })[] = []
  #empty = true

  revoke(to: SiteId, page: PageIndex): void {
    if (!extend(this.#revokes, page, (run) => run.to === to))
      this.#revokes.push({ to, first: page, count: 1 })
    this.#empty = false
  }

  refuse(to: SiteId, serial: number, page: PageIndex, code: ErrorCode, message: string): void {
    const same = (run: { to: SiteId; serial: number; code: ErrorCode }): boolean =>
      run.to === to && run.serial === serial && run.code === code
    if (!extend(this.#refusals, page, same)) {
      this.#refusals.push({ to, serial, first: page, count: 1, code, message })
    }
    this.#empty = false
  }

  grant(to: SiteId, serial: number, right: TokenRight, stamp: GrantStamp): void {
    this.#empty = false
    const last = this.#grants.at(-1)
    if (
      last?.to === to &&
      last.serial === serial &&
      last.right === right &&
      last.pages.length < acquirePagesMax
    ) {
      last.pages.push(stamp)
      return
    }
    this.#grants.push({ to, serial, right, pages: [stamp] })
  }

  /** A transfer makes a message of its own, but not an earlier one: a grant of the same step goes before it. */
  recall(to: SiteId, page: PageIndex, keep: KeptRight, transfer: Transfer | undefined): void {
    const isSame = (run: { to: SiteId; keep: KeptRight; transfer: Transfer | undefined }): boolean =>
      run.to === to && run.keep === keep && run.transfer === undefined && transfer === undefined
    if (!extend(this.#recalls, page, isSame)) {
      this.#recalls.push({ to, first: page, count: 1, keep, transfer })
    }
    this.#empty = false
  }

  yield(to: SiteId, page: PageIndex, keep: KeptRight): void {
    if (!extend(this.#yields, page, (run) => run.keep === keep)) {
      this.#yields.push({ to, first: page, count: 1, keep })
    }
    this.#empty = false
  }

  cancel(to: SiteId, serial: number, page: PageIndex): void {
    if (!extend(this.#cancels, page, (run) => run.serial === serial)) {
      this.#cancels.push({ to, serial, first: page, count: 1 })
    }
    this.#empty = false
  }

  /** Returns the serial of the request that the page became part of. */
  ask(
    to: SiteId,
    question: {
      readonly page: PageIndex
      readonly right: TokenRight
      readonly known: number
      readonly isInDoubt: boolean
    },
    nextSerial: () => number,
  ): number {
    const { page, right, known, isInDoubt } = question
    this.#empty = false
    const last = this.#asks.at(-1)
    const isAlike = last?.right === right && last.isInDoubt === isInDoubt
    if (isAlike && last.count < acquirePagesMax && last.first + last.count === page) {
      last.count += 1
      last.known.push(known)
      return last.serial
    }
    const serial = nextSerial()
    this.#asks.push({ to, serial, right, first: page, count: 1, known: [known], isInDoubt })
    return serial
  }

  /** Appends the gathered messages to `effects` and forgets them. */
  flush(effects: CmEffect[], fences: SentFences): void {
    if (this.#empty) return
    this.#empty = true
    for (const run of this.#yields.splice(0)) {
      send(effects, run.to, {
        kind: 'yield',
        range: rangeOf(run),
        keep: run.keep,
        handed: false,
        used: fences.used,
      })
    }
    for (const run of this.#cancels.splice(0)) {
      send(effects, run.to, { kind: 'cancel', serial: run.serial, range: rangeOf(run) })
    }
    for (const run of this.#asks.splice(0)) {
      const known = run.known.every((version) => version < 0) ? [] : run.known
      send(effects, run.to, {
        kind: 'acquire',
        serial: run.serial,
        range: rangeOf(run),
        right: run.right,
        known,
        isInDoubt: run.isInDoubt,
      })
    }
    for (const run of this.#revokes.splice(0)) send(effects, run.to, { kind: 'revoke', range: rangeOf(run) })
    for (const run of this.#refusals.splice(0)) {
      const { serial, code, message } = run
      send(effects, run.to, { kind: 'refuse', serial, range: rangeOf(run), code, message })
    }
    for (const { to, serial, right, pages } of this.#grants.splice(0)) {
      send(effects, to, {
        kind: 'grant',
        serial,
        right,
        pages,
        fences: right === 'exclusive' ? fences.tell(to) : undefined,
      })
    }
    for (const run of this.#recalls.splice(0)) {
      send(effects, run.to, { kind: 'recall', range: rangeOf(run), keep: run.keep, transfer: run.transfer })
    }
  }
}

function rangeOf(run: Run): PageRange {
  return { first: run.first as PageIndex, count: run.count }
}

function send(effects: CmEffect[], to: SiteId, message: CrewMessage): void {
  effects.push({ kind: 'send', to, message })
}

/** Pages in one message that names no versions. */
const runPagesMax = 4096

/** How many of the newest runs a page is tried on: more than children that are told of one page at a time. */
const runsTriedMax = 16

/** Makes the newest run that fits longer by the page, where the page follows it. */
function extend<R extends Run>(runs: readonly R[], page: PageIndex, fits: (run: R) => boolean): boolean {
  for (let at = runs.length - 1; at >= 0 && at >= runs.length - runsTriedMax; at--) {
    const run = runs[at]
    if (run === undefined || !fits(run)) continue
    if (run.first + run.count !== page || run.count >= runPagesMax) return false
    run.count += 1
    return true
  }
  return false
}
