import { KhazanaError } from '../../src/stdx/errors.js'
import type { TimedOperation } from '../record.js'
import type { ClientError } from './messages.js'

/** What a process did and met, until somebody takes it. */
export class Notebook {
  #operations: TimedOperation[] = []
  #errors: ClientError[] = []

  operation(operation: TimedOperation): void {
    this.#operations.push(operation)
  }

  error(reason: unknown): void {
    const { code, message } = KhazanaError.from(reason)
    this.#errors.push({ code, message })
  }

  /** What has come since the last call; the caller's own. */
  take(): { readonly operations: readonly TimedOperation[]; readonly errors: readonly ClientError[] } {
    const taken = { operations: this.#operations, errors: this.#errors }
    this.#operations = []
    this.#errors = []
    return taken
  }
}
