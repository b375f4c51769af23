/** Where the text of a trace goes, line by line; for debugging. */
export type TraceSink = (line: string) => void

/**
 * A running hash over all that happened, in order: two runs of one seed are the same exactly if their hashes are.
 * Two 32-bit lanes with different multipliers; no defence against an adversary, but a difference of one bit anywhere
 * in a million events shows. Text is only made where a sink wants it.
 */
export class Trace {
  readonly #sink: TraceSink | undefined
  readonly #number = new Float64Array(1)
  readonly #words = new Uint32Array(this.#number.buffer)
  #low = 0x811c9dc5
  #high = 0x01234567

  constructor(sink?: TraceSink) {
    this.#sink = sink
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#low) + hex(this.#high)
  }

  get isRead(): boolean {
    return this.#sink !== undefined
  }

  /** Something happened at `timeMs` to `subject`. The label is a constant; `detail` may be anything. */
  note(timeMs: number, label: string, subject: string, detail?: string | number | Uint8Array): void {
    this.#mixNumber(timeMs)
    this.#mixText(label)
    this.#mixText(subject)
    if (typeof detail === 'string') this.#mixText(detail)
    else if (typeof detail === 'number') this.#mixNumber(detail)
    else if (detail !== undefined) this.#mixBytes(detail)
    if (this.#sink !== undefined) this.#sink(line(timeMs, label, subject, detail))
  }

  /** For the sink alone: said in words, not hashed. */
  comment(timeMs: number, subject: string, text: string): void {
    if (this.#sink !== undefined) this.#sink(line(timeMs, '#', subject, text))
  }

  #mix(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193)
    this.#high = Math.imul((this.#high ^ word) + (this.#low >>> 13), 0x5bd1e995)
  }

  #mixNumber(value: number): void {
    this.#number[0] = value
    this.#mix(this.#words[0] ?? 0)
    this.#mix(this.#words[1] ?? 0)
  }

  #mixText(text: string): void {
    for (let at = 0; at < text.length; at++) this.#mix(text.charCodeAt(at))
    this.#mix(0x10000 + text.length)
  }

  #mixBytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#mix(byte)
    this.#mix(0x20000 + bytes.length)
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}

function line(timeMs: number, label: string, subject: string, detail?: string | number | Uint8Array): string {
  const end =
    detail === undefined ? '' : ` ${detail instanceof Uint8Array ? `${detail.length} bytes` : detail}`
  return `${timeMs.toFixed(4).padStart(12)} ${subject} ${label}${end}`
}
