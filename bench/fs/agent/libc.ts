import koffi from 'koffi'

/** Of fcntl(2) and posix_fadvise(2), on 64-bit Linux. */
const setLock = 6
const setLockAndWait = 7
const writeLock = 1
const unlock = 2
const dontNeed = 4

export interface Libc {
  /** Takes the whole file, however long that takes. Throws where that fails. */
  lock(fd: number): void
  /** False where another process has it. */
  tryLock(fd: number): boolean
  unlock(fd: number): void
  /** Lets others have the processor first. */
  yieldProcessor(): void
  /** Asks the kernel to forget what it has of a file, where that is on the disk. */
  forgetPages(fd: number): void
}

export function loadLibc(): Libc {
  const libc = koffi.load(null)
  // Declared with fixed arguments: Linux passes those of a variadic function as any others.
  const fcntl = libc.func('int fcntl(int, int, void *)') as (fd: number, what: number, lock: Buffer) => number
  const advise = libc.func('int posix_fadvise(int, int64_t, int64_t, int)') as (
    fd: number,
    from: number,
    length: number,
    advice: number,
  ) => number
  const schedYield = libc.func('int sched_yield()') as () => number
  const [taken, free] = [wholeFile(writeLock), wholeFile(unlock)]
  const must = (result: number, what: string): void => {
    if (result !== 0) throw new Error(`${what} fails with errno ${koffi.errno()}`)
  }
  return {
    lock: (fd) => must(fcntl(fd, setLockAndWait, taken), 'F_SETLKW'),
    tryLock: (fd) => fcntl(fd, setLock, taken) === 0,
    yieldProcessor: () => void schedYield(),
    unlock: (fd) => must(fcntl(fd, setLock, free), 'F_SETLK'),
    forgetPages: (fd) => void advise(fd, 0, 0, dontNeed),
  }
}

/** A `struct flock` of 64 bits: type and whence in its first four bytes; a length of 0 goes to the end. */
function wholeFile(type: number): Buffer {
  const lock = Buffer.alloc(32)
  lock.writeInt16LE(type, 0)
  return lock
}
