import { Worker } from 'node:worker_threads'

/** Takes notifications to the kernel, in their order, by a thread of its own. */
export class Notifier {
  readonly #fd: number
  #worker: Worker | undefined
  readonly #waiting: (() => void)[] = []
  #queued: Uint8Array[] = []
  #isClosed = false

  constructor(fd: number) {
    this.#fd = fd
  }

  /** Resolves when the kernel has taken it; at once when the server is closed. */
  tell(notification: Uint8Array): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#queued.push(notification)
      // All that comes in one turn goes in one message.
      if (this.#queued.length > 1) return
      queueMicrotask(() => {
        this.#flush()
      })
    })
  }

  close(): void {
    this.#isClosed = true
    void this.#worker?.terminate()
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #flush(): void {
    if (this.#isClosed) return
    const queued = this.#queued
    this.#queued = []
    this.#started().postMessage(queued)
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(new URL('./notify-worker.js', import.meta.url), {
      workerData: { fd: this.#fd },
    })
    worker.on('message', (count: number) => {
      for (const resolve of this.#waiting.splice(0, count)) resolve()
    })
    worker.unref()
    this.#worker = worker
    return worker
  }
}
