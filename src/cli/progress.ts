import { formatSize } from '../address/size-text.js'

const redrawMs = 100
const barCells = 24
const MiB = 1024 * 1024

/** One line on a terminal that shows how far something is. Where stderr is no terminal, nothing at all. */
export class Progress implements Disposable {
  readonly #label: string
  readonly #totalBytes: number | undefined
  readonly #startedMs = performance.now()
  #drawnMs = -Infinity

  /** `totalBytes` is undefined where nobody knows how much comes. */
  constructor(label: string, totalBytes: number | undefined) {
    this.#label = label
    this.#totalBytes = totalBytes
  }

  /** A function that can be handed to a transfer. */
  readonly update = (bytes: number): void => {
    const nowMs = performance.now()
    if (!process.stderr.isTTY || nowMs - this.#drawnMs < redrawMs) return
    this.#drawnMs = nowMs
    process.stderr.write(`\r${this.#line(bytes, nowMs - this.#startedMs)}\x1b[K`)
  };

  /** Removes the line. */
  [Symbol.dispose](): void {
    if (this.#drawnMs > -Infinity) process.stderr.write('\r\x1b[K')
  }

  #line(bytes: number, elapsedMs: number): string {
    const rate = `${(bytes / MiB / Math.max(elapsedMs / 1000, 0.001)).toFixed(1)} MiB/s`
    const done = formatSize(Math.floor(bytes / MiB) * MiB)
    if (this.#totalBytes === undefined || this.#totalBytes === 0) return `${this.#label} ${done}  ${rate}`
    const share = Math.min(1, bytes / this.#totalBytes)
    const cells = Math.round(share * barCells)
    const bar = '='.repeat(cells) + ' '.repeat(barCells - cells)
    return `${this.#label} [${bar}] ${String(Math.floor(share * 100)).padStart(3)}%  ${rate}`
  }
}
