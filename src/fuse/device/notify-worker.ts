import fs from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { Notified, NotifyWorkerData } from './notifier.js'

// Writes notifications in a thread of its own: the kernel may hold such a write until the main thread has answered.

const { fd, stopped } = workerData as NotifyWorkerData

parentPort?.on('message', (message: Uint8Array | 'end') => {
  if (message === 'end') {
    parentPort?.close()
    return
  }
  // What is still queued at the end is dropped: the number of the descriptor may soon be another file's.
  if (Atomics.load(stopped, 0) !== 0) return
  let notified: Notified = 'taken'
  try {
    fs.writeSync(fd, message)
  } catch (error) {
    notified = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
  parentPort?.postMessage(notified)
})
