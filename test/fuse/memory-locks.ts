import { Errno } from '../../src/fuse/errno.js'
import type { Call } from '../../src/fuse/server/operations.js'
import type { FileLock, RequestOf } from '../../src/fuse/protocol/requests.js'

interface Held extends FileLock {
  readonly owner: bigint
  readonly isFlock: boolean
}

/** Locks of each node: flock's and those of fcntl apart, as in Linux. */
export class MemoryLocks {
  readonly #held = new Map<number, Held[]>()
  readonly #waiting = new Set<() => void>()

  get(request: RequestOf<'getlk'>): FileLock {
    return this.#conflict(request) ?? { ...request.lock, type: 'unlock' }
  }

  set(request: RequestOf<'setlk'>, call: Call): void | Errno | Promise<void | Errno> {
    if (this.#take(request)) return undefined
    if (!request.waits) return Errno.of('EAGAIN')
    return new Promise((resolve) => {
      const retry = () => {
        // Out of the set first: a lock that is taken wakes all that wait.
        this.#waiting.delete(retry)
        if (call.signal.aborted) resolve(Errno.of('EINTR'))
        else if (this.#take(request)) resolve(undefined)
        else this.#waiting.add(retry)
      }
      this.#waiting.add(retry)
      call.signal.addEventListener('abort', retry)
    })
  }

  /** All that the owner holds of the node. */
  drop(node: number, owner: bigint): void {
    this.#held.set(
      node,
      this.#of(node).filter((each) => each.owner !== owner),
    )
    this.#wake()
  }

  #take(request: RequestOf<'setlk'>): boolean {
    const { lock, owner, isFlock } = request
    if (lock.type !== 'unlock' && this.#conflict(request) !== undefined) return false
    const rest = this.#of(request.header.node).flatMap((each) =>
      each.owner === owner && each.isFlock === isFlock ? outside(each, lock) : [each],
    )
    if (lock.type !== 'unlock') rest.push({ ...lock, owner, isFlock })
    this.#held.set(request.header.node, rest)
    this.#wake()
    return true
  }

  #conflict(request: RequestOf<'getlk'> | RequestOf<'setlk'>): Held | undefined {
    const { lock, owner, isFlock } = request
    return this.#of(request.header.node).find(
      (each) =>
        each.isFlock === isFlock &&
        each.owner !== owner &&
        each.start <= lock.end &&
        lock.start <= each.end &&
        (each.type === 'write' || lock.type === 'write'),
    )
  }

  #of(node: number): readonly Held[] {
    return this.#held.get(node) ?? []
  }

  #wake(): void {
    for (const retry of [...this.#waiting]) if (this.#waiting.has(retry)) retry()
  }
}

/** What is left of a held lock when the range is taken out of it. */
function outside(held: Held, range: FileLock): Held[] {
  const left: Held[] = []
  if (held.start < range.start) {
    left.push({ ...held, end: held.end < range.start ? held.end : range.start - 1n })
  }
  if (held.end > range.end) {
    left.push({ ...held, start: held.start > range.end ? held.start : range.end + 1n })
  }
  return left
}
