import type { Clock, Timer } from '../io/clock.js'
import type { Logger } from '../io/logger.js'
import { KhazanaError } from '../stdx/errors.js'
import type { Store } from '../store/store.js'
import type { ResourceLimits, Resources } from '../wire/message.js'
import type { Home } from './home/home.js'
import { resizeMemory } from './local-memory.js'
import type { LocalMemory } from './local-memory.js'
import { checkMemory } from './node-start-up.js'

/** How long after memory was lowered what could not go is tried again, and how often: for half a minute in all. */
const evictAgainMs = 250
const evictAgainMax = 120

export interface NodeResourcesOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly memory: LocalMemory
  readonly store: Pick<
    Store,
    'diskBytes' | 'diskBytesMax' | 'usableBytes' | 'usableBytesAt' | 'diskBytesFor' | 'limitDisk'
  >
  readonly home: Pick<Home, 'promisedBytes'>
  /** There is more room for regions, or less. */
  readonly changed: () => void
}

/**
 * What a node may use of its machine, and what it does use. The limits can be changed while it runs, until it ends: the next start
 * says its own.
 */
export class NodeResources {
  readonly #options: NodeResourcesOptions
  #timer: Timer | undefined

  constructor(options: NodeResourcesOptions) {
    this.#options = options
  }

  get now(): Resources {
    const { memory, store, home } = this.#options
    return {
      memoryBytes: memory.frames.usedBytes,
      memoryBytesMax: memory.frames.bytesMax,
      diskBytes: store.diskBytes,
      diskBytesMax: store.diskBytesMax,
      storageBytes: home.promisedBytes,
      storageBytesMax: store.usableBytes,
    }
  }

  /**
   * Changes what is told: all of it, or nothing where it throws `invalid-argument`, or `no-space` for a disk limit that leaves no room
   * for what is promised to regions.
   */
  limit({ memoryBytesMax, diskBytesMax }: ResourceLimits): Resources {
    if (memoryBytesMax === undefined && diskBytesMax === undefined) return this.now
    if (memoryBytesMax !== undefined) checkMemory(memoryBytesMax)
    if (diskBytesMax !== undefined) this.#limitDisk(diskBytesMax)
    if (memoryBytesMax !== undefined) this.#limitMemory(memoryBytesMax)
    const { now } = this
    this.#options.logger.log('info', 'the limits were changed, until the node ends', {
      memoryBytesMax: now.memoryBytesMax,
      diskBytesMax: now.diskBytesMax,
    })
    return now
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #limitDisk(diskBytesMax: number): void {
    const { store, home, changed } = this.#options
    const { promisedBytes } = home
    const isLess = diskBytesMax < store.diskBytesMax
    if (store.usableBytesAt(diskBytesMax) < promisedBytes && isLess) {
      const least = store.diskBytesFor(promisedBytes)
      throw new KhazanaError(
        'no-space',
        `${promisedBytes} bytes are promised to regions on this node, which takes a disk limit of at least ${least} bytes: ` +
          'free something, or move regions to other nodes (khazana migrate), and try again',
      )
    }
    store.limitDisk(diskBytesMax)
    changed()
  }

  #limitMemory(bytesMax: number): void {
    this.#timer?.cancel()
    if (!resizeMemory(this.#options.memory, bytesMax)) this.#evictLater(bytesMax, evictAgainMax)
  }

  /** Locks, and writes on their way to the disk, hold pages for a while. */
  #evictLater(bytesMax: number, attempts: number): void {
    const { clock, logger, memory } = this.#options
    this.#timer = clock.after(evictAgainMs, () => {
      if (resizeMemory(memory, bytesMax)) return
      if (attempts > 1) {
        this.#evictLater(bytesMax, attempts - 1)
        return
      }
      const { usedBytes } = memory.frames
      logger.log('warn', 'locks hold more memory than the new limit allows: it is given back as they end', {
        memoryBytes: usedBytes,
        memoryBytesMax: bytesMax,
      })
    })
  }
}
