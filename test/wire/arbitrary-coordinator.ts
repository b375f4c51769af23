import fc, { type Arbitrary } from 'fast-check'
import type {
  CoordinatorAnswer,
  CoordinatorChanges,
  CoordinatorCondition,
  CoordinatorEntry,
  CoordinatorPut,
  CoordinatorQuestion,
} from '../../src/wire/coordinator-message.js'

const count = fc.oneof(fc.constantFrom(0, Number.MAX_SAFE_INTEGER), fc.nat())
const milliseconds = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
const key = fc.string({ maxLength: 20 })
const value = fc.uint8Array({ maxLength: 50 })
const lease = fc.stringMatching(/^[0-9]{1,19}$/)

function plain<T>(fields: { [Name in keyof T]: Arbitrary<T[Name]> }): Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true })
}

const few = <T>(of: Arbitrary<T>): Arbitrary<readonly T[]> => fc.array(of, { maxLength: 3 })
const perhapsLease = fc.option(lease, { nil: undefined })
const entry = plain<CoordinatorEntry>({ key, value, modified: count, lease: perhapsLease })
const changes = plain<CoordinatorChanges>({ revision: count, puts: few(entry), deletes: few(key) })

const condition: Arbitrary<CoordinatorCondition> = fc.oneof(
  plain({ kind: fc.constant('absent' as const), key }),
  plain({ kind: fc.constant('unchanged' as const), key, modified: count }),
)

export const coordinatorQuestion: Arbitrary<CoordinatorQuestion> = fc.oneof(
  plain({ kind: fc.constant('get' as const), key }),
  plain({ kind: fc.constant('list' as const), prefix: key }),
  plain({
    kind: fc.constant('transact' as const),
    conditions: few(condition),
    puts: few(plain<CoordinatorPut>({ key, value, lease: perhapsLease })),
    deletes: few(key),
  }),
  plain({ kind: fc.constant('grant' as const), ttlMs: milliseconds }),
  plain({ kind: fc.constantFrom('keep-alive' as const, 'revoke' as const), lease }),
  plain({ kind: fc.constant('changes' as const), prefix: key, from: count, waitMs: milliseconds }),
)

export const coordinatorAnswer: Arbitrary<CoordinatorAnswer> = fc.oneof(
  plain({
    kind: fc.constant('entry' as const),
    entry: fc.option(entry, { nil: undefined }),
    revision: count,
  }),
  plain({ kind: fc.constant('entries' as const), entries: few(entry), revision: count }),
  plain({ kind: fc.constantFrom('applied' as const, 'refused' as const), revision: count }),
  plain({ kind: fc.constantFrom('no-lease' as const, 'alive' as const, 'ended' as const) }),
  plain({ kind: fc.constant('granted' as const), lease, ttlMs: milliseconds }),
  plain({ kind: fc.constant('news' as const), news: few(changes), next: count }),
  plain({ kind: fc.constant('compacted' as const), revision: count }),
)
