import { FsError } from '../errno.js'
import { setUint53, viewOf } from '../layout/fields.js'
import type { FsRegion } from '../pages/fs-region.js'
import type { Lock } from '../pages/lock.js'
import type { PageRunner } from '../pages/page-runner.js'
import type { InoSource } from '../volume/ino-source.js'
import { alivePage, incarnationPage } from '../volume/mount-record.js'
import type { LockMount } from './file-lock.js'

const nothing = new Uint8Array(0)

/** Who this mount is, to those who meet its locks: its record, and a number that it gets with its first lock on a file. */
export class MountIdentity {
  readonly #runner: PageRunner
  readonly #inos: InoSource
  readonly #record: FsRegion
  readonly #alive: Lock
  #known: LockMount | undefined
  #entering: Promise<LockMount> | undefined

  constructor(
    runner: PageRunner,
    inos: InoSource,
    { record, alive }: { readonly record: FsRegion; readonly alive: Lock },
  ) {
    this.#runner = runner
    this.#inos = inos
    this.#record = record
    this.#alive = alive
  }

  /** Throws `ENOLCK` where others may have taken the mount for dead, so that its locks would be nothing to them. */
  get(): LockMount | Promise<LockMount> {
    if (!this.#isAlive) {
      const why = 'the mount was cut off for so long that others take it for dead: mount it again'
      throw new FsError('ENOLCK', why)
    }
    return this.#known ?? (this.#entering ??= this.#enter())
  }

  get #isAlive(): boolean {
    try {
      this.#alive.read(alivePage * this.#record.pageSize, 0, nothing)
      return true
    } catch {
      return false
    }
  }

  async #enter(): Promise<LockMount> {
    try {
      const incarnation = await this.#runner.run((attempt) => {
        // Of those numbers that nothing in the file system ever has twice.
        const number = this.#inos.peek(attempt)
        const page = attempt.write(this.#record, incarnationPage)
        attempt.change()
        this.#inos.take()
        setUint53(viewOf(page), 0, number)
        return number
      })
      // Else it would be taken for an earlier one after a crash of its record's home.
      await this.#runner.durable(this.#record)
      this.#known = { record: this.#record.address, incarnation }
      return this.#known
    } finally {
      this.#entering = undefined
    }
  }
}
