import type { Random } from '../io/random.js'
import type { Directory } from '../io/storage.js'
import type { SimDisk } from './sim-disk.js'

/** A directory that can lose its power. `SimDirectory` is one. */
export interface CrashingDirectory extends Directory {
  /** Bytes that its files may occupy together. */
  capacityBytes: number
  /** This one is dead from now on; the answer is what is found when the power is back. */
  crash(random: Random): CrashingDirectory
  names(): string[]
  content(name: string): Uint8Array
}

/**
 * A machine's disk made of directories that crash each by itself. The limit is looked at when it is set: each directory
 * may grow by what is free then.
 */
export class DirectoryDisk implements SimDisk {
  readonly #make: (path: string) => CrashingDirectory
  readonly #directories = new Map<string, CrashingDirectory>()
  #bytesMax = Infinity

  /** `make` gives a new, empty directory without delays. */
  constructor(make: (path: string) => CrashingDirectory) {
    this.#make = make
  }

  openDirectory(path: string): Promise<Directory> {
    const known = this.#directories.get(path)
    if (known !== undefined) return Promise.resolve(known)
    const directory = this.#make(path)
    directory.capacityBytes = this.#bytesMax
    this.#directories.set(path, directory)
    return Promise.resolve(directory)
  }

  /** As it is now: after a power cut it is another one. Undefined where there is none. */
  directory(path: string): CrashingDirectory | undefined {
    return this.#directories.get(path)
  }

  hasDirectory(path: string): boolean {
    return this.#directories.has(path)
  }

  losePower(random: Random): void {
    for (const [path, directory] of this.#directories) this.#directories.set(path, directory.crash(random))
  }

  limit(bytesMax: number | undefined): void {
    this.#bytesMax = bytesMax ?? Infinity
    for (const directory of this.#directories.values()) {
      const others = this.usedBytes() - used(directory)
      directory.capacityBytes = Math.max(0, this.#bytesMax - others)
    }
  }

  usedBytes(): number {
    return [...this.#directories.values()].reduce((sum, directory) => sum + used(directory), 0)
  }
}

function used(directory: CrashingDirectory): number {
  return directory.names().reduce((sum, name) => sum + directory.content(name).length, 0)
}
