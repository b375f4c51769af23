import { assert, present } from '../stdx/assert.js'
import type { Prng } from '../stdx/prng.js'
import type { Scheduled, Scheduler } from './scheduler.js'
import type { SimLink } from './sim-link.js'
import type { SimProcess } from './sim-process.js'

export interface PipeOptions {
  /** Bytes sent and not yet taken by the receiving program, at most: the kernels' buffers. */
  readonly windowBytes: number
  /** Above this many bytes in the sender's queue, `send` answers false. */
  readonly queueHighWaterBytes: number
  /** At this many, `drain` is called. */
  readonly queueLowWaterBytes: number
  /** How long a blocked link may hold bytes before the sender's kernel gives up, in ms. */
  readonly stallMsMin: number
  readonly stallMsMax: number
}

/** What a pipe tells its two ends. */
export interface PipeEnds {
  readonly sender: SimProcess
  readonly receiver: SimProcess
  /** The queue is at its low-water mark again. */
  drained(): void
  /** All was sent after `finish`, the end included. */
  flushed(): void
  /** The sender's kernel gives up. */
  stalled(): void
  /** False when the receiver does not read yet; ask again with `resumeReading`. */
  arrived(bytes: Uint8Array): boolean
  ended(): void
}

type Segment = { readonly kind: 'bytes'; readonly bytes: Uint8Array } | { readonly kind: 'end' }

/** A received buffer is overwritten with this once its reader has returned: it must not have been kept. */
const poison = 0xdb
/** Segments start at an odd offset of a larger buffer, so that code using `.buffer` is caught. */
const offsetBytesMax = 7
const wakeMsMax = 0.02

/**
 * One direction of a stream. The sender's queue belongs to its program: it is lost when the program dies, and stops
 * when it is paused. What is on the wire belongs to the kernels: it arrives even then. Segments keep their order, since
 * an arrival takes whatever is first on the wire, but they may be cut off at any byte.
 */
export class SimPipe {
  readonly #scheduler: Scheduler
  readonly #random: Prng
  readonly #options: PipeOptions
  readonly #link: SimLink
  readonly #linkBack: SimLink
  readonly #ends: PipeEnds
  readonly #queue: Uint8Array[] = []
  readonly #wire: Segment[] = []
  #firstOffset = 0
  #queuedBytes = 0
  #unacknowledgedBytes = 0
  #wireFreeMs = 0
  #lastArrivalMs = 0
  #isOverHighWater = false
  #isFinishing = false
  #isSevered = false
  #isReading = true
  #refusedArrivals = 0
  #onNextSend: (() => void) | undefined
  #wake: Scheduled | undefined
  #stall: Scheduled | undefined

  constructor(
    scheduler: Scheduler,
    random: Prng,
    options: PipeOptions,
    links: { readonly forth: SimLink; readonly back: SimLink },
    ends: PipeEnds,
  ) {
    this.#scheduler = scheduler
    this.#random = random
    this.#options = options
    this.#link = links.forth
    this.#linkBack = links.back
    this.#ends = ends
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Bytes that were sent and not yet taken. */
  get unacknowledgedBytes(): number {
    return this.#unacknowledgedBytes
  }

  /** False when the queue is over its high-water mark. The bytes are read when they are sent, not now. */
  send(chunks: readonly Uint8Array[]): boolean {
    assert(!this.#isFinishing, 'a send after the end')
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      this.#queue.push(chunk)
      this.#queuedBytes += chunk.length
    }
    this.#wakeSoon()
    this.#isOverHighWater ||= this.#queuedBytes > this.#options.queueHighWaterBytes
    return !this.#isOverHighWater
  }

  /** Ends the stream after what is queued. */
  finish(): void {
    this.#isFinishing = true
    this.#wakeSoon()
  }

  /** What is queued is lost; what is on the wire arrives, and then the end. */
  finishNow(): void {
    this.#dropQueue()
    this.#isFinishing = true
    this.#transmit({ kind: 'end' })
  }

  /** Nothing gets through any more, and of what is on the wire only a random beginning. */
  sever(): void {
    if (this.#isSevered) return
    this.#isSevered = true
    this.#stall?.cancel()
    const kept = this.#random.int(0, this.#wire.length)
    const cut = this.#wire[kept]
    this.#wire.length = kept
    if (cut?.kind === 'bytes' && cut.bytes.length > 1) {
      this.#wire.push({
        kind: 'bytes',
        bytes: cut.bytes.subarray(0, this.#random.int(1, cut.bytes.length - 1)),
      })
    }
  }

  /** Calls when the next segment goes out; once. */
  onNextSend(run: () => void): void {
    this.#onNextSend = run
  }

  /** The receiver reads from now on. */
  resumeReading(): void {
    this.#isReading = true
    for (; this.#refusedArrivals > 0; this.#refusedArrivals--) this.#arriveAfter(0)
  }

  #dropQueue(): void {
    this.#wake?.cancel()
    this.#wake = undefined
    this.#queue.length = 0
    this.#queuedBytes = 0
    this.#firstOffset = 0
  }

  #wakeSoon(): void {
    if (this.#wake !== undefined || this.#isSevered) return
    this.#wake = this.#scheduler.schedule(
      this.#ends.sender,
      this.#random.between(0, wakeMsMax),
      'send',
      () => {
        this.#wake = undefined
        this.#pump()
      },
    )
  }

  #pump(): void {
    while (this.#queuedBytes > 0 && !this.#isSevered) {
      const room = this.#options.windowBytes - this.#unacknowledgedBytes
      if (room <= 0) break
      const bytes = this.#take(this.#link.segmentBytes(Math.min(room, this.#queuedBytes)))
      this.#unacknowledgedBytes += bytes.length
      this.#transmit({ kind: 'bytes', bytes })
    }
    if (this.#isFinishing && this.#queuedBytes === 0) {
      this.#transmit({ kind: 'end' })
      this.#ends.flushed()
    } else if (this.#isOverHighWater && this.#queuedBytes <= this.#options.queueLowWaterBytes) {
      this.#isOverHighWater = false
      this.#ends.drained()
    }
  }

  /** The next bytes of the queue, copied. */
  #take(length: number): Uint8Array {
    const offset = this.#random.int(0, offsetBytesMax)
    const bytes = new Uint8Array(offset + length).subarray(offset)
    for (let filled = 0; filled < length;) {
      const first = present(this.#queue[0], 'the queue holds what it counts')
      const part = first.subarray(this.#firstOffset, this.#firstOffset + length - filled)
      bytes.set(part, filled)
      filled += part.length
      this.#firstOffset += part.length
      if (this.#firstOffset === first.length) {
        this.#queue.shift()
        this.#firstOffset = 0
      }
    }
    this.#queuedBytes -= length
    return bytes
  }

  #transmit(segment: Segment): void {
    if (this.#isSevered) return
    this.#onNextSend?.()
    this.#onNextSend = undefined
    const nowMs = this.#scheduler.now()
    const bytes = segment.kind === 'bytes' ? segment.bytes.length : 0
    this.#wireFreeMs = Math.max(nowMs, this.#wireFreeMs) + this.#link.occupiedMs(bytes)
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, this.#wireFreeMs + this.#link.latencyMs())
    this.#wire.push(segment)
    this.#arriveAfter(this.#lastArrivalMs - nowMs)
  }

  #arriveAfter(delayMs: number): void {
    this.#scheduler.schedule(this.#ends.receiver, delayMs, 'receive', () => this.#arrive())
  }

  #arrive(): void {
    const segment = this.#wire[0]
    if (segment === undefined) return
    if (!this.#isReading) {
      this.#refusedArrivals++
      return
    }
    if (this.#link.isBlocked) {
      this.#stallUntilOpen(this.#link, () => this.#arriveAfter(this.#link.latencyMs()))
      return
    }
    if (segment.kind === 'end') {
      this.#wire.shift()
      this.#ends.ended()
      return
    }
    const { bytes } = segment
    this.#scheduler.trace.note(this.#scheduler.now(), 'bytes', this.#ends.receiver.name, bytes)
    this.#isReading = this.#ends.arrived(bytes)
    if (!this.#isReading) {
      this.#refusedArrivals++
      return
    }
    bytes.fill(poison)
    this.#wire.shift()
    this.#acknowledge(bytes.length)
  }

  #acknowledge(bytes: number): void {
    if (this.#linkBack.isBlocked) {
      this.#stallUntilOpen(this.#linkBack, () => this.#acknowledge(bytes))
      return
    }
    if (!this.#link.isBlocked) {
      this.#stall?.cancel()
      this.#stall = undefined
    }
    this.#unacknowledgedBytes -= bytes
    if (this.#queuedBytes > 0) this.#wakeSoon()
  }

  #stallUntilOpen(link: SimLink, run: () => void): void {
    const { stallMsMin, stallMsMax } = this.#options
    link.onceOpen(run)
    this.#stall ??= this.#scheduler.schedule(
      undefined,
      this.#random.between(stallMsMin, stallMsMax),
      'stall',
      () => {
        this.#stall = undefined
        if (this.#link.isBlocked || this.#linkBack.isBlocked) this.#ends.stalled()
      },
    )
  }
}
