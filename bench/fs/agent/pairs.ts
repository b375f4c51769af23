import fs from 'node:fs'
import type { Libc } from './libc.js'
import { secondsSince, withFile } from './raw-io.js'
import type { Work } from './raw-io.js'

/** A poller that never paused would take the processor from the very processes it waits for. */
const pollPauseMs = 0.1
/** Between two writes that somebody waits for: up to so long, by chance, so that they do not fall in step. */
const writePauseMsMax = 4

/** Looks under a lock that find that it is not one's turn, before there are pauses between them. */
const vainTriesMax = 10

/** Who begins, and who answers. */
export type Side = 0 | 1

/** What two processes do with each other, each in its own mount. Times are nanoseconds of the clock that all processes share. */
export interface Pairs {
  /** Writes the numbers from 1 to `count` into a file that it keeps open; when each write began. */
  writeNumbers(argument: { readonly path: string; readonly count: number }): readonly bigint[]
  /** Reads that file, kept open, until the last number is there or time is up; when each was first seen, it or a later one. */
  watchNumbers(argument: {
    readonly path: string
    readonly count: number
    readonly patienceMs: number
  }): readonly bigint[]
  /** Makes a name, waits for the other side's answer, and so on. */
  exchangeNames(argument: {
    readonly directory: string
    readonly side: Side
    readonly count: number
    readonly patienceMs: number
  }): Work
  /** Takes and gives back a lock that nobody else wants, for a time. */
  lockAlone(argument: { readonly path: string; readonly budgetMs: number }): Work
  holdLock(path: string): void
  /** What `holdLock` took. */
  releaseLock(): void
  /** False where somebody has it. */
  canLock(path: string): boolean
  /** Takes and gives back a lock that the other side wants, too, for a time; how often this side got it after the other one. `turnPath`: a file of both, anywhere. */
  passLock(argument: {
    readonly path: string
    readonly turnPath: string
    readonly side: Side
    readonly budgetMs: number
  }): Work
  /** Counts on under the lock whenever it is this side's turn, for a time; how often the number went on meanwhile, by both. */
  passCounter(argument: { readonly path: string; readonly side: Side; readonly budgetMs: number }): Work
}

export function pairs(libc: Libc): Pairs {
  let held: number | undefined
  return {
    writeNumbers: ({ path, count }) =>
      withFile(path, 'r+', (fd) => {
        const begun: bigint[] = []
        for (let number = 1; number <= count; number++) {
          pause(Math.random() * writePauseMsMax)
          begun.push(process.hrtime.bigint())
          writeNumber(fd, number)
        }
        return begun
      }),
    watchNumbers: ({ path, count, patienceMs }) =>
      withFile(path, 'r', (fd) => {
        const seen: bigint[] = []
        const until = performance.now() + patienceMs
        while (seen.length < count) {
          const number = readNumber(fd)
          const now = process.hrtime.bigint()
          while (seen.length < number) seen.push(now)
          if (performance.now() > until)
            throw new Error(`only ${seen.length} of ${count} writes were ever seen`)
          pause(pollPauseMs)
        }
        return seen
      }),
    exchangeNames: ({ directory, side, count, patienceMs }) => {
      const start = performance.now()
      const make = (index: number): void => fs.closeSync(fs.openSync(`${directory}/${side}-${index}`, 'wx'))
      for (let index = 0; index < count; index++) {
        if (side === 0) make(index)
        while (fs.statSync(`${directory}/${1 - side}-${index}`, { throwIfNoEntry: false }) === undefined) {
          if (performance.now() - start > patienceMs) throw new Error(`name ${index} was never seen`)
          pause(pollPauseMs)
        }
        if (side === 1) make(index)
      }
      return { operations: count, seconds: secondsSince(start) }
    },
    lockAlone: ({ path, budgetMs }) =>
      withFile(path, 'r+', (fd) => {
        const start = performance.now()
        let operations = 0
        for (; performance.now() - start < budgetMs; operations++) {
          libc.lock(fd)
          libc.unlock(fd)
        }
        return { operations, seconds: secondsSince(start) }
      }),
    holdLock: (path) => {
      held = fs.openSync(path, 'r+')
      libc.lock(held)
    },
    releaseLock: () => {
      if (held !== undefined) fs.closeSync(held)
      held = undefined
    },
    canLock: (path) =>
      withFile(path, 'r+', (fd) => {
        return libc.tryLock(fd)
      }),
    passLock: ({ path, turnPath, side, budgetMs }) =>
      withFile(path, 'r+', (fd) =>
        withFile(turnPath, 'r+', (turn) => {
          const start = performance.now()
          let operations = 0
          while (performance.now() - start < budgetMs) {
            libc.lock(fd)
            // Neither's at first.
            if (readNumber(turn) !== side + 1) {
              writeNumber(turn, side + 1)
              operations += 1
            }
            libc.unlock(fd)
            libc.yieldProcessor()
          }
          return { operations, seconds: secondsSince(start) }
        }),
      ),
    passCounter: ({ path, side, budgetMs }) =>
      withFile(path, 'r+', (fd) => {
        let first: number | undefined
        let last = 0
        const start = performance.now()
        let seconds = 0
        let vain = 0
        while (performance.now() - start < budgetMs) {
          libc.lock(fd)
          last = readNumber(fd)
          first ??= last
          seconds = secondsSince(start)
          const isMine = last % 2 === side
          if (isMine) writeNumber(fd, last + 1)
          libc.unlock(fd)
          vain = isMine ? 0 : vain + 1
          // Who is woken by the unlock would find it locked again, by who has nothing to do yet.
          if (vain > vainTriesMax) pause(pollPauseMs)
          else libc.yieldProcessor()
        }
        return { operations: last - (first ?? 0), seconds }
      }),
  }
}

const number = Buffer.alloc(8)

function readNumber(fd: number): number {
  return fs.readSync(fd, number, 0, 8, 0) === 8 ? number.readDoubleLE() : 0
}

function writeNumber(fd: number, value: number): void {
  number.writeDoubleLE(value)
  fs.writeSync(fd, number, 0, 8, 0)
}

const nothing = new Int32Array(new SharedArrayBuffer(4))

function pause(ms: number): void {
  Atomics.wait(nothing, 0, 0, ms)
}
