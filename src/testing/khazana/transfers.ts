import type { Khazana } from '../../client/khazana.js'
import type { Clock } from '../../io/clock.js'
import type { LockContext } from '../../node/replica/lock-context.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Prng } from '../../stdx/prng.js'
import type { HistoryRecorder } from '../history.js'
import type { Place } from './place.js'
import { readCell, writeCell } from './cell.js'
import type { Locker } from './locker.js'
import { pause } from './pause.js'

/** Two keys of two regions that are only ever written together, the same into both. The first has the lower address. */
export type Pair = readonly [Place, Place]

/** How often one is written, and how often its region is moved where homes move; else both are read. */
const writingShare = 0.6
const movingShare = 0.1

export interface TransfersOptions {
  readonly name: string
  readonly khazana: Khazana
  readonly clock: Clock
  readonly random: Prng
  readonly history: HistoryRecorder
  readonly locker: Locker
  readonly pairs: readonly Pair[]
  readonly movesTo: () => readonly string[]
  /** Something that must never happen. */
  readonly complain: (what: string) => void
  /** Whether faults explain it. */
  readonly judge: (reason: unknown) => void
}

/** A program that changes two things at once, in whichever regions they are, and looks at both at once. */
export class Transfers {
  readonly #options: TransfersOptions
  #written = 0

  constructor(options: TransfersOptions) {
    this.#options = options
  }

  async operate(): Promise<void> {
    const { random, pairs, movesTo, judge } = this.#options
    const pair = random.pick(pairs)
    const nodes = movesTo()
    try {
      if (nodes.length > 0 && random.chance(movingShare))
        await this.#move(random.pick(pair), random.pick(nodes))
      else if (random.chance(writingShare)) await this.#write(pair)
      else await this.#read(pair)
    } catch (error) {
      judge(error)
    }
  }

  async #move({ region: address }: Place, to: string): Promise<void> {
    const timeoutMs = this.#options.random.logarithmic(100, 20_000)
    const region = await this.#options.locker.region(address, timeoutMs)
    await region.migrate(to, { timeoutMs })
  }

  async #write(pair: Pair): Promise<void> {
    const { name, history, khazana, random } = this.#options
    const value = `${name}+${++this.#written}`
    const operations = pair.map(({ cell }) => history.write(name, cell.key, value))
    let old: string | null
    let locks: readonly LockContext[]
    try {
      locks = await this.#lock(pair, 'write')
      old = await this.#use(locks, () => {
        const before = this.#common(pair, locks)
        pair.forEach(({ cell }, at) => {
          const lock = locks[at]
          if (lock !== undefined) writeCell(lock, cell, value)
        })
        return before
      })
    } catch (error) {
      for (const operation of operations) operation.failed()
      throw error
    }
    try {
      await khazana.unlockAll(random.shuffle([...locks]))
      for (const operation of operations) operation.wrote(old)
    } catch (error) {
      const { code } = KhazanaError.from(error)
      const isUnknown = code === 'outcome-unknown' || code === 'storage-failed'
      for (const operation of operations) {
        if (isUnknown) operation.unknown(old)
        else operation.failed()
      }
      throw error
    }
  }

  async #read(pair: Pair): Promise<void> {
    const { name, history, khazana, random } = this.#options
    const operations = pair.map(({ cell }) => history.read(name, cell.key))
    try {
      const locks = await this.#lock(pair, 'read')
      const value = await this.#use(locks, () => this.#common(pair, locks))
      if (random.chance(0.5)) await khazana.unlockAll(locks)
      else await Promise.all(locks.map((lock) => lock.unlock()))
      for (const operation of operations) operation.read(value)
    } catch (error) {
      for (const operation of operations) operation.failed()
      throw error
    }
  }

  async #lock(pair: Pair, mode: 'read' | 'write'): Promise<readonly LockContext[]> {
    const locks: LockContext[] = []
    try {
      for (const { region, cell } of pair)
        locks.push(await this.#options.locker.lock(region, mode, cell, undefined))
      return locks
    } catch (error) {
      for (const lock of locks) lock.discard()
      throw error
    }
  }

  /** What it does under the locks, which all end where it fails. */
  async #use<T>(locks: readonly LockContext[], work: () => T): Promise<T> {
    const { random, clock } = this.#options
    try {
      const result = work()
      if (random.chance(0.3)) await pause(clock, random.exponential(10))
      return result
    } catch (error) {
      for (const lock of locks) lock.discard()
      throw error
    }
  }

  /** What is in both; it is complained of where that is not the same, with both locks in order. */
  #common(pair: Pair, locks: readonly LockContext[]): string | null {
    const values = pair.map(({ cell }, at) => {
      const lock = locks[at]
      return lock === undefined ? null : readCell(lock, cell)
    })
    const [first = null, second = null] = values
    const { name, complain } = this.#options
    const [a, b] = pair.map(({ cell }) => cell.key)
    if (first !== second) complain(`${name} sees half a transfer: ${first} in ${a}, and ${second} in ${b}`)
    return first
  }
}
