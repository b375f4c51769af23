import { Worker } from 'node:worker_threads'

export interface PollWorkerData {
  readonly fd: number
  /** 0 rests, 1 polls, 2 ends. */
  readonly state: Int32Array
  readonly turnMs: number
}

const rest = 0
const polls = 1
const ends = 2
const turnMs = 200

/**
 * Tells when the device has something to read. The thread only waits; the main thread reads, without blocking, until
 * there is nothing more. So a burst costs one wake-up, and no request is copied between threads. The alternative,
 * a thread that reads into shared memory, wakes the main thread per request and copies each write once more.
 */
export class Watcher {
  readonly #state = new Int32Array(new SharedArrayBuffer(4))
  readonly #worker: Worker
  readonly #ended: Promise<void>

  constructor(fd: number, onReadable: () => void, onFailed: (error: Error) => void) {
    const data: PollWorkerData = { fd, state: this.#state, turnMs }
    this.#worker = new Worker(new URL('./poll-worker.js', import.meta.url), { workerData: data })
    this.#worker.on('message', onReadable)
    this.#worker.on('error', onFailed)
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
  }

  /** Calls back once, when there is something to read or the connection has ended. */
  arm(): void {
    if (Atomics.compareExchange(this.#state, 0, rest, polls) === rest) Atomics.notify(this.#state, 0)
  }

  /** Resolves when the thread has ended, within 200 ms; the descriptor may then be closed. */
  async stop(): Promise<void> {
    Atomics.store(this.#state, 0, ends)
    Atomics.notify(this.#state, 0)
    await this.#ended
  }
}
