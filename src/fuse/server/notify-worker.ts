import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

/** Tells the kernel things, which may take until it has written back what it has: on which no request waits. See `Notifier`. */
const { fd } = workerData as { readonly fd: number }

parentPort?.on('message', (notifications: readonly Uint8Array[]) => {
  for (const notification of notifications) {
    try {
      writeSync(fd, notification)
    } catch {
      // What the kernel does not know (ENOENT) it has not cached; and of a connection that is over it has nothing.
    }
  }
  parentPort?.postMessage(notifications.length)
})
