import type { LockMode } from '../../address/lock-mode.js'
import type { LockTerms } from '../../address/lock-terms.js'
import type { ByteRange } from '../../address/range.js'
import type { PageRange } from '../../address/page.js'
import type { LockId } from '../../consistency/contract.js'
import type { KhazanaError } from '../../stdx/errors.js'
import type { Deadline, Resolvers } from '../../io/deadline.js'
import type { LockContext } from './lock-context.js'

/** A lock request on its way, from the miss until the caller has its context or its error. */
export interface WaitingLock {
  readonly mode: LockMode
  readonly range: ByteRange
  readonly pages: PageRange
  readonly outcome: Resolvers<LockContext>
  readonly terms: LockTerms
  deadline: Deadline | undefined
  /** Whether the manager has been asked, and has not answered. */
  isWithManager: boolean
  /** By which the manager knows it: another one each time that it is asked. */
  id: LockId
  /** For what others wait already, whose request came before the caller has its context: it is told of that then. */
  wanted: 'read' | 'write' | undefined
  /** Whether the right was lost before the caller had its context: it is asked for again, as if it had not been granted. */
  isLost: boolean
  /** Whether the manager that granted it is no more. */
  isVoid: boolean
  /**
   * `asked`: the manager has it. `granted`: the manager has given it and the frames are on their way to memory.
   * `over`: the caller has its answer.
   */
  state: 'asked' | 'granted' | 'over'
  /** Set by whoever ends it with an error while it is `granted`: the lock is given back when the frames are there. */
  failure: KhazanaError | undefined
}
