import { close, constants, fdatasync, open, write, writev } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/part.js'

const fileBytes = 64 * 1024 * 1024

/** A file whose blocks all exist, so that writing to it changes nothing but data; from its end it goes on at its start. */
export class RawFile {
  readonly #fd: number
  #position = 0

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** `plain`: to be flushed. `durable`: every write is flushed by itself (O_DSYNC). */
  static async make(host: Host, dir: string, kind: 'plain' | 'durable'): Promise<RawFile> {
    const path = join(dir, `raw-${kind}`)
    await writeFile(path, new Uint8Array(fileBytes), { flush: true })
    const flags = constants.O_WRONLY | (kind === 'durable' ? constants.O_DSYNC : 0)
    const fd = await new Promise<number>((resolve, reject) => {
      open(path, flags, (error, opened) => {
        if (error === null) resolve(opened)
        else reject(error)
      })
    })
    host.atEnd(() => call((done) => close(fd, done)))
    return new RawFile(fd)
  }

  append(bytes: Uint8Array): Promise<void> {
    const at = this.#advance(bytes.length)
    return call((done) => write(this.#fd, bytes, 0, bytes.length, at, done))
  }

  appendAll(chunks: readonly Uint8Array[]): Promise<void> {
    const at = this.#advance(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
    return call((done) => writev(this.#fd, chunks, at, done))
  }

  flush(): Promise<void> {
    return call((done) => fdatasync(this.#fd, done))
  }

  #advance(bytes: number): number {
    if (this.#position + bytes > fileBytes) this.#position = 0
    const at = this.#position
    this.#position += bytes
    return at
  }
}

function call(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}
