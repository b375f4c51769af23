import type { PageRange } from '../../src/address/page.js'
import type { CmEffect, CmMessage } from '../../src/consistency/contract.js'
import { unreachable } from '../../src/stdx/assert.js'
import type { PageStamp } from '../../src/wire/crew-message.js'

/** `p3`, or `p3-p5`. */
export function wordsOfRange({ first, count }: PageRange): string {
  return count === 1 ? `p${first}` : `p${first}-p${first + count - 1}`
}

/** A message as a transcript shows it. `nameOf` gives a site's name. */
export function wordsOfMessage(message: CmMessage, nameOf: (site: number) => string): string {
  switch (message.kind) {
    case 'acquire': {
      const known = message.known.map((version) => (version < 0 ? 'nothing' : `v${version}`)).join(' ')
      const has = known === '' ? '' : ` (has ${known})`
      const doubt = message.isInDoubt ? ', in doubt' : ''
      return `acquire #${message.serial} ${message.right} ${wordsOfRange(message.range)}${has}${doubt}`
    }
    case 'cancel':
      return `cancel #${message.serial} ${wordsOfRange(message.range)}`
    case 'commit':
      return `commit c${message.commit} ${wordsOfStamps(message.pages)}`
    case 'yield': {
      const kept = message.keep === 'none' ? '' : ', keep shared'
      return `yield ${wordsOfRange(message.range)}${kept}${message.handed ? ', handed over' : ''}`
    }
    case 'accepted':
      return `accepted #${message.serial} ${message.right} p${message.page}`
    case 'grant':
      return `grant #${message.serial} ${message.right} ${wordsOfStamps(message.pages)}`
    case 'refuse':
      return `refuse #${message.serial} ${wordsOfRange(message.range)}: ${message.code}`
    case 'recall': {
      const { transfer } = message
      const kept = message.keep === 'none' ? '' : ', keep shared'
      const hand =
        transfer === undefined
          ? ''
          : `, hand it to ${nameOf(transfer.to)} #${transfer.serial} ${transfer.right}`
      return `recall ${wordsOfRange(message.range)}${kept}${hand}`
    }
    case 'committed':
      return `committed c${message.commit}`
    case 'uncommitted':
      return `uncommitted c${message.commit}: ${message.code}`
    case 'inquire':
      return `inquire ${message.commits.map((commit) => `c${commit}`).join(' ')}`
    case 'ask-fences':
      return `ask-fences, ${message.used} used`
    case 'fences':
      return `fences ${message.fences.used} to ${message.fences.limit}`
    case 'revoke':
      return `revoke ${wordsOfRange(message.range)}`
    case 'transfer':
      return `transfer #${message.serial} ${message.right} ${wordsOfStamps([message.page])}`
    default:
      return unreachable(message)
  }
}

/** `p0@v1+bytes p1@v0`: the version of each page, and whether its bytes travel. */
function wordsOfStamps(stamps: readonly PageStamp[]): string {
  if (stamps.length > 4) {
    const [first, last] = [stamps[0], stamps.at(-1)]
    const carried = stamps.filter(({ hasBytes }) => hasBytes).length
    return `p${first?.page ?? ''}-p${last?.page ?? ''}, ${carried} with bytes`
  }
  return stamps
    .map(({ page, version, hasBytes }) => `p${page}@v${version}${hasBytes ? '+bytes' : ''}`)
    .join(' ')
}

/** An effect as a transcript shows it; undefined for those that say nothing to a reader. */
export function wordsOfEffect(effect: CmEffect): string | undefined {
  switch (effect.kind) {
    case 'send':
    case 'started':
    case 'apply':
    case 'merge':
    case 'keep':
    case 'forget':
    case 'load':
    case 'alarm':
      return undefined
    case 'grant':
      return `the lock is granted (${effect.lock})`
    case 'refuse':
      return `the lock is refused (${effect.lock}): ${effect.code}`
    case 'install':
      return `install p${effect.page}@v${effect.version}`
    case 'restore':
      return `restore ${effect.pages.map((page) => `p${page}`).join(' ')}`
    case 'drop':
      return `drop p${effect.page}`
    case 'break':
      return `break p${effect.page}`
    case 'wanted':
      return `p${effect.page} is wanted, to ${effect.mode}`
    case 'persist':
      return `persist c${effect.commit} ${effect.pages.map(({ page, version }) => `p${page}@v${version}`).join(' ')}`
    case 'ended':
      return effect.failure === undefined
        ? `c${effect.commit} is durable`
        : `c${effect.commit} failed: ${effect.failure.code}`
    default:
      return unreachable(effect)
  }
}
