/**
 * Who has set locks of records by an open file. A process loses its own when it closes any of the file, which the kernel says; those of the open file itself (F_OFD_SETLK) end with
 * it, which it does not say, nor which of the two a lock is. So whoever is left when the open file is released was the open file.
 */
export class DescriptionLocks {
  readonly #owners = new Map<number, Set<bigint>>()

  /** A lock was asked for. */
  asked(handle: number, owner: bigint): void {
    const known = this.#owners.get(handle)
    if (known === undefined) this.#owners.set(handle, new Set([owner]))
    else known.add(owner)
  }

  /** A process has closed it, and so has no locks on the file any more. */
  closed(handle: number, owner: bigint): void {
    this.#owners.get(handle)?.delete(owner)
  }

  /** It is open no more. Answers whose locks end with it. */
  released(handle: number): readonly bigint[] {
    const left = [...(this.#owners.get(handle) ?? [])]
    this.#owners.delete(handle)
    return left
  }
}
