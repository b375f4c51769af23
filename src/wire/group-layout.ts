import type { Layout } from './layout.js'
import { address, choice, count, flag, list, optional, record, text, union } from './layout.js'
import { pageIndex, pageRange, version } from './crew-layout.js'
import type { RegionDescriptor } from '../address/descriptor.js'
import type * as words from './group-message.js'
import * as limits from './limits.js'
import type { TransferredPage } from './transfer-message.js'

/** The layout of a descriptor is that of all messages. */
export function groupMessageWith(descriptor: Layout<RegionDescriptor>): Layout<words.GroupMessage> {
  const name = record<words.GroupLink>({ reign: count, link: count })
  const pages = list(record<TransferredPage>({ page: pageIndex, version }), limits.pageStampsMax)
  const handover = record<words.HandoverMark>({
    attempt: text(limits.handoverNameBytesMax),
    side: choice(['from', 'to']),
  })
  const region = record<words.GroupRegion>({
    descriptor,
    allocated: list(pageRange, limits.allocatedFragmentsMax),
    floor: count,
    handover: optional(handover),
  })
  const change = record<words.GroupRegionChange>({
    address,
    region: optional(region),
    isEnd: flag,
    frees: list(pageRange, limits.allocatedFragmentsMax),
    pages,
    lost: pages,
  })
  const stamps = record<words.GroupRegionStamps>({
    address,
    generation: count,
    revision: count,
    era: count,
    pages,
  })
  const wanted = record<words.WantedPage>({ address, generation: count, page: pageIndex, version })
  return union<words.GroupMessage, 'kind'>('kind', {
    begin: [0, { name, how: choice(['at-once', 'bit-by-bit']) }],
    have: [1, { name, regions: list(stamps, limits.groupRegionsMax), isLast: flag }],
    difference: [2, { name, change }],
    entry: [3, { name, index: count, change, isLast: flag }],
    whole: [4, { name, index: count }],
    stored: [5, { name, index: count }],
    'other-reign': [6, { reign: count }],
    offer: [8, {}],
    invite: [9, {}],
    farewell: [13, {}],
    dismissed: [7, { reign: count, epoch: count }],
    taken: [10, { name }],
    parted: [14, { name }],
    'page-wanted': [11, { question: count, wanted }],
    'page-given': [12, { question: count, answer: choice(['found', 'other', 'damaged']), version }],
  })
}
