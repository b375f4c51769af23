import type { FsRegion } from '../pages/fs-region.js'
import { Superblock, superblockPage } from '../layout/superblock.js'
import type { Attempt } from '../pages/attempt.js'
import type { PageRunner } from '../pages/page-runner.js'

/** Numbers that a mount takes from the superblock at a time. Those that it does not use are lost, of 2^53. */
const blockSize = 65_536

/** Numbers for new files, which no other file of the file system ever has. */
export class InoSource {
  readonly #runner: PageRunner
  readonly #superblock: FsRegion
  #next = 0
  #end = 0
  #fetching: Promise<void> | undefined

  constructor(runner: PageRunner, superblock: FsRegion) {
    this.#runner = runner
    this.#superblock = superblock
  }

  /** The next number, for an operation that has asked for everything else; what it takes, `take` makes its own. Throws `Miss`. */
  peek(attempt: Attempt): number {
    if (this.#next >= this.#end) attempt.await(() => (this.#fetching ??= this.#fetch()))
    return this.#next
  }

  take(): void {
    this.#next += 1
  }

  async #fetch(): Promise<void> {
    try {
      this.#next = await this.#runner.run((attempt) => {
        const superblock = new Superblock(attempt.write(this.#superblock, superblockPage))
        attempt.change()
        const first = superblock.nextIno
        superblock.nextIno = first + blockSize
        return first
      })
      this.#end = this.#next + blockSize
      // A number must not be given twice, whatever becomes of this mount.
      await this.#runner.durable(this.#superblock)
    } finally {
      this.#fetching = undefined
    }
  }
}
