import type { Clock } from '../../io/clock.js'
import { timeoutOf } from '../../io/deadline.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { HttpClient } from '../../io/http.js'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type { Condition, Entry, Found, Lease, LeaseId, Outcome, Transaction } from '../coordinator.js'
import { checkKey } from '../limits.js'
import type { Answer, AnswerTo, ChangeSource, Request, StoreAccess } from '../request.js'
import { EtcdRefusal, statusNotFound } from './etcd-error.js'
import { EtcdGateway } from './etcd-gateway.js'
import { base64Of, fieldsOf, flagOf, listOf, numberOf, revisionOfAnswer, textOf } from './etcd-json.js'
import type { Fields } from './etcd-json.js'
import { EtcdKeys } from './etcd-keys.js'
import { EtcdWatch } from './etcd-watch.js'

export interface EtcdOptions {
  readonly clock: Clock
  /** Closed with the access. */
  readonly http: HttpClient
  /** `http://HOST:PORT` or `https://HOST:PORT` of members of one etcd cluster; 1 to `endpointsMax`. */
  readonly endpoints: readonly string[]
  /** What all keys begin with in that etcd, which others may use too; `khazana/` unless told. Not empty, as keys are written. */
  readonly namespace?: string
}

export const endpointsMax = 32
const namespaceDefault = 'khazana/'
/** Entries of a list that are asked for at a time: 8 MiB of values at most. */
const pageEntries = 500
/** Read for the answer's header alone: there need be no such key. */
const termKey = 'term'

/**
 * The way to an etcd, version 3.4 or later, over the JSON gateway that each of its members has. Why not by gRPC: docs/adr/0020-coordinator.md.
 * Throws `invalid-argument` for endpoints or a namespace that cannot be.
 */
export class EtcdAccess implements StoreAccess {
  readonly #options: EtcdOptions
  readonly #gateway: EtcdGateway
  readonly #keys: EtcdKeys

  constructor(options: EtcdOptions) {
    const { clock, http, endpoints, namespace = namespaceDefault } = options
    checkKey(namespace)
    if (endpoints.length < 1 || endpoints.length > endpointsMax) {
      throw new KhazanaError('invalid-argument', `an etcd is reached at 1 to ${endpointsMax} endpoints`)
    }
    this.#options = options
    this.#gateway = new EtcdGateway({ clock, http, endpoints: endpoints.map(originOf) })
    this.#keys = new EtcdKeys(namespace)
  }

  async ask<R extends Request>(request: R, options: WaitOptions): Promise<AnswerTo<R>> {
    // Each request is answered with what belongs to its kind.
    return (await this.#answer(request, options)) as AnswerTo<R>
  }

  follow(prefix: string): ChangeSource {
    const { clock } = this.#options
    return new EtcdWatch({ clock, gateway: this.#gateway, keys: this.#keys, prefix })
  }

  close(): void {
    this.#options.http.close()
  }

  #answer(request: Request, wait: WaitOptions): Promise<Answer> {
    switch (request.kind) {
      case 'get':
        return this.#get(request.key, wait)
      case 'list':
        return this.#list(request.prefix, wait)
      case 'transact':
        return this.#transact(request.transaction, wait)
      case 'grant':
        return this.#grant(request.ttlMs, wait)
      case 'keep-alive':
        return this.#keepAlive(request.lease, wait)
      case 'revoke':
        return this.#revoke(request.lease, wait)
      default:
        return unreachable(request)
    }
  }

  async #get(key: string, wait: WaitOptions): Promise<Found<Entry | undefined>> {
    const answer = await this.#gateway.call('/v3/kv/range', { key: this.#keys.key(key) }, wait)
    const [found] = listOf(answer['kvs'])
    const entry = found === undefined ? undefined : this.#keys.entryOf(found)
    return { found: entry, revision: revisionOfAnswer(answer) }
  }

  /** Page by page, all as of the first one's moment. */
  async #list(prefix: string, wait: WaitOptions): Promise<Found<readonly Entry[]>> {
    const range = { ...this.#keys.range(prefix), limit: String(pageEntries) }
    let page = await this.#gateway.call('/v3/kv/range', range, wait)
    const revision = revisionOfAnswer(page)
    const found: Entry[] = []
    for (;;) {
      for (const kv of listOf(page['kvs'])) found.push(this.#keys.entryOf(kv))
      const last = found.at(-1)
      if (!flagOf(page['more']) || last === undefined) return { found, revision }
      const rest = { ...range, key: this.#keys.keyAfter(last.key), revision: String(revision) }
      page = await this.#gateway.call('/v3/kv/range', rest, wait)
    }
  }

  async #transact(transaction: Transaction, wait: WaitOptions): Promise<Outcome> {
    const { conditions = [], puts = [], deletes = [] } = transaction
    const request = {
      compare: conditions.map((condition) => this.#compareOf(condition)),
      success: [
        ...puts.map(({ key, value, lease = '0' }) => ({
          request_put: { key: this.#keys.key(key), value: base64Of(value), lease },
        })),
        ...deletes.map((key) => ({ request_delete_range: { key: this.#keys.key(key) } })),
      ],
    }
    try {
      const answer = await this.#gateway.call('/v3/kv/txn', request, wait)
      const kind = flagOf(answer['succeeded']) ? 'applied' : 'refused'
      return { kind, revision: revisionOfAnswer(answer) }
    } catch (error) {
      if (isNotFound(error)) return { kind: 'no-lease' }
      throw error
    }
  }

  /** To etcd, an absent key was modified at revision 0. */
  #compareOf(condition: Condition): Fields {
    const modified = condition.kind === 'absent' ? 0 : condition.modified
    const key = this.#keys.key(condition.key)
    return { key, target: 'MOD', result: 'EQUAL', mod_revision: String(modified) }
  }

  /** Etcd counts in seconds, and has a shortest time of its own. */
  async #grant(ttlMs: number, wait: WaitOptions): Promise<Lease> {
    const request = { TTL: String(Math.ceil(ttlMs / 1000)) }
    const answer = await this.#gateway.call('/v3/lease/grant', request, wait)
    const id = textOf(answer['ID'])
    if (id === '') throw new KhazanaError('protocol-error', 'etcd grants a lease without an id')
    return { id: id as LeaseId, ttlMs: numberOf(answer['TTL']) * 1000 }
  }

  /**
   * A lease that has ended has no time left.
   *
   * Etcd renews without asking its other members: a leader whose disk hangs, and that has been replaced without noticing, goes on saying that a lease lives which has long
   * ended for all others (before 3.4.31 and 3.5.13; etcd-io/etcd 15247). So a renewal counts when a read, which a majority takes part in, finds afterwards that the leader
   * is still the one of the term in which it was renewed: a later leader gives all leases their full time again.
   */
  async #keepAlive(lease: LeaseId, options: WaitOptions): Promise<'alive' | 'ended'> {
    const { clock } = this.#options
    const endsAt = clock.now() + timeoutOf(options)
    try {
      const answer = await this.#gateway.call('/v3/lease/keepalive', { ID: lease }, options)
      const result = fieldsOf(answer['result'])
      if (numberOf(result['TTL']) === 0) return 'ended'
      const wait = { ...options, timeoutMs: Math.max(1, endsAt - clock.now()) }
      const read = { key: this.#keys.key(termKey), keys_only: true }
      const since = await this.#gateway.call('/v3/kv/range', read, wait)
      if (termOf(since) === termOf(result)) return 'alive'
      throw new KhazanaError('outcome-unknown', 'etcd has got another leader while a lease was renewed')
    } catch (error) {
      if (isNotFound(error)) return 'ended'
      throw error
    }
  }

  async #revoke(lease: LeaseId, wait: WaitOptions): Promise<'ended'> {
    try {
      await this.#gateway.call('/v3/lease/revoke', { ID: lease }, wait)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    return 'ended'
  }
}

/** Counts the leaders that there were. */
function termOf(answer: Fields): number {
  return numberOf(fieldsOf(answer['header'])['raft_term'])
}

function isNotFound(error: unknown): boolean {
  return error instanceof EtcdRefusal && error.status === statusNotFound
}

/** Without a slash at its end. */
function originOf(endpoint: string): string {
  if (/^https?:\/\/[^/?#\s]+\/?$/.test(endpoint)) return endpoint.replace(/\/$/, '')
  throw new KhazanaError(
    'invalid-argument',
    `an endpoint of etcd is http://HOST:PORT or https://HOST:PORT, unlike ${endpoint}`,
  )
}
