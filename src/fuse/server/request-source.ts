import { Worker } from 'node:worker_threads'
import { lastErrno, libc } from '../device/libc.js'

/** Requests handled before others of the process have their turn. */
const turnMax = 64
/** Looks for the next request before the thread that waits is asked to. */
const spinsMax = 40
/** Buffers that are kept for more than one request under way. */
const sparesMax = 16
const noDevice = 19
const notConnected = 103

export interface RequestSourceOptions {
  readonly fd: number
  /** Bytes of the largest request. */
  readonly requestBytesMax: number
  /** The bytes are the buffer's, and good until it returns. */
  readonly onRequest: (bytes: Uint8Array) => void
  /** The kernel has ended the connection. */
  readonly onEnd: () => void
}

/**
 * Reads what the kernel asks. The main thread reads as long as there is something; then it looks some more times, as whoever got an answer mostly asks again
 * within microseconds; then a thread waits for it, and says so. So a request that follows another one costs no change of thread.
 *
 * Rejected: threads that read and hand over. Each request would then wake the main thread, which takes longer than most answers.
 */
export class RequestSource {
  readonly #options: RequestSourceOptions
  #buffer: Uint8Array
  /** Buffers that nobody uses at the moment. */
  readonly #spare: Uint8Array[] = []
  readonly #state = new Int32Array(new SharedArrayBuffer(4))
  #worker: Worker | undefined
  #isOver = false

  constructor(options: RequestSourceOptions) {
    this.#options = options
    this.#buffer = new Uint8Array(options.requestBytesMax)
  }

  start(): void {
    const worker = new Worker(new URL('./poll-worker.js', import.meta.url), {
      workerData: { fd: this.#options.fd, shared: this.#state.buffer },
    })
    worker.on('message', () => {
      this.#drain()
    })
    this.#worker = worker
    this.#arm()
  }

  /** What is being handled goes on to be used after its turn: it has its buffer to itself until what this answers is called. */
  detach(): () => void {
    const buffer = this.#buffer
    this.#buffer = this.#spare.pop() ?? new Uint8Array(this.#options.requestBytesMax)
    return () => {
      if (this.#spare.length < sparesMax) this.#spare.push(buffer)
    }
  }

  async close(): Promise<void> {
    this.#isOver = true
    Atomics.store(this.#state, 0, -1)
    Atomics.notify(this.#state, 0)
    await this.#worker?.terminate()
  }

  #arm(): void {
    Atomics.store(this.#state, 0, 1)
    Atomics.notify(this.#state, 0)
  }

  #drain(): void {
    const { fd, onRequest, onEnd } = this.#options
    const { read } = libc
    let spins = 0
    for (let count = 0; count < turnMax && !this.#isOver;) {
      const length = read(fd, this.#buffer, this.#buffer.length)
      if (length > 0) {
        count += 1
        spins = 0
        onRequest(this.#buffer.subarray(0, length))
        continue
      }
      const errno = lastErrno()
      if (length === 0 || errno === noDevice || errno === notConnected) {
        this.#isOver = true
        onEnd()
        return
      }
      spins += 1
      if (spins <= spinsMax) continue
      this.#arm()
      return
    }
    if (!this.#isOver)
      setImmediate(() => {
        this.#drain()
      })
  }
}
