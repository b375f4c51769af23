import type { Directory, DirectoryLock, File } from '../io/storage.js'
import type { Prng } from '../stdx/prng.js'
import type { DiskProfile } from './sim-disk.js'
import type { SimProcess } from './sim-process.js'

/** How long the machine's disk takes now; a fault may slow it. */
export interface DiskPace {
  readonly profile: DiskProfile
  /** Multiplies all times; 1 is normal. */
  slowness: number
}

/**
 * A directory as one process holds it. Each operation takes virtual time before and after it has its effect, and
 * nothing orders operations that are in flight together: a process that dies in between never learns which of them
 * happened. What it held locked is free once it is dead.
 */
export class ProcessDirectory implements Directory {
  readonly path: string
  readonly #inner: Directory
  readonly #disk: TimedDisk

  constructor(inner: Directory, process: SimProcess, pace: DiskPace, random: Prng) {
    this.path = inner.path
    this.#inner = inner
    this.#disk = new TimedDisk(process, pace, random)
  }

  list(): Promise<string[]> {
    return this.#disk.perform('list', 0, () => this.#inner.list())
  }

  open(name: string, options: { readonly create: boolean }): Promise<File> {
    return this.#disk.perform(
      'open',
      0,
      async () => new ProcessFile(await this.#inner.open(name, options), this.#disk),
    )
  }

  remove(name: string): Promise<void> {
    return this.#disk.perform('remove', 0, () => this.#inner.remove(name))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.perform('rename', 0, () => this.#inner.rename(from, to))
  }

  sync(): Promise<void> {
    return this.#disk.perform('sync', 0, () => this.#inner.sync())
  }

  lock(): Promise<DirectoryLock> {
    return this.#disk.perform('lock', 0, async () => {
      const lock = await this.#inner.lock()
      this.#disk.process.onDeath((death) => {
        // Releasing twice is allowed, and a disk without power has forgotten its locks.
        if (death === 'killed') void lock.release().catch(() => undefined)
      })
      return { release: () => this.#disk.perform('unlock', 0, () => lock.release()) }
    })
  }
}

class ProcessFile implements File {
  readonly #inner: File
  readonly #disk: TimedDisk

  constructor(inner: File, disk: TimedDisk) {
    this.#inner = inner
    this.#disk = disk
  }

  size(): number {
    return this.#inner.size()
  }

  read(position: number, into: Uint8Array): Promise<number> {
    return this.#disk.perform('read', into.length, () => this.#inner.read(position, into))
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    return this.#disk.perform('write', bytes, () => this.#inner.write(position, chunks))
  }

  sync(): Promise<void> {
    return this.#disk.perform('sync', 0, () => this.#inner.sync())
  }

  resize(bytes: number): Promise<void> {
    return this.#disk.perform('resize', 0, () => this.#inner.resize(bytes))
  }

  close(): Promise<void> {
    return this.#disk.perform('close', 0, () => this.#inner.close())
  }
}

class TimedDisk {
  readonly process: SimProcess
  readonly #pace: DiskPace
  readonly #random: Prng

  constructor(process: SimProcess, pace: DiskPace, random: Prng) {
    this.process = process
    this.#pace = pace
    this.#random = random
  }

  async perform<T>(operation: string, bytes: number, run: () => Promise<T>): Promise<T> {
    const label = `disk ${operation}`
    const { profile, slowness } = this.#pace
    const syncMs = operation === 'sync' ? this.#random.exponential(profile.syncMsMean) : 0
    const operationMs = profile.operationMsMin + this.#random.exponential(profile.operationMsMean)
    const totalMs = slowness * (operationMs + syncMs + bytes / profile.bandwidthBytesPerMs)
    const beforeMs = totalMs * this.#random.unit()
    await this.process.delay(beforeMs, label)
    try {
      return await run()
    } finally {
      await this.process.delay(totalMs - beforeMs, label)
    }
  }
}
