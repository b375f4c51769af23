import { KhazanaError } from '../stdx/errors.js'

export function unreserved(): KhazanaError {
  return new KhazanaError(
    'no-such-region',
    'the region does not exist (any more): it was never reserved, or unreserved',
  )
}
