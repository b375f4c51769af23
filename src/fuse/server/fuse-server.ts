import { closeSync, writeSync, writevSync } from 'node:fs'
import type { Logger } from '../../io/logger.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { FuseDevice } from '../device/mount.js'
import { errnoNumbers, errnoOf } from '../errno.js'
import { encodeInit, viewOf } from '../protocol/replies.js'
import { readBody, readHeader } from '../protocol/request.js'
import type { Request, RequestBody } from '../protocol/request.js'
import { capabilities, maxPages, maxWrite } from './capabilities.js'
import type { FuseSettings } from './capabilities.js'
import { RequestSource } from './request-source.js'

/** Pieces of an answer, without its header; none at all for what has no answer. */
export type Answer = readonly Uint8Array[] | 'no-answer'

/** What serves a mount. */
export interface FuseHandler {
  /** Throws, or rejects with, what has an errno as its `code`, or `ErrnoError`; anything else is logged, and is `EIO`. `ENOSYS` says that this will never be served. */
  answer(request: Request): Answer | Promise<Answer>
}

export interface FuseServerOptions {
  readonly device: FuseDevice
  readonly handler: FuseHandler
  readonly logger: Logger
  readonly settings: FuseSettings
}

/** Requests that are answered later, at most: the kernel itself sends no more of its own accord, but threads of programs may. */
const openMax = 4096
const minorMin = 31
const headerBytes = 16
const nothing: readonly Uint8Array[] = []

/**
 * Speaks the kernel's FUSE protocol (linux/fuse.h): reads requests, has them answered, at once or later, and writes the answers. All of it on the main
 * thread: an answer that is at hand goes back in the same turn in which the request was read.
 */
export class FuseServer {
  readonly #options: FuseServerOptions
  readonly #source: RequestSource
  /** Requests that are answered later. */
  #open = 0
  #onClosed: () => void = () => undefined
  /** Resolves when the mount has ended: it was unmounted, or `close` was called. */
  readonly closed: Promise<void>
  #isClosed = false

  constructor(options: FuseServerOptions) {
    this.#options = options
    const { fd } = options.device
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
    this.#source = new RequestSource({
      fd,
      requestBytesMax: maxWrite + 4096,
      onRequest: (bytes) => {
        this.#onRequest(bytes)
      },
      onEnd: () => void this.close(),
    })
  }

  start(): void {
    this.#source.start()
  }

  /** Ends the service; the mount itself is for `unmountDirectory`. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#source.close()
    closeSync(this.#options.device.fd)
    this.#onClosed()
  }

  #onRequest(bytes: Uint8Array): void {
    const header = readHeader(bytes)
    const { op, unique } = header
    if (op === undefined) {
      this.#refuse(unique, errnoNumbers.ENOSYS)
      return
    }
    let body: RequestBody
    try {
      body = readBody(op, bytes)
    } catch (reason) {
      this.#options.logger.log('warn', 'a request of the kernel was not understood', {
        op,
        reason: KhazanaError.from(reason).message,
      })
      this.#refuse(unique, errnoNumbers.EIO)
      return
    }
    if (body.op === 'init') this.#onInit(unique, body)
    // Whoever was interrupted waits all the same: operations end by themselves, within their time.
    else if (body.op !== 'interrupt') this.#serve({ ...header, ...body })
  }

  #serve(request: Request): void {
    const { unique } = request
    if (this.#open >= openMax) {
      this.#refuse(unique, errnoNumbers.EAGAIN)
      return
    }
    try {
      const answer = this.#options.handler.answer(request)
      if (answer instanceof Promise) {
        this.#open += 1
        const giveBack = request.op === 'write' ? this.#source.detach() : undefined
        void this.#later(request, answer).then(giveBack)
      } else this.#answer(unique, answer)
    } catch (reason) {
      this.#fail(request, reason)
    }
  }

  /** Never rejects. */
  async #later(request: Request, answer: Promise<Answer>): Promise<void> {
    try {
      this.#answer(request.unique, await answer)
    } catch (reason) {
      this.#fail(request, reason)
    } finally {
      this.#open -= 1
    }
  }

  #fail({ unique, op }: Request, reason: unknown): void {
    const errno = errnoOf(reason)
    if (errno === undefined)
      this.#options.logger.log('error', 'an operation of the file system failed', {
        op,
        reason: reason instanceof Error ? reason.stack : String(reason),
      })
    if (op !== 'forget' && op !== 'batchForget') this.#refuse(unique, errno ?? errnoNumbers.EIO)
  }

  #answer(unique: bigint, pieces: Answer): void {
    if (pieces !== 'no-answer') this.#write(unique, 0, pieces)
  }

  #refuse(unique: bigint, errno: number): void {
    this.#write(unique, -errno, nothing)
  }

  #write(unique: bigint, error: number, pieces: readonly Uint8Array[]): void {
    if (this.#isClosed) return
    const header = new Uint8Array(headerBytes)
    const view = viewOf(header)
    let length = headerBytes
    for (const piece of pieces) length += piece.length
    view.setUint32(0, length, true)
    view.setInt32(4, error, true)
    view.setBigUint64(8, unique, true)
    const { fd } = this.#options.device
    try {
      if (pieces.length === 0) writeSync(fd, header)
      else writevSync(fd, [header, ...pieces])
    } catch (reason) {
      // Whoever asked has gone meanwhile (ENOENT), or the mount has.
      const code = reason instanceof Error && 'code' in reason ? reason.code : undefined
      if (code !== 'ENOENT' && code !== 'ENODEV')
        this.#options.logger.log('warn', 'an answer to the kernel was refused', { reason: String(reason) })
    }
  }

  #onInit(unique: bigint, { major, minor, maxReadahead, flags }: Extract<RequestBody, { op: 'init' }>): void {
    const { logger, settings } = this.#options
    if (major !== 7 || minor < minorMin) {
      logger.log('error', 'the kernel speaks another version of FUSE', { major, minor })
      this.#refuse(unique, errnoNumbers.EIO)
      return
    }
    const reply = {
      minor: Math.min(minor, 38),
      maxReadahead: Math.min(maxReadahead, maxWrite),
      flags: flags & capabilities(settings),
      maxBackground: 64,
      maxWrite,
      maxPages,
    }
    this.#answer(unique, [encodeInit(reply)])
  }
}
