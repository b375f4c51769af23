import type { Address } from '../../address/address.js'
import type { FileAttributes } from '../attributes.js'
import { isEarlier } from '../environment.js'
import type { FsEnvironment, Timestamp } from '../environment.js'
import { FsError } from '../errno.js'
import { Inode, inodePage } from '../layout/inode.js'
import type { PageRunner } from '../pages/page-runner.js'

/** For how long others do not see that a file was read here. Milliseconds. */
const writeAfterMs = 1000
/** Files that were read, and have not been noted; beyond that it is done at once. */
const filesMax = 4096
/** Files that are written to at the same time. */
const writtenAtOnce = 16

export interface AccessTimesOptions {
  readonly runner: PageRunner
  readonly environment: FsEnvironment
  readonly whenIdle: (run: () => Promise<void>) => Promise<void>
}

/**
 * When files were read here last, as long as that is not in their inodes yet: who reads need not have the right to write for that, which everybody else would lose at each read. At this
 * mount it is seen at once.
 */
export class AccessTimes {
  readonly #options: AccessTimesOptions
  readonly #noted = new Map<Address, Timestamp>()
  #cancelTimer: (() => void) | undefined

  constructor(options: AccessTimesOptions) {
    this.#options = options
  }

  /** The file was read. */
  note(file: Address, now: Timestamp): void {
    this.#noted.set(file, now)
    if (this.#noted.size >= filesMax) this.#writeSoon()
    else
      this.#cancelTimer ??= this.#options.environment.after(writeAfterMs, () => {
        this.#writeSoon()
      })
  }

  /** They were set, or the file has gone. */
  forget(file: Address): void {
    this.#noted.delete(file)
  }

  /** What is known of the file, with when it was read last. */
  seen(attributes: FileAttributes): FileAttributes {
    const accessed = this.#noted.get(attributes.address)
    if (accessed === undefined || isEarlier(accessed, attributes.changed)) return attributes
    return { ...attributes, accessed }
  }

  /** All is written down, as far as it can be: where a home does not answer, the rest is not tried. Never rejects. */
  async write(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const noted = [...this.#noted]
    this.#noted.clear()
    const writeNext = async (): Promise<void> => {
      for (let next = noted.pop(); next !== undefined; next = noted.pop())
        if ((await this.#writeOne(...next)) === 'unanswered') noted.length = 0
    }
    await Promise.all(Array.from({ length: writtenAtOnce }, writeNext))
  }

  #writeSoon(): void {
    void this.#options.whenIdle(() => this.write())
  }

  /** Never rejects. */
  async #writeOne(file: Address, accessed: Timestamp): Promise<'done' | 'unanswered'> {
    const { runner } = this.#options
    const region = runner.region(file)
    try {
      await runner.run((attempt) => {
        // What has changed since has not been read since, and says so by its times.
        const found = attempt.read(region, inodePage)
        if (found === undefined || isEarlier(accessed, new Inode(found).changed)) return
        const inode = new Inode(attempt.write(region, inodePage))
        attempt.change()
        inode.accessed = accessed
        inode.bump()
      })
      return 'done'
    } catch (reason) {
      // Of a file that has gone nobody misses it.
      return reason instanceof FsError && reason.code === 'ESTALE' ? 'done' : 'unanswered'
    }
  }
}
