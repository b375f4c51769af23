import type { SiteId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { ErrorCode } from '../../stdx/errors.js'
import type { Attachment, CmEffect } from '../contract.js'
import { chunks } from './copy-outbox.js'
import type { EventualMessage, PushAnswer, StampedPage } from './message.js'

interface Letter {
  updates: StampedPage[]
  answers: PushAnswer[]
}

/** What one step of the home says to its children, gathered to few messages. */
export class HomeOutbox {
  readonly #letters = new Map<SiteId, Letter>()

  update(child: SiteId, page: StampedPage): void {
    this.#letter(child).updates.push(page)
  }

  answer(child: SiteId, answer: PushAnswer): void {
    this.#letter(child).answers.push(answer)
  }

  /** Said at once, ahead of the rest: what is gone was so before. */
  gone(
    effects: CmEffect<EventualMessage>[],
    child: SiteId,
    all: readonly PageIndex[],
    { code, message }: { readonly code: ErrorCode; readonly message: string },
  ): void {
    for (const pages of chunks(all)) {
      effects.push({ kind: 'send', to: child, message: { kind: 'gone', pages, code, message } })
    }
  }

  flush(effects: CmEffect<EventualMessage>[]): void {
    for (const [to, { updates, answers }] of this.#letters) {
      for (const pages of chunks(updates)) {
        effects.push({ kind: 'send', to, message: { kind: 'update', pages }, attach: framesOf(pages) })
      }
      for (const pages of chunks(answers)) {
        const attach = framesOf(pages.filter(({ result }) => result === 'replaced'))
        effects.push({ kind: 'send', to, message: { kind: 'pushed', pages }, attach })
      }
    }
    this.#letters.clear()
  }

  #letter(child: SiteId): Letter {
    const known = this.#letters.get(child)
    if (known !== undefined) return known
    const made: Letter = { updates: [], answers: [] }
    this.#letters.set(child, made)
    return made
  }
}

function framesOf(pages: readonly { readonly page: PageIndex }[]): readonly Attachment[] {
  return pages.map(({ page }) => ({ kind: 'frame', page }))
}
