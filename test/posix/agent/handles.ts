import { checked } from './libc.js'

const close = checked('int close(int fd)')

/** What an agent holds, so that it can be let go of at the end of a scene whatever happened in it. */
export class Handles {
  readonly #fds = new Set<number>()
  readonly #others = new Map<number, () => void>()
  #next = 1

  /** Remembers a descriptor, and hands it back. */
  opened(fd: number): number {
    this.#fds.add(fd)
    return fd
  }

  close(fd: number): void {
    this.#fds.delete(fd)
    close(fd)
  }

  /** Remembers what is no descriptor; answers a number for it. */
  hold(release: () => void): number {
    this.#others.set(this.#next, release)
    return this.#next++
  }

  release(handle: number): void {
    const release = this.#others.get(handle)
    if (release === undefined) throw new Error(`no handle ${handle}`)
    this.#others.delete(handle)
    release()
  }

  releaseAll(): void {
    for (const handle of [...this.#others.keys()]) this.release(handle)
    for (const fd of [...this.#fds]) this.close(fd)
  }
}
