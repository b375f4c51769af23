import { KhazanaError } from '../../stdx/errors.js'
import type { ErrorCode } from '../../stdx/errors.js'
import { fieldsOf, numberOf, textOf } from './etcd-json.js'
import type { Fields } from './etcd-json.js'

/** What etcd refuses, by the status codes of gRPC. */
export class EtcdRefusal extends KhazanaError {
  readonly status: number

  constructor(code: ErrorCode, status: number, message: string) {
    super(code, message)
    this.status = status
  }
}

export const statusNotFound = 5

/** From an answer that is an error, alone or within a stream. */
export function refusalOf(answer: Fields): EtcdRefusal {
  const nested = typeof answer['error'] === 'object' ? fieldsOf(answer['error']) : answer
  const status = numberOf(nested['code'] ?? nested['grpc_code'])
  const text = textOf(nested['message'] ?? nested['error'])
  return new EtcdRefusal(codeOf(status, text), status, `etcd: ${text}`)
}

/** Where nothing else is certain, it may have happened: a leader may have been lost on the way. */
function codeOf(status: number, text: string): ErrorCode {
  switch (status) {
    case 3:
    case statusNotFound:
      return 'invalid-argument'
    case 7:
    case 16:
      return 'unsupported'
    case 8:
      return text.includes('space') ? 'no-space' : 'busy'
    default:
      return 'outcome-unknown'
  }
}
