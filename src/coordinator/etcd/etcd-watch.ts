import type { Clock } from '../../io/clock.js'
import { timeoutOf, within } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { HttpResponse } from '../../io/http.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { KeyChange, Revision } from '../coordinator.js'
import type { ChangeSource, ChangesAnswer } from '../request.js'
import { refusalOf } from './etcd-error.js'
import type { EtcdGateway } from './etcd-gateway.js'
import { fieldsOf, flagOf, listOf, numberOf, revisionOf, revisionOfAnswer, textOf } from './etcd-json.js'
import type { Fields } from './etcd-json.js'
import type { EtcdKeys } from './etcd-keys.js'
import { JsonLines } from './json-lines.js'

export interface EtcdWatchOptions {
  readonly clock: Clock
  readonly gateway: EtcdGateway
  readonly keys: EtcdKeys
  readonly prefix: string
}

/** What etcd tells from a revision on, over one connection. */
interface Stream {
  readonly response: HttpResponse
  readonly lines: JsonLines
  /** Where it is: all before was told of. */
  next: Revision
  /** Etcd has said that it is watching. */
  isCreated: boolean
  /** Events of a revision of which more is to come. */
  held: readonly Fields[]
}

/**
 * A watch of etcd, kept open from one read to the next; bytes wait in the connection while nobody reads. Whatever goes wrong, the
 * connection is thrown away and the next read begins another one where the last one ended.
 *
 * A member that is stopped, or cut off from the others, is just silent, and so is one that has nothing to tell. So after a silence as long as
 * a read the watch is made anew, at the next member.
 */
export class EtcdWatch implements ChangeSource {
  readonly #options: EtcdWatchOptions
  #stream: Stream | undefined

  constructor(options: EtcdWatchOptions) {
    this.#options = options
  }

  async read(from: Revision, options: WaitOptions): Promise<ChangesAnswer> {
    const { clock } = this.#options
    const endsAt = clock.now() + timeoutOf(options)
    const left = (): WaitOptions => ({ ...options, timeoutMs: Math.max(1, endsAt - clock.now()) })
    if (this.#stream?.next !== from) this.#drop()
    try {
      this.#stream ??= await this.#open(from, left())
      return await this.#answer(this.#stream, left)
    } catch (error) {
      const wasCreated = this.#stream?.isCreated === true
      this.#drop()
      if (!(error instanceof KhazanaError) || error.code !== 'timeout') throw error
      this.#options.gateway.turn()
      if (!wasCreated) throw error
      return { kind: 'news', news: [], next: from }
    }
  }

  close(): void {
    this.#drop()
  }

  async #open(from: Revision, wait: WaitOptions): Promise<Stream> {
    const { gateway, keys, prefix } = this.#options
    const create_request = {
      ...keys.range(prefix),
      start_revision: String(from),
      progress_notify: true,
      // Else one answer could have a thousand of the largest transactions.
      fragment: true,
    }
    const response = await gateway.open('/v3/watch', { create_request }, wait)
    return { response, lines: new JsonLines(response), next: from, isCreated: false, held: [] }
  }

  async #answer(stream: Stream, left: () => WaitOptions): Promise<ChangesAnswer> {
    for (;;) {
      const line = await within(this.#options.clock, 'etcd: watch', left(), stream.lines.next())
      if (line === undefined) throw new KhazanaError('outcome-unknown', 'etcd ended a watch')
      if (line['error'] !== undefined) throw refusalOf(line)
      const result = fieldsOf(line['result'])
      const compacted = numberOf(result['compact_revision'])
      if (compacted > 0) {
        this.#drop()
        return { kind: 'compacted', revision: revisionOf(compacted) }
      }
      if (flagOf(result['canceled'])) {
        throw new KhazanaError('outcome-unknown', `etcd ended a watch: ${textOf(result['cancel_reason'])}`)
      }
      if (flagOf(result['created'])) {
        stream.isCreated = true
        continue
      }
      const events = [...stream.held, ...listOf(result['events']).map(fieldsOf)]
      // The changes of one revision may be spread over several parts.
      const last = flagOf(result['fragment']) ? revisionOfEvent(events.at(-1)) : undefined
      stream.held = events.filter((event) => revisionOfEvent(event) === last)
      const whole = events.slice(0, events.length - stream.held.length)
      if (whole.length > 0 || last === undefined) return this.#told(stream, whole, result)
    }
  }

  #told(stream: Stream, events: readonly Fields[], result: Fields): ChangesAnswer {
    const news: { kind: 'changes'; revision: Revision; changes: KeyChange[] }[] = []
    for (const event of events) {
      const revision = revisionOfEvent(event)
      const change = this.#changeOf(event)
      const last = news.at(-1)
      if (revision < (last?.revision ?? stream.next)) {
        throw new KhazanaError('protocol-error', `etcd goes back to revision ${revision} in a watch`)
      }
      if (last?.revision === revision) last.changes.push(change)
      else news.push({ kind: 'changes', revision, changes: [change] })
    }
    // Without events it says how far it is.
    const told = news.at(-1)?.revision ?? revisionOfAnswer(result)
    stream.next = Math.max(stream.next, told + 1) as Revision
    return { kind: 'news', news, next: stream.next }
  }

  #changeOf(event: Fields): KeyChange {
    const { keys } = this.#options
    const kv = fieldsOf(event['kv'])
    if (event['type'] === 'DELETE') return { kind: 'delete', key: keys.keyOf(kv) }
    return { kind: 'put', entry: keys.entryOf(kv) }
  }

  #drop(): void {
    this.#stream?.response.destroy()
    this.#stream = undefined
  }
}

function revisionOfEvent(event: Fields | undefined): Revision {
  return revisionOf(fieldsOf(event?.['kv'])['mod_revision'])
}
