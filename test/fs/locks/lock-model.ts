import type { LockKind, LockType } from '../../../src/fs/locks/file-lock.js'
import { lockEndMax } from '../../../src/fs/locks/file-lock.js'

/** The model knows so many bytes; the last one stands for all that follow. */
export const modelBytes = 20

export interface ModelRequest {
  readonly kind: LockKind
  /** Of all mounts, by any name. */
  readonly owner: string
  readonly type: LockType
  /** Both included. */
  readonly first: number
  readonly last: number
}

/** Bytes of the model as a lock has them. */
export function rangeOf({ first, last }: { readonly first: number; readonly last: number }): {
  readonly start: bigint
  readonly end: bigint
} {
  return { start: BigInt(first), end: last === modelBytes - 1 ? lockEndMax : BigInt(last) }
}

type Cell = LockType | undefined

/** Locks as the standard tells of them: for each owner, what it has on each byte. */
export class LockModel {
  readonly #cells: Readonly<Record<LockKind, Map<string, Cell[]>>> = { posix: new Map(), flock: new Map() }

  /** Those that keep the lock from being had. */
  blockers({ kind, owner, type, first, last }: ModelRequest): string[] {
    const found: string[] = []
    for (const [other, cells] of this.#cells[kind]) {
      if (other === owner) continue
      const isInTheWay = cells
        .slice(first, last + 1)
        .some((cell) => cell === 'write' || (cell === 'read' && type === 'write'))
      if (isInTheWay) found.push(other)
    }
    return found
  }

  /** Whether it could be had. */
  set(request: ModelRequest): boolean {
    const { kind, owner, type, first, last } = request
    if (kind === 'flock') {
      if (this.#cellsOf(kind, owner)[0] === type) return true
      this.clear(request)
    }
    if (this.blockers(request).length > 0) return false
    this.#cellsOf(kind, owner).fill(type, first, last + 1)
    return true
  }

  clear({ kind, owner, first, last }: Omit<ModelRequest, 'type'>): void {
    this.#cellsOf(kind, owner).fill(undefined, first, last + 1)
  }

  removeOwners(isGone: (owner: string) => boolean): void {
    for (const cells of Object.values(this.#cells))
      for (const owner of [...cells.keys()]) if (isGone(owner)) cells.delete(owner)
  }

  /** What each owner has, byte by byte, of those who have anything. */
  picture(): string[] {
    return Object.entries(this.#cells).flatMap(([kind, owners]) =>
      [...owners]
        .filter(([, cells]) => cells.some((cell) => cell !== undefined))
        .map(([owner, cells]) => `${kind} ${owner} ${textOf(cells)}`),
    )
  }

  #cellsOf(kind: LockKind, owner: string): Cell[] {
    const known = this.#cells[kind].get(owner)
    if (known !== undefined) return known
    const made = Array.from({ length: modelBytes }, (): Cell => undefined)
    this.#cells[kind].set(owner, made)
    return made
  }
}

function textOf(cells: readonly Cell[]): string {
  return cells.map((cell) => (cell === undefined ? '.' : cell === 'read' ? 'r' : 'W')).join('')
}
