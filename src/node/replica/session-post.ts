import type { SequencedMessage } from '../../wire/message.js'
import type { Session } from '../session/session.js'

interface Letter {
  readonly message: SequencedMessage
  readonly pages: readonly Uint8Array[]
}

/**
 * What goes to a session in order, at the pace at which it takes pages. A letter without pages leaves at once, unless others wait
 * before it. What waits is bounded by what its senders may have under way, and, like all that a session has been given,
 * by the session's own bound: once more than `waitingMax` letters wait, they are handed over, and it judges.
 */
export class SessionPost {
  readonly #waiting = new Map<Session, Letter[]>()

  send(session: Session, message: SequencedMessage, pages: readonly Uint8Array[]): void {
    if (session.loss !== undefined) return
    const waiting = this.#waiting.get(session)
    if (waiting !== undefined) {
      waiting.push({ message, pages })
      if (waiting.length > waitingMax) this.#hurry(session, waiting)
    } else if (pages.length === 0 || session.writable) {
      session.send(message, pages)
    } else {
      void this.#sendWaiting(session, [{ message, pages }])
    }
  }

  /** Whether letters wait for the session to take them. */
  isWaiting(session: Session): boolean {
    return this.#waiting.has(session)
  }

  /** Never rejects. */
  async #sendWaiting(session: Session, letters: Letter[]): Promise<void> {
    this.#waiting.set(session, letters)
    for (let next = letters[0]; next !== undefined; next = letters[0]) {
      if (next.pages.length > 0 && !session.writable) {
        try {
          await session.whenWritable()
          continue
        } catch {
          // The session is lost, and with it all that waits for it: its loss is told to whoever must know.
          break
        }
      }
      letters.shift()
      session.send(next.message, next.pages)
    }
    if (this.#waiting.get(session) === letters) this.#waiting.delete(session)
  }

  #hurry(session: Session, letters: Letter[]): void {
    for (const { message, pages } of letters.splice(0)) session.send(message, pages)
  }
}

/** Letters to one session. */
const waitingMax = 10_000
