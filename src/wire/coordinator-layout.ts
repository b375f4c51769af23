import type * as words from './coordinator-message.js'
import { bytes, count, list, milliseconds, optional, record, text, union } from './layout.js'
import * as limits from './limits.js'

const key = text(limits.coordinatorKeyBytesMax)
const value = bytes(limits.coordinatorValueBytesMax)
const lease = text(limits.coordinatorLeaseBytesMax)
const keys = list(key, limits.coordinatorKeysPerTransactionMax)

const entry = record<words.CoordinatorEntry>({ key, value, modified: count, lease: optional(lease) })

const condition = union<words.CoordinatorCondition, 'kind'>('kind', {
  absent: [0, { key }],
  unchanged: [1, { key, modified: count }],
})

const changes = record<words.CoordinatorChanges>({
  revision: count,
  puts: list(entry, limits.coordinatorEntriesMax),
  deletes: list(key, limits.coordinatorEntriesMax),
})

export const coordinatorQuestion = union<words.CoordinatorQuestion, 'kind'>('kind', {
  get: [0, { key }],
  list: [1, { prefix: key }],
  transact: [
    2,
    {
      conditions: list(condition, limits.coordinatorKeysPerTransactionMax),
      puts: list(
        record<words.CoordinatorPut>({ key, value, lease: optional(lease) }),
        limits.coordinatorKeysPerTransactionMax,
      ),
      deletes: keys,
    },
  ],
  grant: [3, { ttlMs: milliseconds }],
  'keep-alive': [4, { lease }],
  revoke: [5, { lease }],
  changes: [6, { prefix: key, from: count, waitMs: milliseconds }],
})

export const coordinatorAnswer = union<words.CoordinatorAnswer, 'kind'>('kind', {
  entry: [0, { entry: optional(entry), revision: count }],
  entries: [1, { entries: list(entry, limits.coordinatorEntriesMax), revision: count }],
  applied: [2, { revision: count }],
  refused: [3, { revision: count }],
  'no-lease': [4, {}],
  granted: [5, { lease, ttlMs: milliseconds }],
  alive: [6, {}],
  ended: [7, {}],
  news: [8, { news: list(changes, limits.coordinatorEntriesMax), next: count }],
  compacted: [9, { revision: count }],
})
