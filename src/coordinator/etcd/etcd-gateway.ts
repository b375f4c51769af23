import type { Clock } from '../../io/clock.js'
import { timeoutOf, within } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { HttpClient, HttpResponse } from '../../io/http.js'
import { assert } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import { refusalOf } from './etcd-error.js'
import { parseJson } from './etcd-json.js'
import type { Fields } from './etcd-json.js'

export interface GatewayOptions {
  readonly clock: Clock
  readonly http: HttpClient
  /** `http://HOST:PORT` or `https://HOST:PORT`, of members of one etcd cluster; at least one. */
  readonly endpoints: readonly string[]
}

/** What one answer may have, so that no server fills our memory. A page of a list has the most. */
const answerBytesMax = 16 * 1024 * 1024
const okStatus = 200

/**
 * The members of an etcd cluster, each of which answers for all. One is asked until it fails, then the next one, so that a member that
 * is down costs one failure.
 */
export class EtcdGateway {
  readonly #options: GatewayOptions
  #preferred = 0

  constructor(options: GatewayOptions) {
    assert(options.endpoints.length > 0, 'an etcd has an endpoint')
    this.#options = options
  }

  /** The whole answer. Throws as `StoreAccess` says, and what etcd refuses as `EtcdRefusal`. */
  async call(path: string, body: Fields, options: WaitOptions): Promise<Fields> {
    const { clock } = this.#options
    const endsAt = clock.now() + timeoutOf(options)
    const response = await this.open(path, body, options)
    const used = this.#preferred
    try {
      const timeoutMs = Math.max(1, endsAt - clock.now())
      const wait = { ...options, timeoutMs }
      const answer = parseJson(await within(clock, `etcd: ${path}`, wait, textOf(response)))
      if (response.status !== okStatus) throw refusalOf(answer)
      return answer
    } catch (error) {
      response.destroy()
      if (error instanceof KhazanaError && isOfTheMember(error)) this.#blame(used)
      throw error
    }
  }

  /** The answer as it comes. Asks all members, where they are certain not to have heard of it. */
  async open(path: string, body: Fields, options: WaitOptions): Promise<HttpResponse> {
    const { http, clock, endpoints } = this.#options
    const endsAt = clock.now() + timeoutOf(options)
    const text = JSON.stringify(body)
    for (let tried = 1; ; tried++) {
      const used = this.#preferred
      const timeoutMs = Math.max(1, endsAt - clock.now())
      try {
        return await http.post(`${this.#endpoint()}${path}`, text, { ...options, timeoutMs })
      } catch (error) {
        if (!(error instanceof KhazanaError) || !isOfTheMember(error)) throw error
        this.#blame(used)
        if (error.code !== 'unreachable' || tried >= endpoints.length || clock.now() >= endsAt) throw error
      }
    }
  }

  /** Whoever is asked next is another one, if there is: this one is silent, for whatever reason. */
  turn(): void {
    this.#blame(this.#preferred)
  }

  #endpoint(): string {
    const { endpoints } = this.#options
    const endpoint = endpoints[this.#preferred % endpoints.length]
    assert(endpoint !== undefined, 'there is an endpoint')
    return endpoint
  }

  /** Unless somebody else has found out before. */
  #blame(used: number): void {
    if (used === this.#preferred) this.#preferred = (used + 1) % this.#options.endpoints.length
  }
}

function isOfTheMember({ code }: KhazanaError): boolean {
  return code === 'unreachable' || code === 'timeout' || code === 'outcome-unknown'
}

async function textOf(response: HttpResponse): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for (let bytes = 0; ;) {
    const chunk = await response.read()
    if (chunk === undefined) return text + decoder.decode()
    bytes += chunk.length
    if (bytes > answerBytesMax) {
      throw new KhazanaError('protocol-error', `etcd answers with more than ${answerBytesMax} bytes`)
    }
    text += decoder.decode(chunk, { stream: true })
  }
}
