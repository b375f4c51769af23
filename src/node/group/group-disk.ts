import type { KhazanaError } from '../../stdx/errors.js'
import type { CommitDone, CommitGroup, Store } from '../../store/store.js'
import type { OwnRecords } from '../home/region-log.js'

/** Share of the store's bound on undurable bytes at which commits wait here, so that it never refuses one as `busy`. */
const deferShare = 0.5

interface Waiting {
  readonly group: CommitGroup
  readonly own: () => OwnRecords
  readonly done: CommitDone
}

/**
 * The way of one home group to this node's disk: commits in their order, at the pace of the store. How many wait is bounded by what the primary has
 * open. Where one is refused, so are all after it, until `begin`.
 */
export class GroupDisk {
  readonly #store: Pick<Store, 'submit' | 'pendingBytes' | 'pendingBytesMax'>
  readonly #waiting: Waiting[] = []
  #open = 0
  #failure: KhazanaError | undefined
  #isComingBack = false
  readonly #idle: (() => void)[] = []

  constructor(store: Pick<Store, 'submit' | 'pendingBytes' | 'pendingBytesMax'>) {
    this.#store = store
  }

  /** Calls `done` in the order of submission, when it is durable, or with why it, or one before it, is not. `own`: asked for when the store is given it. */
  submit(group: CommitGroup, own: () => OwnRecords, done: CommitDone): void {
    this.#waiting.push({ group, own, done })
    this.#drain()
  }

  /** Resolves when the disk has answered all. */
  async whenIdle(): Promise<void> {
    while (this.#open > 0 || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
  }

  /** After a refusal: what is on the disk has been read again. */
  begin(): void {
    this.#failure = undefined
  }

  #drain(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { pendingBytes, pendingBytesMax } = this.#store
      if (this.#failure === undefined && pendingBytes > pendingBytesMax * deferShare) {
        this.#comeBack()
        return
      }
      this.#waiting.shift()
      this.#handIn(next)
    }
    if (this.#open > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #handIn({ group, own, done }: Waiting): void {
    if (this.#failure !== undefined) {
      done(this.#failure)
      return
    }
    this.#open += 1
    const { puts = [], deletes = [] } = own()
    const whole = {
      ...group,
      puts: [...(group.puts ?? []), ...puts],
      deletes: [...(group.deletes ?? []), ...deletes],
    }
    this.#store.submit(whole, (failure) => {
      this.#open -= 1
      this.#failure ??= failure
      done(this.#failure)
      this.#drain()
    })
  }

  /** When all that is on its way to the disk now is there. */
  #comeBack(): void {
    if (this.#isComingBack) return
    this.#isComingBack = true
    this.#store.submit({}, () => {
      this.#isComingBack = false
      this.#drain()
    })
  }
}
