import { assert } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import type { EncodedFrame } from './frame-writer.js'

/** What a frame takes in the window besides its bytes. Keeps the number of small frames bounded too. */
const frameOverheadBytes = 64

/** Consumed entries are cut off the list in steps of at least this many. */
const compactEvery = 256

/**
 * The arithmetic of an exactly-once stream over connections that break. Sent messages are numbered from 1 and kept until
 * the peer acknowledges them; received ones must come in order, and those seen before are duplicates of a replay. Both
 * ends of a stream have one.
 */
export class ReplayWindow {
  #kept: (EncodedFrame | undefined)[] = []
  /** Entries before this one are acknowledged, and empty: a frame may hold much memory. */
  #keptFrom = 0
  #sent = 0
  #acknowledged = 0
  #received = 0
  #unacknowledgedBytes = 0

  /** The number for the next message sent. */
  get nextSequence(): number {
    return this.#sent + 1
  }

  /** How many numbered messages have arrived. */
  get received(): number {
    return this.#received
  }

  /** Bytes kept, with a small charge for each frame. */
  get unacknowledgedBytes(): number {
    return this.#unacknowledgedBytes
  }

  /** Keeps the frame that was encoded with `nextSequence`. */
  sent(frame: EncodedFrame): void {
    this.#sent += 1
    this.#kept.push(frame)
    this.#unacknowledgedBytes += frame.bytes + frameOverheadBytes
  }

  /** Drops what the peer has. Throws `protocol-error` where it acknowledges what was never sent. */
  acknowledged(count: number): void {
    if (count > this.#sent) {
      throw new KhazanaError('protocol-error', `message ${count} acknowledged, where ${this.#sent} were sent`)
    }
    while (this.#acknowledged < count) {
      const frame = this.#kept[this.#keptFrom]
      assert(frame !== undefined, 'every unacknowledged frame is kept')
      this.#unacknowledgedBytes -= frame.bytes + frameOverheadBytes
      this.#kept[this.#keptFrom] = undefined
      this.#keptFrom += 1
      this.#acknowledged += 1
    }
    if (this.#keptFrom >= compactEvery && this.#keptFrom * 2 >= this.#kept.length) this.#compact()
  }

  /** A message has arrived. Throws `protocol-error` where one before it is missing. */
  arrived(sequence: number): 'new' | 'duplicate' {
    if (sequence <= this.#received) return 'duplicate'
    if (sequence !== this.#received + 1) {
      throw new KhazanaError('protocol-error', `message ${sequence} arrived after message ${this.#received}`)
    }
    this.#received = sequence
    return 'new'
  }

  /** Whether a peer that has received so many can go on with this stream. */
  canResume(peerReceived: number): boolean {
    return peerReceived >= this.#acknowledged && peerReceived <= this.#sent
  }

  /** What a peer that has received so many must be sent again, in order; what it has is dropped. */
  resume(peerReceived: number): readonly EncodedFrame[] {
    assert(this.canResume(peerReceived), 'only a stream that can go on is resumed')
    this.acknowledged(peerReceived)
    return this.#kept.slice(this.#keptFrom).filter((frame) => frame !== undefined)
  }

  /** Forgets what was sent. */
  clear(): void {
    this.#kept = []
    this.#keptFrom = 0
    this.#acknowledged = this.#sent
    this.#unacknowledgedBytes = 0
  }

  #compact(): void {
    this.#kept = this.#kept.slice(this.#keptFrom)
    this.#keptFrom = 0
  }
}
