import assert from 'node:assert/strict'
import type { Address } from '../../../src/address/address.js'
import type { FileSystem } from '../../../src/fs/file-system.js'
import type { LockRequest } from '../../../src/fs/locks/mount-locks.js'
import type { Prng } from '../../../src/stdx/prng.js'
import type { NodeCluster } from '../../node/node-cluster.js'
import { outcome } from './lock-fixture.js'
import { modelBytes, rangeOf } from './lock-model.js'

/** What is locked: nothing, for reading or for writing. */
type Cell = '.' | 'r' | 'W'

/**
 * Who certainly has what, as the programs know it: what is to be given back counts as given back when that begins, what is asked for counts as had when that has ended. However
 * the mounts do it, what certainly is had by two must never be in conflict.
 */
export class Holdings {
  readonly #cells = new Map<string, Cell[]>()
  readonly #ignored = new Set<string>()

  cellsOf(name: string): Cell[] {
    const known = this.#cells.get(name)
    if (known !== undefined) return known
    const made = Array.from({ length: modelBytes }, (): Cell => '.')
    if (!this.#ignored.has(name)) this.#cells.set(name, made)
    return made
  }

  check(context: string): void {
    const all = [...this.#cells]
    for (const [one, cells] of all)
      for (const [other, others] of all) {
        if (one >= other) continue
        for (let byte = 0; byte < modelBytes; byte++)
          assert.ok(
            !areInConflict(cells[byte] ?? '.', others[byte] ?? '.'),
            `${context}: ${one} has ${cells.join('')}, ${other} has ${others.join('')}`,
          )
      }
  }

  /** It is not said any more what this one has. */
  ignore(name: string): void {
    this.#cells.delete(name)
    this.#ignored.add(name)
  }
}

function areInConflict(a: Cell, b: Cell): boolean {
  return a !== '.' && b !== '.' && (a === 'W' || b === 'W')
}

export interface ProgramOptions {
  readonly cluster: NodeCluster
  readonly fs: FileSystem
  readonly file: Address
  readonly random: Prng
  readonly holdings: Holdings
  /** Of all programs of all mounts, another one; its number is what it locks as. */
  readonly name: string
  readonly owner: number
  readonly kind: 'posix' | 'flock'
}

/** A program that locks and unlocks at random, one thing after the other. Counts what became of it. */
export class LockProgram {
  readonly #options: ProgramOptions
  readonly outcomes = new Map<string, number>()

  constructor(options: ProgramOptions) {
    this.#options = options
  }

  async step(): Promise<void> {
    const { random, cluster } = this.#options
    if (random.chance(0.3)) await cluster.pause(random.below(random.chance(0.1) ? 200 : 8))
    const [a, b] = [random.below(modelBytes), random.below(modelBytes)]
    const [first, last] =
      this.#options.kind === 'flock' ? [0, modelBytes - 1] : [Math.min(a, b), Math.max(a, b)]
    if (random.chance(0.4)) await this.#clear(first, last)
    else await this.#set(first, last, random.chance(0.5) ? 'read' : 'write')
  }

  async end(): Promise<void> {
    const { fs, file, kind, owner } = this.#options
    this.#cells.fill('.')
    await fs.releaseLocks(file, kind, BigInt(owner))
  }

  async #clear(first: number, last: number): Promise<void> {
    const { fs, file, kind, owner } = this.#options
    this.#cells.fill('.', first, last + 1)
    await fs.unlock(file, { kind, owner: BigInt(owner), ...rangeOf({ first, last }) })
  }

  async #set(first: number, last: number, type: 'read' | 'write'): Promise<void> {
    const { cluster, fs, file, kind, owner, random, holdings, name } = this.#options
    const cells = this.#cells
    const before = [...cells]
    const cell = type === 'read' ? 'r' : 'W'
    for (let byte = first; byte <= last; byte++) {
      if (kind === 'flock' && cells[byte] !== cell) cells[byte] = '.'
      if (kind === 'posix' && type === 'read' && cells[byte] === 'W') cells[byte] = 'r'
    }
    const request: LockRequest = { kind, owner: BigInt(owner), type, pid: owner, ...rangeOf({ first, last }) }
    const stop = new AbortController()
    const waits = random.chance(0.7)
    if (waits && random.chance(0.3)) void cluster.pause(random.below(60)).then(() => stop.abort())
    const ended = await outcome(() =>
      waits ? fs.setLockWait(file, request, stop.signal) : fs.setLock(file, request),
    )
    this.outcomes.set(ended, (this.outcomes.get(ended) ?? 0) + 1)
    if (ended === 'done') cells.fill(cell, first, last + 1)
    else if (kind === 'posix') before.forEach((one, byte) => (cells[byte] = one))
    holdings.check(`${name} ${type} ${first} to ${last}`)
    if (ended === 'done' || ended === 'EAGAIN' || ended === 'EINTR') return
    assert.equal(ended, 'EDEADLK')
    await this.end()
  }

  get #cells(): Cell[] {
    return this.#options.holdings.cellsOf(this.#options.name)
  }
}
