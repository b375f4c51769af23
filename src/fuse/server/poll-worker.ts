import { parentPort, workerData } from 'node:worker_threads'
import { libc } from '../device/libc.js'

/**
 * Waits for the kernel in a thread of its own, as often as it is told to: a wait in libuv's threads would take one of their few places for ever. It only waits; the
 * main thread reads. See `RequestSource`.
 */
const { fd, shared } = workerData as { readonly fd: number; readonly shared: SharedArrayBuffer }
const state = new Int32Array(shared)
const pollIn = 1
const timeoutMs = 500
const entry = new Uint8Array(8)
const view = new DataView(entry.buffer)

for (;;) {
  Atomics.wait(state, 0, 0)
  if (Atomics.load(state, 0) < 0) break
  view.setInt32(0, fd, true)
  view.setInt16(4, pollIn, true)
  view.setInt16(6, 0, true)
  const found = libc.poll(entry, 1, timeoutMs)
  if (Atomics.load(state, 0) < 0) break
  if (found === 0) continue
  // Unless it is told to stop meanwhile.
  Atomics.compareExchange(state, 0, 1, 0)
  parentPort?.postMessage(null)
}
