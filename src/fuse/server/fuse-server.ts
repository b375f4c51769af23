import fs from 'node:fs'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import { Channel } from './channel.js'
import type { Mounted, MountOptions } from '../device/mount.js'
import { mountDevice } from '../device/mount.js'
import { readAhead } from '../device/read-ahead.js'
import { Notifier } from '../device/notifier.js'
import type { NotifyResult } from '../device/notifier.js'
import type { SystemCalls } from '../device/system-calls.js'
import { loadSystemCalls } from '../device/system-calls.js'
import { Watcher } from '../device/watcher.js'
import { Dispatcher } from './dispatcher.js'
import type { FuseOperations } from './operations.js'
import type { Offers } from '../protocol/negotiate.js'
import { transferBytesMax } from '../protocol/negotiate.js'
import type { Notification } from '../protocol/notifications.js'
import { encodeNotification } from '../protocol/notifications.js'

export interface FuseServerOptions {
  readonly path: string
  readonly operations: FuseOperations
  readonly logger: Logger
  /** Default `owner`. */
  readonly access?: MountOptions['access']
  /** Default `kernel`. */
  readonly permissions?: MountOptions['permissions']
  /** Default `ignored`. */
  readonly specials?: MountOptions['specials']
  /** `kernel`: writes are gathered in the page cache, which then owns size and mtime. Default `through`. */
  readonly writes?: 'through' | 'kernel'
  /** Default 1 MiB. */
  readonly maxReadaheadBytes?: number
  /** Requests that wait for a promise; beyond it none is read. Locks that wait are counted apart. Default 1024. */
  readonly inFlightMax?: number
  /** Default 4096. */
  readonly notificationsMax?: number
  /** How long the main thread looks again and again for a request that follows an answer. 0: not at all. Default 50. */
  readonly lingerUs?: number
}

/** The time for which requests are handled before timers and sockets of this process have their turn. */
const sliceMs = 4
/** The longest request: a full WRITE, or a SETXATTR, with its headers. */
const receiveBytes = transferBytesMax + 4096

/**
 * A file system mounted. Its thread is the main one: it reads requests without blocking and answers them by
 * synchronous writes, so an operation that is answered at once is a system call in and one out. After an answer it looks
 * for the next request for a while without sleeping, as whoever got the answer mostly asks again: to be woken takes
 * longer than most answers (rejected for that: to wait in ppoll, which was 2 to 5 times slower wherever the program ran
 * on another processor). Another thread waits for the device while nothing comes (see `Watcher`), another writes
 * notifications (see `Notifier`).
 *
 * This process must not make synchronous calls on its own mount: they wait for the very thread that would answer.
 */
export class FuseServer {
  /** Resolves when the mount has ended, in whatever way, and all is released. */
  readonly closed: Promise<void>
  readonly #mounted: Mounted
  readonly #channel: Channel
  readonly #notifier: Notifier
  readonly #watcher: Watcher
  readonly #dispatcher: Dispatcher
  readonly #lingerMs: number
  readonly #resolveClosed: () => void
  readonly #buffers: Uint8Array[] = [new Uint8Array(receiveBytes)]
  #state: 'serving' | 'ended' = 'serving'
  #turn: 'none' | 'planned' = 'none'
  /** Milliseconds of `performance.now()`. */
  #lingersUntil = 0

  /** Mounts, and resolves when the kernel and we have agreed. Throws as `mountDevice`, and `wrong-version`. */
  static async mount(options: FuseServerOptions): Promise<FuseServer> {
    const calls = loadSystemCalls()
    const mounted = await mountDevice(
      {
        path: options.path,
        access: options.access ?? 'owner',
        permissions: options.permissions ?? 'kernel',
        specials: options.specials ?? 'ignored',
        maxReadBytes: transferBytesMax,
      },
      calls,
    )
    const server = new FuseServer(options, mounted, calls)
    server.#watcher.arm()
    const outcome = await Promise.race([
      server.#dispatcher.agreed,
      server.closed.then(() => 'refused' as const),
    ])
    if (outcome === 'agreed') {
      void readAhead(options.path, options.maxReadaheadBytes ?? transferBytesMax)
      return server
    }
    await server.unmount()
    throw new KhazanaError('wrong-version', 'the kernel speaks another version of FUSE')
  }

  private constructor(options: FuseServerOptions, mounted: Mounted, calls: SystemCalls) {
    this.#lingerMs = (options.lingerUs ?? 50) / 1000
    this.#mounted = mounted
    this.#channel = new Channel(mounted.fd, calls)
    this.#notifier = new Notifier(mounted.fd, options.notificationsMax ?? 4096)
    this.#dispatcher = new Dispatcher({
      operations: options.operations,
      logger: options.logger,
      channel: this.#channel,
      writes: options.writes ?? 'through',
      maxReadaheadBytes: options.maxReadaheadBytes ?? transferBytesMax,
      inFlightMax: options.inFlightMax ?? 1024,
      onRoom: () => this.#planTurn(),
      releaseBuffer: (buffer) => this.#buffers.push(buffer),
    })
    let settle: () => void = () => undefined
    this.closed = new Promise((resolve) => (settle = resolve))
    this.#resolveClosed = settle
    this.#watcher = new Watcher(
      mounted.fd,
      () => this.#drain(),
      (error) => {
        options.logger.log('error', 'The thread that watches the device has failed', { error })
        this.#end()
      },
    )
  }

  /**
   * Tells the kernel to forget. Resolves when it has: what is read after that comes from the operations. `unknown` where it knows no such thing, yet: it
   * may be about to learn of it from an answer that was written before. Pages are
   * to be invalidated before attributes with a new size are answered; else the kernel shows old pages, and zeros
   * behind them, for the new size. The promise may wait for operations (dirty pages are written back first), so no
   * operation may wait for it. Rejects with `busy` or `closed`.
   */
  async notify(notification: Notification): Promise<NotifyResult> {
    return this.#notifier.send(encodeNotification(notification))
  }

  /** What the kernel can be told. */
  get offers(): Offers {
    return this.#dispatcher.offers
  }

  /**
   * Has all names that were told until now looked up again before they are used, at once and before any notification that waits: the kernel only counts, and
   * waits for nothing. Throws `unsupported` where it does not offer that: see `offers`.
   */
  startEpoch(): void {
    if (!this.offers.epochs) throw new KhazanaError('unsupported', 'the kernel knows no epochs of names')
    this.#channel.reply(encodeNotification({ kind: 'epoch' }))
  }

  /** Ends the mount, also while it is in use. Resolves as `closed`. */
  async unmount(): Promise<void> {
    if (this.#state === 'serving') await this.#mounted.unmount()
    // A mount that others have open lives on in the kernel until they close: the end of the descriptor ends it.
    this.#end()
    return this.closed
  }

  /** Reads and handles requests until there are none, or others have to have their turn. */
  #drain(): void {
    this.#turn = 'none'
    const sliceEnd = performance.now() + sliceMs
    while (this.#state === 'serving' && this.#dispatcher.hasRoom()) {
      const buffer = this.#buffers.pop() ?? new Uint8Array(receiveBytes)
      const received = this.#channel.receive(buffer)
      if (received === 'ended') {
        this.#end()
        return
      }
      if (received === 'nothing') {
        this.#buffers.push(buffer)
        // With promises outstanding the event loop must turn; else the next request is but microseconds away.
        if (this.#dispatcher.isIdle && performance.now() < this.#lingersUntil) continue
        this.#watcher.arm()
        return
      }
      const use = this.#dispatcher.handle(buffer, received)
      if (use === 'done') this.#buffers.push(buffer)
      const now = performance.now()
      this.#lingersUntil = now + this.#lingerMs
      if (now > sliceEnd) {
        this.#planTurn()
        return
      }
    }
  }

  #planTurn(): void {
    if (this.#turn === 'planned' || this.#state === 'ended') return
    this.#turn = 'planned'
    setImmediate(() => this.#drain())
  }

  #end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#dispatcher.end()
    void this.#release()
  }

  async #release(): Promise<void> {
    await this.#watcher.stop()
    // Before the descriptor is closed, as its number may be another file's a moment later.
    await this.#notifier.stop()
    fs.closeSync(this.#mounted.fd)
    this.#resolveClosed()
  }
}
