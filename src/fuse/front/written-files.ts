import type { FileAddress } from '../../fs/attributes.js'
import type { Soon } from '../../fs/file-system.js'
import { then } from './soon.js'

/**
 * Files whose bytes have been changed and are not known to be durable: whoever closes one waits for that, also where another one has closed it a moment before and waits, too. A name, and
 * who may do what, take no time to be closed: they follow in a moment, and `fsync` waits for them.
 */
export class WrittenFiles {
  /** By the file: the number of the last change. */
  readonly #changes = new Map<FileAddress, number>()
  #last = 0

  changed(file: FileAddress): void {
    this.#last += 1
    this.#changes.set(file, this.#last)
  }

  /** Has `sync` make it durable, where there is something. Fails as that does. */
  close(file: FileAddress, sync: () => Soon<void>): Soon<void> {
    const change = this.#changes.get(file)
    if (change === undefined) return undefined
    return then(sync(), () => {
      if (this.#changes.get(file) === change) this.#changes.delete(file)
    })
  }

  /** Nobody has it open any more. */
  forget(file: FileAddress): void {
    this.#changes.delete(file)
  }
}
