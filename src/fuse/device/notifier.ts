import { Worker } from 'node:worker_threads'
import { KhazanaError } from '../../stdx/errors.js'

/** What became of a write: `taken`, or the code of the system's error. */
export type Notified = string

export interface NotifyWorkerData {
  readonly fd: number
  /** Not 0: nothing more may be written. */
  readonly stopped: Int32Array
}

/** `forgotten`; `unknown`: the kernel knows no such file or name, yet: what it is told of one in an answer it knows when the program that has asked for it runs again. */
export type NotifyResult = 'forgotten' | 'unknown'

interface Waiting {
  resolve(result: NotifyResult): void
  reject(error: KhazanaError): void
}

const stopWaitMs = 1000

/** What codes mean: also that there is no kernel side any more. */
const results: ReadonlyMap<Notified, NotifyResult> = new Map([
  ['taken', 'forgotten'],
  ['ENOENT', 'unknown'],
  ['ENOTDIR', 'unknown'],
  ['ENODEV', 'forgotten'],
  ['ENOTCONN', 'forgotten'],
])

/**
 * Notifications, written in order by a thread of their own. The kernel can hold one until dirty pages were written
 * back through us, or until we have answered a read: on the main thread that would be a deadlock.
 */
export class Notifier {
  readonly #worker: Worker
  readonly #queueMax: number
  readonly #waiting: Waiting[] = []
  readonly #ended: Promise<void>
  readonly #stopped = new Int32Array(new SharedArrayBuffer(4))
  #state: 'open' | 'closed' = 'open'

  constructor(fd: number, queueMax: number) {
    this.#queueMax = queueMax
    const data: NotifyWorkerData = { fd, stopped: this.#stopped }
    this.#worker = new Worker(new URL('./notify-worker.js', import.meta.url), { workerData: data })
    this.#worker.on('message', (notified: Notified) => this.#settle(notified))
    this.#worker.on('error', (error) => this.#close(KhazanaError.from(error)))
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
  }

  /** Resolves when the kernel has taken it. Rejects with `busy` (the queue is full), `closed` or `internal`. */
  async send(bytes: Uint8Array): Promise<NotifyResult> {
    if (this.#state === 'closed') throw new KhazanaError('closed', 'the mount has ended')
    if (this.#waiting.length >= this.#queueMax) {
      throw new KhazanaError('busy', `${this.#queueMax} notifications wait already`)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#worker.postMessage(bytes)
    })
  }

  /**
   * What waits is rejected with `closed`, and what is queued is not written. Resolves when the thread has ended, or
   * when the kernel has held its last write for `stopWaitMs`: the descriptor may then be closed, as the thread writes
   * nothing more, and it does not keep the process alive.
   */
  async stop(): Promise<void> {
    Atomics.store(this.#stopped, 0, 1)
    this.#close(new KhazanaError('closed', 'the mount has ended'))
    this.#worker.postMessage('end')
    let timer: NodeJS.Timeout | undefined
    const held = new Promise<void>((resolve) => (timer = setTimeout(resolve, stopWaitMs)))
    await Promise.race([this.#ended, held])
    clearTimeout(timer)
    this.#worker.unref()
  }

  #settle(notified: Notified): void {
    const first = this.#waiting.shift()
    const result = results.get(notified)
    if (result !== undefined) first?.resolve(result)
    else first?.reject(new KhazanaError('internal', `the kernel refused a notification: ${notified}`))
  }

  #close(error: KhazanaError): void {
    this.#state = 'closed'
    for (const each of this.#waiting.splice(0)) each.reject(error)
  }
}
