import fc, { type Arbitrary } from 'fast-check'
import type { Address } from '../../src/address/address.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import type { PageIndex, PageRange, Version } from '../../src/address/page.js'
import type {
  GroupLink,
  GroupMessage,
  GroupRegion,
  GroupRegionChange,
  GroupRegionStamps,
  HandoverMark,
  WantedPage,
} from '../../src/wire/group-message.js'
import type { TransferredPage } from '../../src/wire/transfer-message.js'

/** What messages of home groups are made of, as all messages have it. */
export interface GroupMaterial {
  readonly count: Arbitrary<number>
  readonly address: Arbitrary<Address>
  readonly page: Arbitrary<PageIndex>
  readonly version: Arbitrary<Version>
  readonly range: Arbitrary<PageRange>
  readonly descriptor: Arbitrary<RegionDescriptor>
}

function plain<T>(fields: { [Name in keyof T]: Arbitrary<T[Name]> }): Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true })
}

const few = <T>(of: Arbitrary<T>): Arbitrary<readonly T[]> => fc.array(of, { maxLength: 3 })

/** Every kind of message that the members of a home group say to each other. */
export function groupMessages(material: GroupMaterial): Arbitrary<GroupMessage> {
  const { count, address, page, version, range, descriptor } = material
  const name = plain<GroupLink>({ reign: count, link: count })
  const pages = few(plain<TransferredPage>({ page, version }))
  const handover = plain<HandoverMark>({
    attempt: fc.string({ minLength: 1, maxLength: 20 }),
    side: fc.constantFrom('from', 'to'),
  })
  const region = plain<GroupRegion>({
    descriptor,
    allocated: few(range),
    floor: count,
    handover: fc.option(handover, { nil: undefined }),
  })
  const change = plain<GroupRegionChange>({
    address,
    region: fc.option(region, { nil: undefined }),
    isEnd: fc.boolean(),
    frees: few(range),
    pages,
    lost: pages,
  })
  const stamps = plain<GroupRegionStamps>({
    address,
    generation: count,
    revision: count,
    era: count,
    pages,
  })
  const wanted = plain<WantedPage>({ address, generation: count, page, version })
  const isLast = fc.boolean()
  return fc.oneof<Arbitrary<GroupMessage>[]>(
    plain({ kind: fc.constant('begin' as const), name, how: fc.constantFrom('at-once', 'bit-by-bit') }),
    plain({ kind: fc.constant('have' as const), name, regions: few(stamps), isLast }),
    plain({ kind: fc.constant('difference' as const), name, change }),
    plain({ kind: fc.constant('entry' as const), name, index: count, change, isLast }),
    plain({ kind: fc.constantFrom('whole' as const, 'stored' as const), name, index: count }),
    plain({ kind: fc.constant('taken' as const), name }),
    plain({ kind: fc.constant('other-reign' as const), reign: count }),
    plain({ kind: fc.constantFrom('invite' as const, 'offer' as const, 'farewell' as const) }),
    plain({ kind: fc.constant('parted' as const), name }),
    plain({ kind: fc.constant('dismissed' as const), reign: count, epoch: count }),
    plain({ kind: fc.constant('page-wanted' as const), question: count, wanted }),
    plain({
      kind: fc.constant('page-given' as const),
      question: count,
      answer: fc.constantFrom('found', 'other', 'damaged'),
      version,
    }),
  )
}
