import { defaultTimeoutMs } from '../io/deadline.js'
import type { WaitOptions } from '../io/deadline.js'
import type { Revision } from './coordinator.js'
import type {
  AnswerTo,
  ChangeSource,
  ChangesAnswer,
  ChangesRequest,
  Request,
  StoreAccess,
} from './request.js'

/** How a request comes to a `CoordinatorServer`: called directly, or through a network. It ends as `StoreAccess` says. */
export type Ask = <R extends Request | ChangesRequest>(
  request: R,
  options: WaitOptions,
) => Promise<AnswerTo<R>>

/** The share of a caller's time after which the server is to say that nothing has changed, so that silence means that it is out of reach. */
const waitShare = 0.5

/** The way to a `CoordinatorServer`. */
export class ServedAccess implements StoreAccess {
  readonly #ask: Ask

  constructor(ask: Ask) {
    this.#ask = ask
  }

  ask<R extends Request>(request: R, options: WaitOptions): Promise<AnswerTo<R>> {
    return this.#ask(request, options)
  }

  follow(prefix: string): ChangeSource {
    const read = (from: Revision, options: WaitOptions): Promise<ChangesAnswer> => {
      const waitMs = (options.timeoutMs ?? defaultTimeoutMs) * waitShare
      return this.#ask({ kind: 'changes', prefix, from, waitMs }, options)
    }
    return { read, close: () => undefined }
  }

  close(): void {
    // Nothing is held: requests end by their own time.
  }
}
