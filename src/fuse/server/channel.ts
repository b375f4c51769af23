import fs from 'node:fs'
import type { SystemCalls } from '../device/system-calls.js'
import { errnoNumbers } from '../errno.js'

/** What a read of the device gave: bytes in the buffer, nothing now, or the end of the connection. */
export type Received = number | 'nothing' | 'ended'

/** The descriptor of the device, read without blocking and written from the main thread. */
export class Channel {
  readonly #fd: number
  readonly #calls: SystemCalls

  constructor(fd: number, calls: SystemCalls) {
    this.#fd = fd
    this.#calls = calls
  }

  /** Receives one request. The length of the buffer must be the transfer bound and the headers at least. */
  receive(buffer: Uint8Array): Received {
    for (;;) {
      const length = this.#calls.read(this.#fd, buffer, buffer.length)
      if (length >= 0) return length
      switch (this.#calls.lastErrno()) {
        case errnoNumbers.EINTR:
        // The request was interrupted before it was read, and is gone.
        case errnoNumbers.ENOENT:
          continue
        case errnoNumbers.EAGAIN:
          return 'nothing'
        default:
          // ENODEV after an unmount; whatever else it may be, nothing can be read any more.
          return 'ended'
      }
    }
  }

  /** Writes one reply. 'refused': the kernel found it wrong, and the request is still open. */
  reply(bytes: Uint8Array): 'taken' | 'refused' {
    if (this.#calls.write(this.#fd, bytes, bytes.length) >= 0) return 'taken'
    return verdict(this.#calls.lastErrno())
  }

  /** One reply of several pieces, which are not copied on their way to the kernel. */
  replyPieces(pieces: readonly Uint8Array[]): 'taken' | 'refused' {
    try {
      fs.writevSync(this.#fd, pieces)
      return 'taken'
    } catch (error) {
      const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0
      return verdict(-errno)
    }
  }
}

/** ENOENT: the request was interrupted away. ENODEV and its like: nobody waits any more. */
function verdict(errno: number): 'taken' | 'refused' {
  return errno === errnoNumbers.EINVAL || errno === errnoNumbers.ENOMEM ? 'refused' : 'taken'
}
