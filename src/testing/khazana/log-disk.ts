import type { Directory } from '../../io/storage.js'
import type { Random } from '../../io/random.js'
import { SimDirectory } from '../sim-directory.js'
import type { SimDisk } from '../sim-disk.js'

/** A machine's disk: one directory a path, with everything that a power cut does to it. */
export class LogDisk implements SimDisk {
  readonly #directories = new Map<string, SimDirectory>()
  #bytesMax: number | undefined

  openDirectory(path: string): Promise<Directory> {
    const known = this.#directories.get(path)
    if (known !== undefined) return Promise.resolve(known)
    const made = new SimDirectory({ path })
    this.#directories.set(path, made)
    this.#limitEach()
    return Promise.resolve(made)
  }

  losePower(random: Random): void {
    for (const [path, directory] of this.#directories) this.#directories.set(path, directory.crash(random))
  }

  limit(bytesMax: number | undefined): void {
    this.#bytesMax = bytesMax
    this.#limitEach()
  }

  usedBytes(): number {
    let used = 0
    for (const directory of this.#directories.values()) used += usedBy(directory)
    return used
  }

  #limitEach(): void {
    const used = this.usedBytes()
    for (const directory of this.#directories.values()) {
      const others = used - usedBy(directory)
      directory.capacityBytes = this.#bytesMax === undefined ? Infinity : this.#bytesMax - others
    }
  }
}

function usedBy(directory: SimDirectory): number {
  return directory.names().reduce((sum, name) => sum + directory.content(name).length, 0)
}
