import { isErrorCode, KhazanaError } from '../../stdx/errors.js'
import type { Call, Result } from '../../wire/message.js'

type Answering<R, Op> = R extends { readonly op: infer Ops } ? (Op extends Ops ? R : never) : never

/** What answers an operation. */
export type ResultOf<Op extends Result['op']> = Answering<Result, Op>

/** What a home that could not do it says. */
export function refusedWith({ code, message }: ResultOf<'refused'>): KhazanaError {
  return new KhazanaError(isErrorCode(code) ? code : 'internal', message)
}

/** The result, of the kind that answers the operation. Throws `protocol-error` for another, and what a home says that refuses. */
export function expectResult<Op extends Call['op']>(op: Op, result: Result): ResultOf<Op> {
  if (result.op === 'refused') throw refusedWith(result)
  if (result.op !== op) throw new KhazanaError('protocol-error', `a ${op} was answered as a ${result.op}`)
  return result as ResultOf<Op>
}
