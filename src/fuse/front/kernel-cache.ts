import type { FileAddress } from '../../fs/attributes.js'
import type { FileHolds, HoldNumber } from '../../fs/volume/file-holds.js'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { FuseServer } from '../server/fuse-server.js'
import type { NodeTable } from './node-table.js'

/** How long the kernel may believe what is held: until it is told otherwise. */
const foreverMs = 24 * 60 * 60 * 1000
/**
 * For how long the kernel is waited for to forget, before others get the file all the same: it may wait itself for what waits for these others. Milliseconds.
 */
const forgetMsMax = 250
/** For how long a program may not run that has been answered, and the kernel not know yet what it was told. Milliseconds. */
const learnMsMax = 250
/** Between two attempts where too many notifications wait. Milliseconds. */
const retryMs = 5

interface Range {
  readonly offset: number
  readonly length: number
}

/** What the kernel may have of a file. */
interface Cached {
  readonly hold: HoldNumber
  hasAttributes: boolean
  hasPages: boolean
  /** Of a directory: names, and that there is none. */
  hasNames: boolean
  state: 'held' | 'ending' | 'paused'
  /** Read while the kernel was being told to forget, which may have missed it. */
  readonly late: Range[]
  /** Reads that wait until it has been let go of. */
  readonly waiting: (() => void)[]
}

type Server = Pick<FuseServer, 'notify' | 'startEpoch' | 'offers'>

export interface KernelCacheOptions {
  readonly holds: Pick<FileHolds, 'current' | 'release'>
  readonly nodes: NodeTable
  readonly server: Server
  readonly logger: Logger
}

/**
 * What the kernel has in its caches, and when it must forget (docs/file-system.md): names, attributes and bytes are there exactly as long as the file is held, so that a warm look needs nobody but the
 * kernel, and still nobody ever sees what was before a change that has been made elsewhere.
 *
 * Where a hold is to end, the kernel is told to forget, and only then others go on. The kernel can be kept from that by a page that is being read, so reads are answered
 * meanwhile; what they have brought is forgotten in a second round, during which new ones wait. It can be kept by a write, too, that waits
 * for the very others that wait for us: so it is not waited for longer than `forgetMsMax`.
 */
export class KernelCache {
  readonly #options: KernelCacheOptions
  readonly #files = new Map<FileAddress, Cached>()

  constructor(options: KernelCacheOptions) {
    this.#options = options
  }

  /** The hold under which an answer about the file is right at this moment. */
  stamp(file: FileAddress): HoldNumber | undefined {
    return this.#options.holds.current(file)
  }

  /** For how long the kernel may believe what it is told of the file, which was right under that hold. Counts as told. Milliseconds. */
  attributesValidMs(file: FileAddress, stamp: HoldNumber | undefined): number {
    const cached = this.#heldSince(file, stamp)
    if (cached === undefined) return 0
    cached.hasAttributes = true
    return foreverMs
  }

  /** The same of a name in a directory. */
  entryValidMs(directory: FileAddress, stamp: HoldNumber | undefined): number {
    // Names can be forgotten one by one, too; but the kernel waits then for whatever is under way in the directory.
    if (!this.#options.server.offers.epochs) return 0
    const cached = this.#heldSince(directory, stamp)
    if (cached === undefined) return 0
    cached.hasNames = true
    return foreverMs
  }

  /** To be waited for before the file is read, where there is something to wait for. */
  beforeRead(file: FileAddress): Promise<void> | undefined {
    const cached = this.#files.get(file)
    if (cached?.state !== 'paused') return undefined
    return new Promise((resolve) => cached.waiting.push(resolve))
  }

  /** These bytes, which were right under that hold, are answered to the kernel in this turn; it keeps them. */
  reads(file: FileAddress, stamp: HoldNumber | undefined, range: Range): void {
    const held = this.#heldSince(file, stamp)
    if (held !== undefined) {
      held.hasPages = true
      return
    }
    const cached = this.#files.get(file)
    if (cached !== undefined && cached.state !== 'held' && cached.hold === stamp) cached.late.push(range)
    // When it has got them.
    else setImmediate(() => void this.#forget(file, range))
  }

  /**
   * Something has changed in the file's bytes that the kernel passes by its cache. To be waited for before that is answered, where there is something to wait for.
   */
  wrote(file: FileAddress): Promise<void> | undefined {
    const cached = this.#files.get(file)
    if (cached?.hasPages !== true) return undefined
    // What is read from here on is new.
    cached.hasPages = false
    return this.#forget(file, { offset: 0, length: 0 })
  }

  /** Its permissions have changed by what the kernel takes for a change of its bytes alone. To be waited for before that is answered. */
  permissionsChanged(file: FileAddress): Promise<void> {
    return this.#forget(file, undefined)
  }

  /** The kernel knows nothing of the file any more. */
  forgotten(file: FileAddress): void {
    const cached = this.#files.get(file)
    if (cached === undefined) this.#options.holds.release(file)
    else if (cached.state === 'held') this.#letGo(file, cached)
  }

  /** For `FileSystem.holdFiles`. */
  ended(file: FileAddress): void {
    const cached = this.#files.get(file)
    // The kernel was told nothing of it.
    if (cached === undefined) this.#options.holds.release(file)
    else if (cached.state === 'held') void this.#end(file, cached)
  }

  #heldSince(file: FileAddress, stamp: HoldNumber | undefined): Cached | undefined {
    if (stamp === undefined || this.#options.holds.current(file) !== stamp) return undefined
    const known = this.#files.get(file)
    if (known !== undefined) return known.hold === stamp && known.state === 'held' ? known : undefined
    const cached: Cached = {
      ...{ hold: stamp, hasAttributes: false, hasPages: false, hasNames: false },
      ...{ state: 'held', late: [], waiting: [] },
    }
    this.#files.set(file, cached)
    return cached
  }

  /** Never rejects. */
  async #end(file: FileAddress, cached: Cached): Promise<void> {
    cached.state = 'ending'
    if (cached.hasNames) this.#options.server.startEpoch()
    if (cached.hasPages) await this.#forget(file, { offset: 0, length: 0 })
    else if (cached.hasAttributes) await this.#forget(file, undefined)
    while (cached.late.length > 0) {
      cached.state = 'paused'
      await Promise.all(cached.late.splice(0).map((range) => this.#forget(file, range)))
    }
    this.#letGo(file, cached)
  }

  #letGo(file: FileAddress, cached: Cached): void {
    this.#files.delete(file)
    this.#options.holds.release(file)
    for (const resume of cached.waiting) resume()
  }

  /**
   * Attributes, and bytes of that range, where there is one; a length of 0 is to the end. Resolves when the kernel has forgotten, or is not waited for any longer. Never
   * rejects.
   */
  async #forget(file: FileAddress, range: Range | undefined): Promise<void> {
    const { nodes, server, logger } = this.#options
    const node = nodes.at(file)?.node
    if (node === undefined) return
    const { offset, length } = range ?? { offset: -1, length: 0 }
    const until = performance.now() + forgetMsMax
    const lastMs = performance.now() + learnMsMax
    for (;;) {
      try {
        const forgetting = server.notify({ kind: 'inode', node, offset, length })
        const result = await orLater(forgetting, until)
        if (result === 'later')
          logger.log('warn', 'the kernel takes long to forget what others change', { node })
        // It was told of the file, and the program that had asked has not run since: with what that brings it would have what is to be forgotten.
        if (result !== 'unknown' || nodes.at(file)?.node !== node || performance.now() > lastMs) return
        await new Promise((resolve) => setTimeout(resolve, retryMs))
      } catch (reason) {
        const { code, message } = KhazanaError.from(reason)
        if (code === 'busy' && performance.now() < until) {
          await new Promise((resolve) => setTimeout(resolve, retryMs))
          continue
        }
        if (code !== 'closed')
          logger.log('error', 'the kernel was not told what others change', { node, reason: message })
        return
      }
    }
  }
}

/** `later` where that takes longer than until then, of `performance.now()`. Rejects as `promise`, until then. */
function orLater<T>(promise: Promise<T>, until: number): Promise<T | 'later'> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        resolve('later')
      },
      Math.max(0, until - performance.now()),
    )
    promise.then(
      (result) => {
        clearTimeout(timer)
        resolve(result)
      },
      (reason: unknown) => {
        clearTimeout(timer)
        reject(KhazanaError.from(reason))
      },
    )
  })
}
