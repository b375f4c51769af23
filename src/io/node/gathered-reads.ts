import fs from 'node:fs'

/** Buffers that one readv takes here at most: no more than IOV_MAX, which is 1,024 on Linux and macOS. */
const buffersMax = 256
/** Bytes of one readv at most: it keeps one of the few threads for as long as it takes. */
const bytesMax = 1024 * 1024

interface Wanted {
  readonly position: number
  readonly into: Uint8Array
  readonly resolve: (got: number) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Reads of one file. Those that begin in the same turn, and follow each other in the file, are one call of the system: pages that were written together are mostly read
 * together, and one by one each waits for a thread: 0.35 ms for a page of 4 KiB where 32 of them were read for another node.
 */
export class GatheredReads {
  readonly #fd: number
  #wanted: Wanted[] = []

  constructor(fd: number) {
    this.#fd = fd
  }

  /** Fills `into` from the position on. Resolves to how many bytes there were: fewer than asked for only where the file ends. Rejects with the system's errors. */
  read(position: number, into: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      // When all that can go on in this turn has done so.
      if (this.#wanted.length === 0)
        process.nextTick(() => {
          this.#readWanted()
        })
      this.#wanted.push({ position, into, resolve, reject })
    })
  }

  #readWanted(): void {
    const wanted = this.#wanted
    this.#wanted = []
    if (wanted.length > 1) wanted.sort((a, b) => a.position - b.position)
    let run: Wanted[] = []
    let bytes = 0
    let end = -1
    for (const one of wanted) {
      const follows = one.position === end && run.length < buffersMax && bytes + one.into.length <= bytesMax
      if (!follows && run.length > 0) {
        this.#readRun(run)
        run = []
        bytes = 0
      }
      run.push(one)
      bytes += one.into.length
      end = one.position + one.into.length
    }
    if (run.length > 0) this.#readRun(run)
  }

  #readRun(run: readonly Wanted[]): void {
    const [first] = run
    if (first === undefined) return
    if (run.length === 1) return void this.#readOne(first)
    fs.readv(
      this.#fd,
      run.map(({ into }) => into),
      first.position,
      (error, got) => {
        let left = error === null ? got : 0
        for (const one of run) {
          // Where something is wrong each finds out by itself what that means for it.
          if (left < one.into.length) void this.#readOne(one)
          else one.resolve(one.into.length)
          left -= one.into.length
        }
      },
    )
  }

  /** Never rejects. */
  async #readOne({ position, into, resolve, reject }: Wanted): Promise<void> {
    try {
      let done = 0
      while (done < into.length) {
        const got = await readSome(this.#fd, into, done, position + done)
        if (got === 0) break
        done += got
      }
      resolve(done)
    } catch (reason) {
      reject(reason)
    }
  }
}

function readSome(fd: number, into: Uint8Array, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, into, offset, into.length - offset, position, (error, got) => {
      if (error === null) resolve(got)
      else reject(error)
    })
  })
}
