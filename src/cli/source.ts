import { addAbortSignal } from 'node:stream'
import type { Readable } from 'node:stream'
import { KhazanaError } from '../stdx/errors.js'

/** The bytes of a stream, until its end or the signal. Throws `aborted`, and `storage-failed` where it cannot be read. */
export async function* interruptible(stream: Readable, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const bytes of addAbortSignal(signal, stream)) yield bytes as Uint8Array
  } catch (reason) {
    if (signal.aborted)
      throw new KhazanaError('aborted', 'interrupted while reading the input', { cause: reason })
    const message = reason instanceof Error ? reason.message : String(reason)
    throw new KhazanaError('storage-failed', `the input cannot be read: ${message}`, { cause: reason })
  }
}
