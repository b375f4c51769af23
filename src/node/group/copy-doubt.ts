import type { NodeId } from '../../address/identity.js'
import type { Clock } from '../../io/clock.js'
import type { Logger } from '../../io/logger.js'
import type { Random } from '../../io/random.js'
import { KhazanaError } from '../../stdx/errors.js'
import { damageAcceptedKey } from '../../store/store.js'
import type { Store } from '../../store/store.js'
import { pause } from '../pause.js'
import { backoffMs } from '../session/backoff.js'
import type { GroupRegistry } from './group-registry.js'

/** Between two looks at the records of groups in doubt. */
const lookMs = 500

export interface CopyDoubtOptions {
  readonly self: NodeId
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly store: Pick<Store, 'get' | 'commit'>
  readonly registry: GroupRegistry
  readonly signal: AbortSignal
  /** This node has a part in the group, if it had not. */
  readonly open: (group: string) => void
  /** The node may lead from now on. */
  readonly settled: () => void
}

/**
 * When log of this node was given up as damaged, its copies of home groups may lack what it has acknowledged: what they are is not known, and so neither which
 * groups are concerned. Other members have all of it. So until that is settled this node must not begin a reign, nor keep others from it: it does not tell the
 * coordinator that it lives, and so leads nothing. A group is settled when a primary has brought this node up to date; when others have taken over without it, as it then
 * counts only when it has been; or when it is the only member, so that nobody has more. That it is in doubt outlives restarts.
 */
export class CopyDoubt {
  readonly #options: CopyDoubtOptions
  readonly #updated = new Set<string>()
  #isOpen: boolean

  constructor(options: CopyDoubtOptions) {
    this.#options = options
    this.#isOpen = options.store.get(damageAcceptedKey) !== undefined
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Once. */
  start(): void {
    if (this.#isOpen) void this.#settle()
  }

  /** A primary has sent all that the group has, and it is durable here. */
  upToDate(group: string): void {
    if (this.#isOpen) this.#updated.add(group)
  }

  /** Never rejects. */
  async #settle(): Promise<void> {
    const { clock, random, signal, logger, store, settled } = this.#options
    logger.log('warn', 'log was given up: this node leads no home group before others have what it lacks', {})
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        if (await this.#look()) {
          await store.commit({ deletes: [damageAcceptedKey] })
          this.#isOpen = false
          settled()
          return
        }
        attempt = 0
        await pause(clock, lookMs, signal)
      } catch (reason) {
        if (attempt === 1) {
          const { message } = KhazanaError.from(reason)
          logger.log('warn', 'whether home groups can do without this node is not known', { reason: message })
        }
        await pause(clock, backoffMs(attempt, random), signal)
      }
    }
  }

  /** Whether nothing is in doubt any more. */
  async #look(): Promise<boolean> {
    const { self, registry, open } = this.#options
    let isSettled = true
    for (const group of await registry.namesOf(self)) {
      open(group)
      if (this.#updated.has(group)) continue
      const seen = await registry.read(group, { signal: this.#options.signal })
      const members = seen?.record.members ?? []
      if (members.includes(self) && members.length > 1) isSettled = false
    }
    return isSettled
  }
}
