import type { PageIndex } from '../../address/page.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Stamp } from './hybrid-clock.js'

/** Pages that one message names at most. */
export const pagesPerMessageMax = 64

/** What a site and the home say to each other in an `eventual` region. */
export type EventualMessage = ToHome | ToCopy

export type ToHome =
  /** I have these pages, or want them: send me what is newer, now and from now on. */
  | { readonly kind: 'hold'; readonly pages: readonly HeldPage[] }
  /** What was written here. Whole pages are attached, in order. Each is answered by `pushed`, or by `gone`. */
  | { readonly kind: 'push'; readonly pages: readonly PushedPage[] }
  /** The update has come. Until it is said, no other is sent of that page. */
  | { readonly kind: 'ack'; readonly pages: readonly StampedPage[] }
  /** I have these no more. */
  | { readonly kind: 'drop'; readonly pages: readonly PageIndex[] }

export type ToCopy =
  /** What these pages are at the home, attached in order; all of it is durable. */
  | { readonly kind: 'update'; readonly pages: readonly StampedPage[] }
  /** What became of pages that were pushed. Those that were replaced are attached, in order. */
  | { readonly kind: 'pushed'; readonly pages: readonly PushAnswer[] }
  /** There is nothing to be had of these pages: forget them. */
  | {
      readonly kind: 'gone'
      readonly pages: readonly PageIndex[]
      readonly code: ErrorCode
      readonly message: string
    }

export interface StampedPage {
  readonly page: PageIndex
  readonly stamp: Stamp
}

export interface HeldPage {
  readonly page: PageIndex
  /** Undefined: no bytes are here. */
  readonly stamp: Stamp | undefined
}

export interface PushedPage extends StampedPage {
  /** The newest of the home's states that these bytes were made from. */
  readonly base: Stamp
}

export interface PushAnswer {
  readonly page: PageIndex
  /** The stamp that it was pushed with, so that the answer to an earlier push is not taken for that to a later one. */
  readonly pushed: Stamp
  /** What the page has at the home now. */
  readonly stamp: Stamp
  /**
   * `kept`: the home has these very bytes, durably. `replaced`: what the home has instead comes along: a later write, or
   * what both were merged to. `failed`: the home cannot store it now; push it again later.
   */
  readonly result: PushResult
}

export type PushResult = 'kept' | 'replaced' | 'failed'

export function isForHome(message: EventualMessage): message is ToHome {
  return (
    message.kind === 'hold' || message.kind === 'push' || message.kind === 'ack' || message.kind === 'drop'
  )
}

/** How many whole pages go along. */
function attachedCount(message: EventualMessage): number {
  if (message.kind === 'push' || message.kind === 'update') return message.pages.length
  return message.kind === 'pushed' ? message.pages.filter(({ result }) => result === 'replaced').length : 0
}

/** Throws `protocol-error` unless the message came with as many pages as it says. */
export function checkAttached(message: EventualMessage, attached: number): void {
  const wanted = attachedCount(message)
  if (attached === wanted) return
  throw new KhazanaError('protocol-error', `"${message.kind}" with ${attached} pages attached, not ${wanted}`)
}
