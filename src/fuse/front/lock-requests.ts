import type { FileAddress } from '../../fs/attributes.js'
import type { FileSystem, Soon } from '../../fs/file-system.js'
import { Errno } from '../errno.js'
import type { FileLock, RequestOf } from '../protocol/requests.js'
import type { Answer, Call } from '../server/operations.js'
import { DescriptionLocks } from './description-locks.js'
import { patiently } from './patience.js'
import { then } from './soon.js'

/** What programs ask about locks, and what ends them: `flock` and `fcntl`, as the file system keeps them for all mounts. */
export class LockRequests {
  readonly #fs: FileSystem
  readonly #descriptions = new DescriptionLocks()

  constructor(fs: FileSystem) {
    this.#fs = fs
  }

  test(file: FileAddress, { owner, lock, isFlock }: RequestOf<'getlk'>, call: Call): Answer<FileLock> {
    const { type, start, end, pid } = lock
    if (type === 'unlock') return Errno.of('EINVAL')
    const request = { kind: isFlock ? 'flock' : 'posix', owner, type, start, end, pid } as const
    return then(patiently(call, this.#fs.testLock(file, request)), (inTheWay) => {
      if (inTheWay === undefined) return { ...lock, type: 'unlock' as const }
      // Processes of other machines have no number here.
      return { ...inTheWay, pid: inTheWay.isOfThisMount ? inTheWay.pid : 0 }
    })
  }

  set(file: FileAddress, request: RequestOf<'setlk'>, call: Call): Answer<void> {
    const { fh, owner, lock, isFlock, waits } = request
    const { type, start, end, pid } = lock
    const kind = isFlock ? 'flock' : 'posix'
    if (type === 'unlock') return this.#fs.unlock(file, { kind, owner, start, end })
    if (!isFlock) this.#descriptions.asked(fh, owner)
    const wanted = { kind, owner, type, start, end, pid } as const
    return waits ? this.#fs.setLockWait(file, wanted, call.signal) : this.#fs.setLock(file, wanted)
  }

  /** A descriptor is closed: by that a process loses all its locks of records on the file. */
  closed(file: FileAddress, { fh, lockOwner }: RequestOf<'flush'>): Soon<void> {
    this.#descriptions.closed(fh, lockOwner)
    return this.#fs.releaseLocks(file, 'posix', lockOwner)
  }

  /** An open file is open no more. */
  released(file: FileAddress, { fh, unlockFlock, lockOwner }: RequestOf<'release'>): Soon<void> {
    const owners = this.#descriptions.released(fh)
    if (owners.length === 0) return unlockFlock ? this.#fs.releaseLocks(file, 'flock', lockOwner) : undefined
    return this.#releaseAll(file, owners, unlockFlock ? lockOwner : undefined)
  }

  /** `flocks`: whose locks of the whole file end, too. */
  async #releaseAll(file: FileAddress, owners: readonly bigint[], flocks: bigint | undefined): Promise<void> {
    for (const owner of owners) await this.#fs.releaseLocks(file, 'posix', owner)
    if (flocks !== undefined) await this.#fs.releaseLocks(file, 'flock', flocks)
  }
}
