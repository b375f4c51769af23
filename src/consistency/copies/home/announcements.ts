import type { SiteId } from '../../../address/identity.js'
import type { Version } from '../../../address/page.js'
import type { Attachment } from '../../contract.js'
import { messagePagesMax } from '../message.js'
import type { ChangePart, HomeMessage, PageChange } from '../message.js'
import type { BatchChange, HomeState } from './home-state.js'

/** Brings a holder's copies up to date. */
export function sendUpdate(
  home: HomeState,
  child: SiteId,
  serial: number,
  changes: readonly BatchChange[],
): void {
  sendChanges(home, child, changes, (part, final) => ({ kind: 'update', serial, changes: part, final }))
}

/** Tells a writer that its commits are done, and what has become of their pages. */
export function sendCommitted(
  home: HomeState,
  child: SiteId,
  numbers: readonly number[],
  changes: readonly BatchChange[],
): void {
  let at = 0
  for (; numbers.length - at > messagePagesMax; at += messagePagesMax) {
    const some = numbers.slice(at, at + messagePagesMax)
    home.send(child, { kind: 'committed', numbers: some, changes: [], final: false })
  }
  let last = numbers.slice(at)
  sendChanges(home, child, changes, (part, final) => {
    const message: HomeMessage = { kind: 'committed', numbers: last, changes: part, final }
    last = []
    return message
  })
}

/** In messages of at most so many pages and parts; a page with more parts comes in several, with the same versions. */
function sendChanges(
  home: HomeState,
  child: SiteId,
  changes: readonly BatchChange[],
  messageOf: (part: readonly PageChange[], final: boolean) => HomeMessage,
): void {
  let part: PageChange[] = []
  let attach: Attachment[] = []
  let partsCount = 0
  const flush = (final: boolean): void => {
    home.send(child, messageOf(part, final), attach)
    part = []
    attach = []
    partsCount = 0
  }
  for (const { page, base, version, parts } of changes) {
    for (let at = 0; at === 0 || at < parts.length; at += messagePagesMax) {
      const some = parts.slice(at, at + messagePagesMax)
      if (part.length === messagePagesMax || partsCount + some.length > messagePagesMax) flush(false)
      const told = some.map(({ commit: { origin }, parcel }): ChangePart => {
        if (origin.kind === 'child' && origin.child === child) return origin.number
        attach.push({ kind: 'parcel', parcel })
        return 'attached'
      })
      partsCount += some.length
      part.push({ page: page.page, base, version: version as Version, parts: told })
    }
  }
  flush(true)
}
