import type { Changes, Entry, KeyChange, LeaseId, Revision } from '../../coordinator/coordinator.js'
import type { Answer, AnswerTo, ChangesRequest, Request } from '../../coordinator/request.js'
import { unreachable } from '../../stdx/assert.js'
import { KhazanaError } from '../../stdx/errors.js'
import type {
  CoordinatorAnswer,
  CoordinatorChanges,
  CoordinatorEntry,
  CoordinatorQuestion,
} from '../../wire/coordinator-message.js'

/* What a coordinator is asked and answers, as messages between nodes say it. Their layout has bounded every length; the names of types are all that is added. */

type AnyRequest = Request | ChangesRequest

export function questionOf(request: AnyRequest): CoordinatorQuestion {
  if (request.kind !== 'transact') return request
  const { conditions = [], puts = [], deletes = [] } = request.transaction
  return {
    kind: 'transact',
    conditions,
    puts: puts.map(({ key, value, lease }) => ({ key, value, lease })),
    deletes,
  }
}

export function requestOf(question: CoordinatorQuestion): AnyRequest {
  switch (question.kind) {
    case 'get':
    case 'list':
    case 'grant':
      return question
    case 'transact':
      return {
        kind: 'transact',
        transaction: {
          conditions: question.conditions.map((condition) =>
            condition.kind === 'absent'
              ? condition
              : { ...condition, modified: condition.modified as Revision },
          ),
          puts: question.puts.map(({ key, value, lease }) => ({
            key,
            value,
            ...(lease === undefined ? {} : { lease: lease as LeaseId }),
          })),
          deletes: question.deletes,
        },
      }
    case 'keep-alive':
    case 'revoke':
      return { kind: question.kind, lease: question.lease as LeaseId }
    case 'changes':
      return { ...question, from: question.from as Revision }
    default:
      return unreachable(question)
  }
}

/** `request`: what was answered. */
export function answerOf(request: AnyRequest, answer: Answer): CoordinatorAnswer {
  switch (request.kind) {
    case 'get': {
      const { found, revision } = answer as AnswerTo<typeof request>
      return { kind: 'entry', entry: found, revision }
    }
    case 'list': {
      const { found, revision } = answer as AnswerTo<typeof request>
      return { kind: 'entries', entries: found, revision }
    }
    case 'transact':
      return answer as AnswerTo<typeof request>
    case 'grant': {
      const { id, ttlMs } = answer as AnswerTo<typeof request>
      return { kind: 'granted', lease: id, ttlMs }
    }
    case 'keep-alive':
    case 'revoke':
      return { kind: answer as 'alive' | 'ended' }
    case 'changes': {
      const news = answer as AnswerTo<typeof request>
      if (news.kind === 'compacted') return news
      return { kind: 'news', news: news.news.map(writtenChanges), next: news.next }
    }
    default:
      return unreachable(request)
  }
}

/** Throws `protocol-error` for an answer to something else. */
export function answerFrom<R extends AnyRequest>(request: R, answer: CoordinatorAnswer): AnswerTo<R> {
  const read = readAnswer(request, answer)
  if (read !== undefined) return read as AnswerTo<R>
  throw new KhazanaError('protocol-error', `the coordinator answers "${request.kind}" with "${answer.kind}"`)
}

function readAnswer(request: AnyRequest, answer: CoordinatorAnswer): Answer | undefined {
  switch (answer.kind) {
    case 'entry': {
      const revision = answer.revision as Revision
      const found = answer.entry === undefined ? undefined : readEntry(answer.entry)
      return request.kind === 'get' ? { found, revision } : undefined
    }
    case 'entries':
      if (request.kind !== 'list') return undefined
      return { found: answer.entries.map(readEntry), revision: answer.revision as Revision }
    case 'applied':
    case 'refused':
      return request.kind === 'transact'
        ? { kind: answer.kind, revision: answer.revision as Revision }
        : undefined
    case 'no-lease':
      return request.kind === 'transact' ? answer : undefined
    case 'granted':
      return request.kind === 'grant' ? { id: answer.lease as LeaseId, ttlMs: answer.ttlMs } : undefined
    case 'alive':
      return request.kind === 'keep-alive' ? 'alive' : undefined
    case 'ended':
      return request.kind === 'keep-alive' || request.kind === 'revoke' ? 'ended' : undefined
    case 'news':
      if (request.kind !== 'changes') return undefined
      return { kind: 'news', news: answer.news.map(readChanges), next: answer.next as Revision }
    case 'compacted':
      return request.kind === 'changes'
        ? { kind: 'compacted', revision: answer.revision as Revision }
        : undefined
    default:
      return unreachable(answer)
  }
}

function readEntry({ key, value, modified, lease }: CoordinatorEntry): Entry {
  return { key, value, modified: modified as Revision, lease: lease as LeaseId | undefined }
}

function writtenChanges({ revision, changes }: Changes): CoordinatorChanges {
  const puts: Entry[] = []
  const deletes: string[] = []
  for (const change of changes) {
    if (change.kind === 'put') puts.push(change.entry)
    else deletes.push(change.key)
  }
  return { revision, puts, deletes }
}

/** Each key is there once: in which order does not matter. */
function readChanges({ revision, puts, deletes }: CoordinatorChanges): Changes {
  const changes: KeyChange[] = [
    ...puts.map((entry): KeyChange => ({ kind: 'put', entry: readEntry(entry) })),
    ...deletes.map((key): KeyChange => ({ kind: 'delete', key })),
  ]
  return { kind: 'changes', revision: revision as Revision, changes }
}
