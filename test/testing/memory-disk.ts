import { KhazanaError } from '../../src/stdx/errors.js'
import type { Random } from '../../src/io/random.js'
import type { Directory, DirectoryLock, File } from '../../src/io/storage.js'
import type { SimDisk } from '../../src/testing/sim-disk.js'

interface Stored {
  bytes: Uint8Array
  synced: Uint8Array
}

/** The simplest disk that forgets: without power a file is what it was at its last sync. Names are always durable. */
export class MemoryDisk implements SimDisk {
  readonly #directories = new Map<string, MemoryDirectory>()
  #bytesMax: number | undefined

  openDirectory(path: string): Promise<Directory> {
    const directory =
      this.#directories.get(path) ?? new MemoryDirectory(path, (more) => this.#checkRoom(more))
    this.#directories.set(path, directory)
    return Promise.resolve(directory)
  }

  hasDirectory(path: string): boolean {
    return this.#directories.has(path)
  }

  losePower(_random: Random): void {
    for (const directory of this.#directories.values()) directory.losePower()
  }

  limit(bytesMax: number | undefined): void {
    this.#bytesMax = bytesMax
  }

  usedBytes(): number {
    return [...this.#directories.values()].reduce((sum, directory) => sum + directory.usedBytes(), 0)
  }

  #checkRoom(more: number): void {
    if (this.#bytesMax !== undefined && more > 0 && this.usedBytes() + more > this.#bytesMax) {
      throw new KhazanaError('no-space', 'the disk is full')
    }
  }
}

class MemoryDirectory implements Directory {
  readonly path: string
  readonly #checkRoom: (more: number) => void
  readonly #files = new Map<string, Stored>()
  #isLocked = false

  constructor(path: string, checkRoom: (more: number) => void) {
    this.path = path
    this.#checkRoom = checkRoom
  }

  losePower(): void {
    this.#isLocked = false
    for (const file of this.#files.values()) file.bytes = file.synced
  }

  usedBytes(): number {
    return [...this.#files.values()].reduce((sum, file) => sum + file.bytes.length, 0)
  }

  list(): Promise<string[]> {
    return Promise.resolve([...this.#files.keys()].sort())
  }

  async open(name: string, options: { readonly create: boolean }): Promise<File> {
    await Promise.resolve()
    const stored = this.#files.get(name) ?? { bytes: new Uint8Array(0), synced: new Uint8Array(0) }
    if (!this.#files.has(name) && !options.create) throw new KhazanaError('bad-format', `no file ${name}`)
    this.#files.set(name, stored)
    return fileOf(stored, this.#checkRoom)
  }

  remove(name: string): Promise<void> {
    this.#files.delete(name)
    return Promise.resolve()
  }

  rename(from: string, to: string): Promise<void> {
    const stored = this.#files.get(from)
    if (stored !== undefined) this.#files.set(to, stored)
    this.#files.delete(from)
    return Promise.resolve()
  }

  sync(): Promise<void> {
    return Promise.resolve()
  }

  async lock(): Promise<DirectoryLock> {
    await Promise.resolve()
    if (this.#isLocked) throw new KhazanaError('directory-in-use', this.path)
    this.#isLocked = true
    return {
      release: () => {
        this.#isLocked = false
        return Promise.resolve()
      },
    }
  }
}

function fileOf(stored: Stored, checkRoom: (more: number) => void): File {
  const resize = (bytes: number): void => {
    checkRoom(bytes - stored.bytes.length)
    const resized = new Uint8Array(bytes)
    resized.set(stored.bytes.subarray(0, bytes))
    stored.bytes = resized
  }
  return {
    size: () => stored.bytes.length,
    read: (position, into) => {
      const part = stored.bytes.subarray(position, position + into.length)
      into.set(part)
      return Promise.resolve(part.length)
    },
    write: async (position, chunks) => {
      await Promise.resolve()
      const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
      resize(Math.max(stored.bytes.length, position + length))
      let at = position
      for (const chunk of chunks) {
        stored.bytes.set(chunk, at)
        at += chunk.length
      }
    },
    sync: () => {
      stored.synced = stored.bytes.slice()
      return Promise.resolve()
    },
    resize: async (bytes) => {
      await Promise.resolve()
      resize(bytes)
    },
    close: () => Promise.resolve(),
  }
}
