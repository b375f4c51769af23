import { unreachable } from '../stdx/assert.js'
import type { CrewMessage, PageStamp } from './crew-message.js'
import type { GroupMessage } from './group-message.js'
import type { Message, SequencedMessage } from './message.js'

/** Whether the message belongs to the numbered stream of a session. */
export function isSequenced(message: Message): message is SequencedMessage {
  switch (message.kind) {
    case 'cm':
    case 'cm-plain':
    case 'region-notice':
    case 'watch-notice':
    case 'request':
    case 'response':
    case 'failure':
    case 'members':
    case 'group':
    case 'part':
    case 'stay':
      return true
    case 'hello':
    case 'welcome':
    case 'refused':
    case 'acknowledge':
    case 'renew':
    case 'renewed':
    case 'goodbye':
      return false
    default:
      return unreachable(message)
  }
}

/** How many payloads the message says that its frame carries. */
export function payloadCount(message: Message): number {
  if (message.kind === 'cm') return crewPayloadCount(message.body)
  if (message.kind === 'request') return message.call.op === 'adopt-pages' ? message.call.pages.length : 0
  if (message.kind === 'group') return groupPayloadCount(message.body)
  if (message.kind !== 'cm-plain') return 0
  return message.parcels.reduce((total, parcel) => total + (parcel.kind === 'patch' ? 0 : 1), 0)
}

function groupPayloadCount(message: GroupMessage): number {
  if (message.kind === 'page-given') return message.answer === 'found' ? 1 : 0
  return message.kind === 'entry' || message.kind === 'difference' ? message.change.pages.length : 0
}

function crewPayloadCount(message: CrewMessage): number {
  switch (message.kind) {
    case 'grant':
    case 'commit':
      return stampsWithBytes(message.pages)
    case 'transfer':
      return message.page.hasBytes ? 1 : 0
    case 'acquire':
    case 'cancel':
    case 'yield':
    case 'accepted':
    case 'refuse':
    case 'recall':
    case 'committed':
    case 'uncommitted':
    case 'revoke':
    case 'ask-fences':
    case 'inquire':
    case 'fences':
      return 0
    default:
      return unreachable(message)
  }
}

function stampsWithBytes(stamps: readonly PageStamp[]): number {
  let total = 0
  for (const stamp of stamps) if (stamp.hasBytes) total++
  return total
}
