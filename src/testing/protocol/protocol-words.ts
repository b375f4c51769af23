import type { PageIndex, PageRange } from '../../address/page.js'
import type { CmEffect } from '../../consistency/contract.js'
import { unreachable } from '../../stdx/assert.js'
import type { Parcel } from './parcel-table.js'

/** `p3`, or `p3-p5`. */
export function wordsOfRange({ first, count }: PageRange): string {
  return count === 1 ? `p${first}` : `p${first}-p${first + count - 1}`
}

/** A message as its kind and fields: `pull page=3 version=7`. */
export function wordsOfUnknown(message: unknown): string {
  if (typeof message !== 'object' || message === null) return wordsOfValue(message)
  const fields = Object.entries(message).filter(([name, value]) => name !== 'kind' && value !== undefined)
  const kind: unknown = 'kind' in message ? message.kind : undefined
  const words = fields.map(([name, value]) => `${name}=${wordsOfValue(value)}`)
  return [...(typeof kind === 'string' ? [kind] : []), ...words].join(' ')
}

function wordsOfValue(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length}B`
  if (Array.isArray(value)) return `[${value.map(wordsOfValue).join(' ')}]`
  if (typeof value === 'object' && value !== null) return `{${wordsOfUnknown(value)}}`
  return String(value)
}

/** What goes along with a message: ` +p3 +patch(12B)`. */
export function wordsOfAttached(parcels: readonly Parcel[], pages: readonly PageIndex[]): string {
  const [patches, whole] = [
    parcels.filter(({ kind }) => kind === 'patch'),
    parcels.filter(({ kind }) => kind === 'page'),
  ]
  const frames = pages.map((page) => ` +p${page}`)
  const forwarded = whole.slice(pages.length).map(() => ' +page')
  return [...frames, ...forwarded, ...patches.map(({ bytes }) => ` +patch(${bytes.length}B)`)].join('')
}

/** An effect as a transcript shows it; undefined for those that say nothing to a reader. */
export function wordsOfEffect<M>(effect: CmEffect<M>): string | undefined {
  switch (effect.kind) {
    case 'send':
    case 'started':
    case 'keep':
    case 'forget':
    case 'alarm':
    case 'ended':
    case 'install':
    case 'restore':
      return undefined
    case 'grant':
      return `the lock is granted (${effect.lock})`
    case 'refuse':
      return `the lock is refused (${effect.lock}): ${effect.code}`
    case 'apply':
      return `apply to p${effect.page}`
    case 'merge':
      return `merge into p${effect.page}`
    case 'drop':
      return `drop p${effect.page}`
    case 'break':
      return `break p${effect.page}`
    case 'wanted':
      return `p${effect.page} is wanted, to ${effect.mode}`
    case 'load':
      return `load ${wordsOfRange(effect.range)}`
    case 'persist':
      return `persist c${effect.commit} ${effect.pages.map(({ page, version }) => `p${page}@v${version}`).join(' ')}`
    default:
      return unreachable(effect)
  }
}
