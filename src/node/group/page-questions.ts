import type { NodeId } from '../../address/identity.js'
import type { Version } from '../../address/page.js'
import type { Clock } from '../../io/clock.js'
import type { GroupMessage, WantedPage } from '../../wire/group-message.js'

/** How long a node has to answer. */
const answerMs = 1000

/** `silent`: it has not answered, or nothing that makes sense. */
export type PageAnswer =
  | { readonly kind: 'found'; readonly version: Version; readonly bytes: Uint8Array }
  | { readonly kind: 'other' | 'damaged' | 'silent' }

interface Open {
  readonly node: NodeId
  readonly answered: (answer: PageAnswer) => void
}

/** Questions to other nodes for a page, each until it is answered or its time is over. */
export class PageQuestions {
  readonly #clock: Clock
  readonly #send: (node: NodeId, body: GroupMessage) => void
  readonly #open = new Map<number, Open>()
  #last = 0

  /** Nothing is sent where there is no session. */
  constructor(clock: Clock, send: (node: NodeId, body: GroupMessage) => void) {
    this.#clock = clock
    this.#send = send
  }

  /** Never rejects. */
  async ask(node: NodeId, wanted: WantedPage): Promise<PageAnswer> {
    this.#last += 1
    const question = this.#last
    const answer = await new Promise<PageAnswer>((answered) => {
      const timer = this.#clock.after(answerMs, () => {
        answered({ kind: 'silent' })
      })
      this.#open.set(question, {
        node,
        answered: (one) => {
          timer.cancel()
          answered(one)
        },
      })
      this.#send(node, { kind: 'page-wanted', question, wanted })
    })
    this.#open.delete(question)
    return answer
  }

  onGiven(
    from: NodeId,
    { question, answer, version }: Extract<GroupMessage, { kind: 'page-given' }>,
    [bytes]: readonly Uint8Array[],
  ): void {
    const open = this.#open.get(question)
    if (open?.node !== from) return
    if (answer !== 'found') open.answered({ kind: answer })
    else open.answered(bytes === undefined ? { kind: 'silent' } : { kind: 'found', version, bytes })
  }

  close(): void {
    for (const { answered } of this.#open.values()) answered({ kind: 'silent' })
  }
}
