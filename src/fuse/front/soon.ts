import type { Soon } from '../../fs/file-system.js'
import { Errno, errnoOf } from '../errno.js'

/** Goes on at once with what is there at once. */
export function then<T, Next>(soon: Soon<T>, next: (value: T) => Soon<Next>): Soon<Next> {
  return soon instanceof Promise ? soon.then(next) : next(soon)
}

/** What is done in a directory that another mount has taken away meanwhile, while a program stands in it, finds nothing. */
export function inDirectory<T>(run: () => Soon<T>): Soon<T> {
  try {
    const soon = run()
    return soon instanceof Promise ? soon.catch(refuseStale) : soon
  } catch (reason) {
    return refuseStale(reason)
  }
}

function refuseStale(reason: unknown): never {
  throw errnoOf(reason) === 'ESTALE' ? Errno.of('ENOENT') : reason
}
