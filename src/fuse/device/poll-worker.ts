import { parentPort, workerData } from 'node:worker_threads'
import { loadSystemCalls, pollIn } from './system-calls.js'
import type { PollWorkerData } from './watcher.js'

// Blocks in poll(2) in a thread of its own, so that none of the few threads of libuv is taken. It never reads: see
// `watcher.ts`.

const { fd, state, turnMs } = workerData as PollWorkerData
const calls = loadSystemCalls()
const pollfd = new Uint8Array(8)
const view = new DataView(pollfd.buffer)
view.setInt32(0, fd, true)
view.setInt16(4, pollIn, true)

for (;;) {
  Atomics.wait(state, 0, 0)
  if (Atomics.load(state, 0) === 2) break
  view.setInt16(6, 0, true)
  // In turns, so that it sees when it is to stop.
  if (calls.poll(pollfd, 1, turnMs) === 0) continue
  if (Atomics.compareExchange(state, 0, 1, 0) === 1) parentPort?.postMessage(0)
}
