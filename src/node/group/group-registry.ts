import type { NodeId } from '../../address/identity.js'
import type { Condition, Coordinator, Put } from '../../coordinator/coordinator.js'
import type { Clock } from '../../io/clock.js'
import type { WaitOptions } from '../../io/deadline.js'
import type { GroupChange, GroupCondition } from '../../membership/home-group/group-change.js'
import { decodeGroupRecord, encodeGroupRecord } from '../../membership/home-group/group-record.js'
import type { GroupRecord, SeenRecord } from '../../membership/home-group/group-record.js'
import type { ChangeOutcome } from '../../membership/home-group/primary-terms.js'
import { KhazanaError } from '../../stdx/errors.js'
import { backoffMs } from '../session/backoff.js'
import type { Random } from '../../io/random.js'
import { pause } from '../pause.js'
import { lifeKey } from '../cluster/lease-keeper.js'

/** How long one question to the coordinator about a group may take. */
const answerMs = 2000

export function groupKey(group: string): string {
  return `group/${group}`
}

export interface GroupRegistryOptions {
  readonly clock: Clock
  readonly random: Random
  readonly coordinator: Coordinator
  /** Ends all that waits. */
  readonly signal: AbortSignal
}

/** The records of home groups at the coordinator. */
export class GroupRegistry {
  readonly #options: GroupRegistryOptions

  constructor(options: GroupRegistryOptions) {
    this.#options = options
  }

  /** Undefined where there is no such group. Throws as `Coordinator.get`, and `bad-format`. */
  async read(group: string, wait: WaitOptions): Promise<SeenRecord | undefined> {
    const { found, revision } = await this.#options.coordinator.get(groupKey(group), wait)
    if (found === undefined) return undefined
    return { record: decodeGroupRecord(found.value), modified: found.modified, at: revision }
  }

  /** Again and again until it succeeds; undefined where there is none, or this node stops. Never rejects. */
  async readPatiently(group: string): Promise<SeenRecord | undefined> {
    const { clock, random, signal } = this.#options
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return await this.read(group, { timeoutMs: answerMs, signal })
      } catch (reason) {
        if (KhazanaError.from(reason).code === 'bad-format') throw reason
        await pause(clock, backoffMs(attempt, random), signal)
      }
    }
    return undefined
  }

  /** The names of all groups that the node is a member of. Throws as `Coordinator.list`. */
  async namesOf(node: NodeId): Promise<readonly string[]> {
    const { coordinator, signal } = this.#options
    const { found } = await coordinator.list(groupKey(''), { timeoutMs: answerMs, signal })
    return found
      .filter(({ value }) => decodeGroupRecord(value).members.includes(node))
      .map(({ key }) => key.slice(groupKey('').length))
  }

  /** Makes a group that is not there yet; undefined where it is. Throws as `Coordinator.transact`. */
  async create(group: string, record: GroupRecord, wait: WaitOptions): Promise<SeenRecord | undefined> {
    const key = groupKey(group)
    const outcome = await this.#options.coordinator.transact(
      { conditions: [{ kind: 'absent', key }], puts: [putOf(key, record)] },
      wait,
    )
    if (outcome.kind !== 'applied') return undefined
    return { record, modified: outcome.revision, at: outcome.revision }
  }

  /** Never rejects. */
  async propose(group: string, { conditions, record }: GroupChange): Promise<ChangeOutcome> {
    const { coordinator, signal } = this.#options
    const key = groupKey(group)
    try {
      const outcome = await coordinator.transact(
        {
          conditions: conditions.map((condition) => conditionOf(key, condition)),
          puts: [putOf(key, record)],
        },
        { timeoutMs: answerMs, signal },
      )
      return outcome.kind === 'no-lease' ? { kind: 'unknown' } : outcome
    } catch {
      // Whatever it was: it may have happened, or not, and the record is read again.
      return { kind: 'unknown' }
    }
  }
}

function putOf(key: string, record: GroupRecord): Put {
  return { key, value: encodeGroupRecord(record) }
}

function conditionOf(group: string, condition: GroupCondition): Condition {
  const key = condition.key === 'group' ? group : lifeKey(condition.key.node)
  if (condition.kind === 'absent') return { kind: 'absent', key }
  return { kind: 'unchanged', key, modified: condition.modified as never }
}
