import { KhazanaError } from '../../stdx/errors.js'
import type { Call, Result } from '../../wire/message.js'

type Answering<R, Op> = R extends { readonly op: infer Ops } ? (Op extends Ops ? R : never) : never

/** What answers an operation. */
export type ResultOf<Op extends Call['op']> = Answering<Result, Op>

/** The result, of the kind that answers the operation. Throws `protocol-error` for another. */
export function expectResult<Op extends Call['op']>(op: Op, result: Result): ResultOf<Op> {
  if (result.op !== op) throw new KhazanaError('protocol-error', `a ${op} was answered as a ${result.op}`)
  return result as ResultOf<Op>
}
