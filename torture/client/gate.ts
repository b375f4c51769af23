import { Khazana, KhazanaError } from '../../src/index.js'
import { pause } from '../clock.js'
import type { Entrance } from './messages.js'
import type { Notebook } from './notebook.js'

/** How long a node may give nothing but failures until its client goes to another one. */
const patienceMs = 2000
const connectMsMax = 2000
/** Before the next node is tried. */
const retryMs = 100

/** The way of a client process into global memory, which all its lanes share: when a node fails it, it goes to the next one. */
export class Gate {
  readonly #entrance: Entrance
  readonly #notebook: Notebook
  #open: Promise<Khazana> | undefined
  #at = 0
  #lastWellMs = 0

  constructor(entrance: Entrance, notebook: Notebook) {
    this.#entrance = entrance
    this.#notebook = notebook
  }

  /** Waits until some node lets it in; undefined once the signal has fired. */
  async enter(signal: AbortSignal): Promise<Khazana | undefined> {
    while (!signal.aborted) {
      this.#open ??= this.#enter()
      const attempt = this.#open
      try {
        return await attempt
      } catch (reason) {
        // Each of those who wait hears of it; the first one begins anew.
        if (this.#open === attempt) {
          this.#notebook.error(reason)
          this.#open = undefined
          this.#at += 1
        }
        await pause(retryMs, signal)
      }
    }
    return undefined
  }

  /** How a section through it went. */
  used(khazana: Khazana, how: 'well' | 'badly'): void {
    const now = performance.now()
    if (how === 'well') this.#lastWellMs = now
    else if (now - this.#lastWellMs > patienceMs) void this.#leave(khazana)
  }

  async close(): Promise<void> {
    const khazana = await this.#open?.catch(() => undefined)
    await khazana?.close()
  }

  async #enter(): Promise<Khazana> {
    const entrance = this.#entrance
    if (entrance.kind === 'member') {
      const { dir, name, listen, join, insecure } = entrance
      return Khazana.open({ dir, name, listen, join, insecure, exclusive: true })
    }
    const socket = entrance.sockets[this.#at % entrance.sockets.length]
    if (socket === undefined) throw new KhazanaError('invalid-argument', 'a client needs a node to go to')
    const khazana = await Khazana.connect(socket, { timeoutMs: connectMsMax })
    this.#lastWellMs = performance.now()
    return khazana
  }

  /** A member is where it is. */
  async #leave(khazana: Khazana): Promise<void> {
    if (this.#entrance.kind === 'member' || (await this.#open?.catch(() => undefined)) !== khazana) return
    this.#open = undefined
    this.#at += 1
    try {
      await khazana.close()
    } catch (reason) {
      this.#notebook.error(reason)
    }
  }
}
