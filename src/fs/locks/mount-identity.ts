import { FsError } from '../errno.js'
import { fsErrorFrom } from '../errors.js'
import { stands } from '../pages/lock.js'
import type { Lock } from '../pages/lock.js'
import type { PageRunner } from '../pages/page-runner.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { InoSource } from '../volume/ino-source.js'
import type { LockMount } from './file-lock.js'
import type { Lives } from './lives.js'

/**
 * Who this mount is to those who meet its locks: it gets a number with its first lock on a file, and lives from then on. Where it was cut off from the others for so long that
 * they may take it for dead, it gets another number, as another mount.
 */
export class MountIdentity {
  readonly #runner: PageRunner
  readonly #inos: InoSource
  readonly #lives: Lives
  readonly #slot: number
  #present: { readonly mount: LockMount; readonly life: Lock } | undefined
  #entering: Promise<LockMount> | undefined

  /** `slot`: the mount's place in the list of mounts. */
  constructor(
    runner: PageRunner,
    inos: InoSource,
    { lives, slot }: { readonly lives: Lives; readonly slot: number },
  ) {
    this.#runner = runner
    this.#inos = inos
    this.#lives = lives
    this.#slot = slot
  }

  /** Who it is at this moment. Rejects with `FsError`. */
  get(): LockMount | Promise<LockMount> {
    if (this.#entering !== undefined) return this.#entering
    if (this.#present !== undefined && stands(this.#present.life)) return this.#present.mount
    return (this.#entering = this.#enter())
  }

  /** The mount is over. */
  async close(): Promise<void> {
    await this.#entering?.catch(() => undefined)
    this.#present?.life.discard()
  }

  async #enter(): Promise<LockMount> {
    this.#present?.life.discard()
    try {
      // Of those numbers that nothing in the file system ever has twice.
      const incarnation = await this.#runner.run((attempt) => {
        const number = this.#inos.peek(attempt)
        this.#inos.take()
        return number
      })
      const mount = { slot: this.#slot, incarnation }
      this.#present = { mount, life: await this.#lives.enter(mount) }
      return mount
    } catch (reason) {
      throw reason instanceof FsError ? reason : fsErrorFrom(KhazanaError.from(reason))
    } finally {
      this.#entering = undefined
    }
  }
}
