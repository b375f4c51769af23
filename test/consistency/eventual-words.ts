import type { EventualMessage } from '../../src/consistency/eventual/message.js'

/** What a site and the home say, as transcripts have it: stamps are versions. */
export function wordsOfEventual(message: EventualMessage): string {
  switch (message.kind) {
    case 'hold':
      return `hold ${listed(message.pages, ({ page, stamp }) => `p${page}${stamp === undefined ? '' : ` (has v${stamp})`}`)}`
    case 'push':
      return `push ${listed(message.pages, ({ page, stamp, base }) => `p${page}@v${stamp} (made from v${base})`)}`
    case 'ack':
    case 'update':
      return `${message.kind} ${listed(message.pages, ({ page, stamp }) => `p${page}@v${stamp}`)}`
    case 'drop':
      return `drop ${listed(message.pages, (page) => `p${page}`)}`
    case 'pushed':
      return listed(
        message.pages,
        ({ page, pushed, stamp, result }) => `${result} p${page}@v${pushed}: it is v${stamp}`,
      )
    case 'gone':
      return `gone ${listed(message.pages, (page) => `p${page}`)}: ${message.code}`
  }
}

function listed<T>(items: readonly T[], words: (item: T) => string): string {
  return items.map(words).join(', ')
}
