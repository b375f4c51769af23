import type { HttpResponse } from '../../io/http.js'
import { KhazanaError } from '../../stdx/errors.js'
import { parseJson } from './etcd-json.js'
import type { Fields } from './etcd-json.js'

/** One message of a stream: a part of what changed, as etcd cuts it, with what base64 adds. */
const lineBytesMax = 16 * 1024 * 1024
const lineEnd = 10

/** A body that is JSON objects, one a line. */
export class JsonLines {
  readonly #response: HttpResponse
  #chunks: Uint8Array[] = []
  #bytes = 0

  constructor(response: HttpResponse) {
    this.#response = response
  }

  /** The next one; undefined at the end of the body. Throws what `read` does, and `protocol-error`. */
  async next(): Promise<Fields | undefined> {
    for (;;) {
      const line = this.#take()
      if (line !== undefined && line.trim() !== '') return parseJson(line)
      if (line !== undefined) continue
      const chunk = await this.#response.read()
      if (chunk === undefined) return undefined
      this.#bytes += chunk.length
      if (this.#bytes > lineBytesMax) {
        throw new KhazanaError('protocol-error', `etcd sends a message of more than ${lineBytesMax} bytes`)
      }
      this.#chunks.push(chunk)
    }
  }

  /** A line that has come as a whole. Its end can only be in the last chunk. */
  #take(): string | undefined {
    const last = this.#chunks.at(-1)
    const at = last?.indexOf(lineEnd) ?? -1
    if (last === undefined || at < 0) return undefined
    const decoder = new TextDecoder()
    let line = ''
    for (const chunk of this.#chunks.slice(0, -1)) line += decoder.decode(chunk, { stream: true })
    line += decoder.decode(last.subarray(0, at))
    const rest = last.subarray(at + 1)
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#bytes = rest.length
    return line
  }
}
