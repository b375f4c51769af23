import type { CopiesMessage, CopyStamp, PageChange } from '../../src/consistency/copies/message.js'
import { unreachable } from '../../src/stdx/assert.js'

/** A message of the copies' protocols for a transcript: `fetch #3 p0 (has v1)`. */
export function wordsOfCopies(message: CopiesMessage): string {
  switch (message.kind) {
    case 'lock': {
      const tag = message.tag === '' ? '' : ` "${message.tag}"`
      return `lock #${message.serial} ${message.mode}${tag} ${wordsOfPages(message.range)}${wordsOfKnown(message.known)}`
    }
    case 'unlock':
      return `unlock #${message.serial}`
    case 'fetch':
      return `fetch #${message.serial} ${wordsOfPages(message.range)}${wordsOfKnown(message.known)}`
    case 'commit': {
      const lock = message.lock === 0 ? '' : ` of lock #${message.lock}`
      return `commit c${message.number}${lock} ${wordsOfList(message.pages)}${message.final ? '' : ', more follows'}`
    }
    case 'ack':
      return `ack #${message.serial}${message.dropped.length === 0 ? '' : `, dropped ${wordsOfList(message.dropped)}`}`
    case 'drop':
      return `drop ${wordsOfList(message.pages)}`
    case 'granted':
    case 'copies':
      return `${message.kind} #${message.serial} ${message.copies.map(wordsOfStamp).join(' ')}`
    case 'refused':
      return `refused #${message.serial}: ${message.code}`
    case 'update':
      return `update #${message.serial} ${message.changes.map(wordsOfChange).join(' ')}`
    case 'committed':
      return `committed ${message.numbers.map((number) => `c${number}`).join(' ')}: ${message.changes.map(wordsOfChange).join(' ')}`
    case 'uncommitted':
      return `uncommitted c${message.number}: ${message.code}`
    case 'invalidate': {
      const when = message.when === 'unused' ? ', answer when it is not used' : ''
      return `invalidate #${message.serial} ${wordsOfList(message.pages)}${when}`
    }
    default:
      return unreachable(message)
  }
}

function wordsOfPages({ first, count }: { readonly first: number; readonly count: number }): string {
  return count === 1 ? `p${first}` : `p${first}-p${first + count - 1}`
}

function wordsOfList(pages: readonly number[]): string {
  return pages.map((page) => `p${page}`).join(' ')
}

function wordsOfKnown(known: readonly number[]): string {
  if (known.every((version) => version < 0)) return ''
  return ` (has ${known.map((version) => (version < 0 ? 'none' : `v${version}`)).join(' ')})`
}

function wordsOfStamp({ page, version, hasBytes }: CopyStamp): string {
  return `p${page}@v${version}${hasBytes ? '+bytes' : ''}`
}

function wordsOfChange({ page, base, version, parts }: PageChange): string {
  if (base < 0) return `p${page} is at v${version}`
  const made = parts.map((part) => (part === 'attached' ? 'a patch' : `your c${part}`)).join(', ')
  return `p${page}@v${base}->v${version} by ${made}`
}
