import { Errno } from '../errno.js'
import type { RequestHeader } from '../protocol/requests.js'

/** `system` is missing: what Linux keeps there, as access control lists, we have not. */
const namespaces = ['user.', 'trusted.', 'security.']

/** How a file is kept, which can be asked for by name: programs that copy all attributes of a file would copy that, too. */
const hiddenPrefix = 'user.khazana.'

/** Throws `EOPNOTSUPP` where there is no such namespace, `EINVAL` for nothing behind it. */
export function checkXattrName(name: string): void {
  const namespace = namespaces.find((prefix) => name.startsWith(prefix))
  if (namespace === undefined) throw Errno.of('EOPNOTSUPP')
  if (name === namespace) throw Errno.of('EINVAL')
}

/** Whether who asks is told that the file has this attribute: those for root only, nobody else is. */
export function isListed(name: string, { uid }: RequestHeader): boolean {
  return !name.startsWith(hiddenPrefix) && (uid === 0 || !name.startsWith('trusted.'))
}
