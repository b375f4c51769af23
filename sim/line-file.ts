import { closeSync, openSync, writeFileSync } from 'node:fs'
import { KhazanaError } from '../src/stdx/errors.js'

const bufferCharsMax = 1024 * 1024

/**
 * A file of lines. Written synchronously: the simulation allows no real file operation to be under way while it runs.
 * Throws `storage-failed` where it cannot be made.
 */
export class LineFile implements Disposable {
  readonly #fd: number
  #buffer: string[] = []
  #bufferChars = 0

  static create(path: string): LineFile {
    try {
      return new LineFile(openSync(path, 'w'))
    } catch (reason) {
      throw new KhazanaError('storage-failed', reason instanceof Error ? reason.message : String(reason), {
        cause: reason,
      })
    }
  }

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** A function that can be handed to whoever makes lines, which have no end of their own. */
  readonly add = (line: string): void => {
    this.#buffer.push(line)
    this.#bufferChars += line.length
    if (this.#bufferChars >= bufferCharsMax) this.#flush()
  };

  [Symbol.dispose](): void {
    this.#flush()
    closeSync(this.#fd)
  }

  #flush(): void {
    if (this.#buffer.length > 0) writeFileSync(this.#fd, `${this.#buffer.join('\n')}\n`)
    this.#buffer = []
    this.#bufferChars = 0
  }
}
