import type { SiteId } from '../../address/identity.js'
import type { PageIndex } from '../../address/page.js'
import type { CmEffect } from '../../consistency/contract.js'
import type { Parcel } from './parcel-table.js'
import type { ProtocolSection } from './protocol-section.js'
import { wordsOfAttached, wordsOfEffect, wordsOfRange, wordsOfUnknown } from './protocol-words.js'
import type { WorldOptions } from './world-options.js'

/** Something that a world wrote down. */
export interface SentMessage {
  readonly from: string
  readonly to: string
  /** Its `kind`, where it has one. */
  readonly kind: string
  /** Encoded, without parcels. */
  readonly bytes: Uint8Array
  readonly parcelBytes: number
}

/** What happened in a world, as a reader is told of it. */
export class WorldLog<M> {
  /** A line each, as in `test/transcripts`. */
  readonly lines: string[] = []
  /** All messages, in the order of sending. */
  readonly sent: SentMessage[] = []
  readonly #words: WorldOptions<M>['words']
  readonly #nameOf: (site: SiteId) => string

  /** `words`: a message for a transcript; its kind and fields unless told. */
  constructor(words: WorldOptions<M>['words'], nameOf: (site: SiteId) => string) {
    this.#words = words
    this.#nameOf = nameOf
  }

  add(line: string): void {
    this.lines.push(line)
  }

  /** Prose, for a transcript. */
  say(text: string): void {
    if (this.lines.length > 0) this.add('')
    for (const line of text.trim().split('\n')) this.add(`# ${line.trim()}`.trimEnd())
  }

  wordsOf(message: M, parcels: readonly Parcel[], pages: readonly PageIndex[]): string {
    const words = this.#words?.(message, this.#nameOf) ?? wordsOfUnknown(message)
    return `${words}${wordsOfAttached(parcels, pages)}`
  }

  /** A message is on its way. `words`: as `wordsOf` has it. `bytes` are copied. */
  onSent(
    { from, to }: { readonly from: string; readonly to: string },
    message: M,
    words: string,
    bytes: Uint8Array,
    parcels: readonly Parcel[],
  ): void {
    this.add(`${from} -> ${to}: ${words}`)
    const parcelBytes = parcels.reduce((sum, parcel) => sum + parcel.bytes.length, 0)
    this.sent.push({ from, to, kind: kindOf(message), bytes: bytes.slice(), parcelBytes })
  }

  /** How often each kind of message was sent. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { kind } of this.sent) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    return counts
  }

  /** A manager is about to get its effect. */
  onEffect(site: string, effect: CmEffect<M>): void {
    const words = wordsOfEffect(effect)
    if (words !== undefined) this.add(`${site}: ${words}`)
  }

  /** A section is asked for. */
  onAsked({ request }: ProtocolSection): void {
    const { site, mode, range, terms } = request
    const tag = terms.tag === '' ? '' : ` "${terms.tag}"`
    const why = terms.seize ? ', to take the storage away' : ''
    this.add(`${site}: lock ${mode} ${wordsOfRange(range)}${tag}${why}`)
  }

  /** Its application does so with the section's pages. */
  onAction(section: ProtocolSection, action: string): void {
    const { site, range } = section.request
    this.add(`${site}: ${action} ${wordsOfRange(range)}`)
  }

  /** A section is over. */
  onOutcome({ request, state, failure, mode, range }: ProtocolSection): void {
    const what = `${request.site}: the ${mode} of ${wordsOfRange(range)}`
    if (state === 'failed') this.add(`${what} failed: ${failure?.code ?? ''}`)
    if (state === 'unknown') this.add(`${what} has an unknown outcome`)
    if (state === 'done' && mode !== 'read') this.add(`${what} is done`)
  }
}

/** The conversation so far, as a golden file under `test/transcripts` has it. */
export function transcriptOf(world: { readonly log: readonly string[] }): string {
  return `${world.log.join('\n')}\n`
}

function kindOf(message: unknown): string {
  const isTagged = typeof message === 'object' && message !== null && 'kind' in message
  return isTagged && typeof message.kind === 'string' ? message.kind : 'message'
}
