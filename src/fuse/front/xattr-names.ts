import { Errno } from '../errno.js'

/** Throws `EOPNOTSUPP` for what Linux keeps there for itself, as access control lists, which we have not. */
export function checkXattrName(name: string): void {
  if (name.startsWith('system.')) throw Errno.of('EOPNOTSUPP')
}
