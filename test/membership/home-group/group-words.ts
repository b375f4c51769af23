import type { NodeId } from '../../../src/address/identity.js'
import type { GroupRecord } from '../../../src/membership/home-group/group-record.js'
import { unreachable } from '../../../src/stdx/assert.js'
import type { Batch } from './model-disk.js'
import type { Message } from './model-network.js'

/** A, B, C, ... */
export function nameOf(node: NodeId): string {
  return node <= 26 ? String.fromCharCode(64 + node) : `N${node}`
}

export function wordsOfRecord({ epoch, reign, members }: GroupRecord): string {
  return `epoch ${epoch}, reign ${reign}, members ${members.map(nameOf).join(' ')}`
}

export function wordsOfBatch(batch: Batch): string {
  return [...batch].map(([name, page]) => `${name}=${page?.value ?? 'none'}`).join(' ')
}

export function wordsOfMessage(message: Message): string {
  switch (message.kind) {
    case 'begin':
      return `begin link ${message.name.link} of reign ${message.name.reign}, ${message.how}`
    case 'list':
      return `have ${[...message.versions.keys()].sort().join(' ')}`
    case 'difference':
      return `differs: ${message.page}=${message.is?.value ?? 'none'}`
    case 'entry':
      return `entry ${message.index}: commit ${message.commit} ${wordsOfBatch(message.batch)}`
    case 'whole':
      return `entry ${message.index}: that was all`
    case 'acknowledge':
      return `have entry ${message.index}`
    case 'refuse':
      return 'refuse: there is a later reign'
    case 'parted':
      return `parted: no more on link ${message.name.link}`
    case 'dismiss':
      return `dismiss, by epoch ${message.epoch}`
    default:
      return unreachable(message)
  }
}
