import type { Logger } from '../../io/logger.js'
import { unreachable } from '../../stdx/assert.js'
import type { Encoder } from './answer-encoders.js'
import {
  asAttributes,
  asCreate,
  asEntry,
  asLock,
  asNothing,
  asOffset,
  asOpen,
  asSize,
  asStatfs,
  asXattr,
  asXattrNames,
} from './answer-encoders.js'
import type { Channel } from './channel.js'
import type { ErrnoName } from '../errno.js'
import { Errno, errnoNumbers, errnoOf } from '../errno.js'
import type { Answer, Call, FuseOperations, ReadAnswer } from './operations.js'
import { PendingCall } from './pending-call.js'
import { decodeRequest } from '../protocol/decode.js'
import { initFlags } from '../protocol/flags.js'
import { negotiate, offersOf } from '../protocol/negotiate.js'
import type { Offers } from '../protocol/negotiate.js'
import { ReplyWriter } from '../protocol/reply-writer.js'
import type { FuseRequest, RequestOf } from '../protocol/requests.js'

export interface DispatcherOptions {
  readonly operations: FuseOperations
  readonly logger: Logger
  readonly channel: Channel
  readonly writes: 'through' | 'kernel'
  readonly maxReadaheadBytes: number
  readonly inFlightMax: number
  /** Called when there is room again for more requests. */
  readonly onRoom: () => void
  /** Gives back a buffer that `handle` kept. */
  readonly releaseBuffer: (buffer: Uint8Array) => void
}

/** Buffers of 1 MiB that writes keep until their promise is settled. */
const keptBuffersMax = 64
/** SETLKW requests outstanding; more are answered ENOLCK. */
const waitingLocksMax = 4096
/** Up to here a copy behind the header is cheaper than a write of several pieces. */
const copiedBytesMax = 32 * 1024

type SizedRead = RequestOf<'read'> | RequestOf<'readdir'> | RequestOf<'readdirplus'>

type Method<Request, T> = ((request: Request, call: Call) => Answer<T>) | undefined

/** Hands each request to its operation and answers the kernel. */
export class Dispatcher {
  /** Resolves at INIT. */
  readonly agreed: Promise<'agreed' | 'refused'>
  readonly #resolveAgreed: (outcome: 'agreed' | 'refused') => void
  readonly #options: DispatcherOptions
  readonly #writer = new ReplyWriter(Math.max(copiedBytesMax, 65_536))
  readonly #pending = new Map<number, PendingCall>()
  #offers: Offers = { epochs: false, expiry: false }
  #waitingLocks = 0
  #keptBuffers = 0

  constructor(options: DispatcherOptions) {
    this.#options = options
    let settle: (outcome: 'agreed' | 'refused') => void = () => undefined
    this.agreed = new Promise((resolve) => (settle = resolve))
    this.#resolveAgreed = settle
  }

  /** Locks that wait do not count: what they wait for is a request that must be read. */
  hasRoom(): boolean {
    return (
      this.#pending.size - this.#waitingLocks < this.#options.inFlightMax &&
      this.#keptBuffers < keptBuffersMax
    )
  }

  /** What the kernel can be told; nothing but what all can, before INIT. */
  get offers(): Offers {
    return this.#offers
  }

  /** Whether no promise is outstanding. */
  get isIdle(): boolean {
    return this.#pending.size === 0
  }

  /** Handles the request in the first `length` bytes. 'kept': the buffer is given back later. */
  handle(buffer: Uint8Array, length: number): 'done' | 'kept' {
    const request = decodeRequest(buffer.subarray(0, length))
    if (request.op === 'malformed') {
      this.#options.logger.log('warn', 'A request of the kernel is malformed', { reason: request.reason })
      if (request.unique !== 0) this.#fail(request.unique, 'EPROTO')
      return 'done'
    }
    if (request.op === 'unknown') {
      this.#fail(request.unique, 'ENOSYS')
      return 'done'
    }
    const promise = this.#dispatch(request)
    // Only these refer to the buffer.
    if (promise === undefined || (request.op !== 'write' && request.op !== 'setxattr')) return 'done'
    this.#keptBuffers++
    void promise.then(() => {
      const hadRoom = this.hasRoom()
      this.#keptBuffers--
      this.#options.releaseBuffer(buffer)
      if (!hadRoom && this.hasRoom()) this.#options.onRoom()
    })
    return 'kept'
  }

  /** The mount has ended: nobody waits for an answer. */
  end(): void {
    for (const call of this.#pending.values()) call.interrupt()
    this.#resolveAgreed('refused')
    try {
      this.#options.operations.destroy?.()
    } catch (error) {
      this.#options.logger.log('error', 'Ending the file system has failed', { error })
    }
  }

  /** A promise, which never rejects, where the answer is one. */
  #dispatch(request: FuseRequest): Promise<void> | undefined {
    const ops = this.#options.operations
    switch (request.op) {
      case 'lookup':
        return this.#run(request, ops, ops.lookup, asEntry)
      case 'getattr':
        return this.#run(request, ops, ops.getattr, asAttributes)
      case 'setattr':
        return this.#run(request, ops, ops.setattr, asAttributes)
      case 'readlink':
        return this.#run(request, ops, ops.readlink, this.#asTarget)
      case 'symlink':
        return this.#run(request, ops, ops.symlink, asEntry)
      case 'mknod':
        return this.#run(request, ops, ops.mknod, asEntry)
      case 'mkdir':
        return this.#run(request, ops, ops.mkdir, asEntry)
      case 'unlink':
        return this.#run(request, ops, ops.unlink, asNothing)
      case 'rmdir':
        return this.#run(request, ops, ops.rmdir, asNothing)
      case 'rename':
        return this.#run(request, ops, ops.rename, asNothing)
      case 'link':
        return this.#run(request, ops, ops.link, asEntry)
      case 'open':
        return this.#run(request, ops, ops.open, asOpen)
      case 'read':
        return this.#run(request, ops, ops.read, this.#asData)
      case 'write':
        return this.#run(request, ops, ops.write, asSize)
      case 'statfs':
        return this.#run(request, ops, ops.statfs, asStatfs)
      case 'release':
        return this.#run(request, ops, ops.release, asNothing)
      case 'fsync':
        return this.#run(request, ops, ops.fsync, asNothing)
      case 'setxattr':
        return this.#run(request, ops, ops.setxattr, asNothing)
      case 'getxattr':
        return this.#run(request, ops, ops.getxattr, asXattr)
      case 'listxattr':
        return this.#run(request, ops, ops.listxattr, asXattrNames)
      case 'removexattr':
        return this.#run(request, ops, ops.removexattr, asNothing)
      case 'flush':
        return this.#run(request, ops, ops.flush, asNothing)
      case 'opendir':
        return this.#run(request, ops, ops.opendir, asOpen)
      case 'readdir':
        return this.#run(request, ops, ops.readdir, this.#asData)
      case 'readdirplus':
        return this.#run(request, ops, ops.readdirplus, this.#asData)
      case 'releasedir':
        return this.#run(request, ops, ops.releasedir, asNothing)
      case 'fsyncdir':
        return this.#run(request, ops, ops.fsyncdir, asNothing)
      case 'getlk':
        return this.#run(request, ops, ops.getlk, asLock)
      case 'setlk':
        return this.#setLock(request)
      case 'access':
        return this.#run(request, ops, ops.access, asNothing)
      case 'create':
        return this.#run(request, ops, ops.create, asCreate)
      case 'tmpfile':
        return this.#run(request, ops, ops.tmpfile, asCreate)
      case 'fallocate':
        return this.#run(request, ops, ops.fallocate, asNothing)
      case 'lseek':
        return this.#run(request, ops, ops.lseek, asOffset)
      case 'copyFileRange':
        return this.#run(request, ops, ops.copyFileRange, asSize)
      case 'syncfs':
        return this.#run(request, ops, ops.syncfs, asNothing)
      case 'ioctl':
        // No ioctl is ours; ENOSYS would be shown to the caller as it is.
        this.#fail(request.header.unique, 'ENOTTY')
        return undefined
      case 'forget':
        this.#options.operations.forget?.([{ node: request.header.node, lookups: request.lookups }])
        return undefined
      case 'batchForget':
        this.#options.operations.forget?.(request.forgotten)
        return undefined
      case 'interrupt':
        // One that is not pending was answered already: requests are read in order, by one reader.
        this.#pending.get(request.interrupted)?.interrupt()
        return undefined
      case 'destroy':
        // The end of the connection follows, and `end` with it.
        this.#options.channel.reply(this.#writer.empty(request.header.unique))
        return undefined
      case 'init':
        this.#init(request)
        return undefined
      default:
        return unreachable(request)
    }
  }

  #init(request: RequestOf<'init'>): void {
    const { unique } = request.header
    const { operations, writes, maxReadaheadBytes } = this.#options
    this.#offers = offersOf(request)
    const answer = negotiate(request, {
      writes,
      maxReadaheadBytes,
      readdirplus: operations.readdirplus === undefined ? 'missing' : 'offered',
      locks: operations.setlk === undefined ? 'missing' : 'offered',
      backgroundMax: 64,
    })
    if (answer === undefined) this.#fail(unique, 'EPROTO')
    else this.#options.channel.reply(this.#writer.init(unique, answer))
    this.#options.logger.log('info', 'FUSE is agreed upon', {
      minor: request.minor,
      offered: request.flags.toString(16),
      granted: answer?.flags.toString(16),
      writeback: ((answer?.flags ?? 0) & initFlags.writebackCache) !== 0,
    })
    this.#resolveAgreed(answer === undefined ? 'refused' : 'agreed')
  }

  #setLock(request: RequestOf<'setlk'>): Promise<void> | undefined {
    const ops = this.#options.operations
    if (!request.waits) return this.#run(request, ops, ops.setlk, asNothing)
    if (this.#waitingLocks >= waitingLocksMax) {
      this.#fail(request.header.unique, 'ENOLCK')
      return undefined
    }
    const promise = this.#run(request, ops, ops.setlk, asNothing)
    if (promise === undefined) return undefined
    this.#waitingLocks++
    return promise.finally(() => this.#waitingLocks--)
  }

  #run<Request extends FuseRequest, T>(
    request: Request,
    operations: FuseOperations,
    method: Method<Request, T>,
    encode: Encoder<T, Request>,
  ): Promise<void> | undefined {
    const { unique } = request.header
    if (method === undefined) {
      this.#fail(unique, 'ENOSYS')
      return undefined
    }
    const call = new PendingCall()
    let answer: Answer<T>
    try {
      answer = method.call(operations, request, call)
    } catch (error) {
      this.#failWith(request, error)
      return undefined
    }
    if (!(answer instanceof Promise)) {
      this.#answer(request, answer, encode)
      return undefined
    }
    this.#pending.set(unique, call)
    return answer.then(
      (value) => {
        this.#settled(unique)
        this.#answer(request, value, encode)
      },
      (error: unknown) => {
        this.#settled(unique)
        this.#failWith(request, error)
      },
    )
  }

  #settled(unique: number): void {
    const hadRoom = this.hasRoom()
    this.#pending.delete(unique)
    if (!hadRoom && this.hasRoom()) this.#options.onRoom()
  }

  #answer<Request extends FuseRequest, T>(
    request: Request,
    answer: T | Errno,
    encode: Encoder<T, Request>,
  ): void {
    if (answer instanceof Errno) {
      this.#fail(request.header.unique, answer.code)
      return
    }
    try {
      const reply = encode(this.#writer, request, answer)
      if (reply.length === 0 || this.#options.channel.reply(reply) === 'taken') return
      throw new Error('The kernel refused the answer')
    } catch (error) {
      this.#failWith(request, error)
    }
  }

  /** The bytes of a read: short ones copied behind the header, long ones written from where they lie. */
  readonly #asData: Encoder<ReadAnswer, SizedRead> = (writer, request, answer) => {
    const pieces = answer instanceof Uint8Array ? [answer] : answer
    let length = 0
    for (const piece of pieces) length += piece.length
    if (length > request.size) throw new Error(`${length} bytes where ${request.size} were asked`)
    const { unique } = request.header
    if (length <= copiedBytesMax) return writer.data(unique, pieces, length)
    if (this.#options.channel.replyPieces([writer.headerOf(unique, length), ...pieces]) === 'refused') {
      throw new Error('The kernel refused the answer')
    }
    return written
  }

  readonly #asTarget: Encoder<Uint8Array> = (writer, request, bytes) => {
    if (bytes.length >= pathBytesMax) throw Errno.of('ENAMETOOLONG')
    return writer.data(request.header.unique, [bytes], bytes.length)
  }

  #failWith(request: FuseRequest, error: unknown): void {
    const code = errnoOf(error)
    if (code !== undefined) {
      this.#fail(request.header.unique, code)
      return
    }
    this.#options.logger.log('error', 'A file system operation has failed', { op: request.op, error })
    this.#fail(request.header.unique, 'EIO')
  }

  #fail(unique: number, code: ErrnoName): void {
    this.#options.channel.reply(this.#writer.error(unique, errnoNumbers[code]))
  }
}

/** Stands for a reply that is written already. */
const written = new Uint8Array(0)
const pathBytesMax = 4096
