import fs from 'node:fs'
import type { SystemCalls } from '../device/system-calls.js'
import { pollIn } from '../device/system-calls.js'
import { errnoNumbers } from '../errno.js'

/** What a read of the device gave: bytes in the buffer, nothing now, or the end of the connection. */
export type Received = number | 'nothing' | 'ended'

/** The descriptor of the device, read without blocking and written from the main thread. */
export class Channel {
  readonly #fd: number
  readonly #calls: SystemCalls
  readonly #pollfd = new Uint8Array(8)
  readonly #lingerTime = new Uint8Array(16)

  /** After the last request the main thread waits up to `lingerUs` for the next, before it sleeps in its loop. */
  constructor(fd: number, calls: SystemCalls, lingerUs: number) {
    this.#fd = fd
    this.#calls = calls
    const view = new DataView(this.#pollfd.buffer)
    view.setInt32(0, fd, true)
    view.setInt16(4, pollIn, true)
    new DataView(this.#lingerTime.buffer).setUint32(8, lingerUs * 1000, true)
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

  /** Blocks, for microseconds, and says whether a request has come meanwhile. */
  linger(): boolean {
    return this.#calls.ppoll(this.#pollfd, 1, this.#lingerTime, null) > 0
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
