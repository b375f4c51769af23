import type { NodeRecord } from './node-record.js'

/** Whether, as far as the disk says, others may have rights of this node's: its next start must know. */
export class Lessees {
  readonly #record: Pick<NodeRecord, 'hasLessees' | 'writeHasLessees'>
  /** As far as it is certain to be on the disk. */
  #mayExist: boolean
  #marking: Promise<void> | undefined

  constructor(record: Pick<NodeRecord, 'hasLessees' | 'writeHasLessees'>) {
    this.#record = record
    this.#mayExist = record.hasLessees
  }

  get mayExist(): boolean {
    return this.#mayExist
  }

  /** From the first session on, a crash of this node leaves rights behind. */
  async mark(): Promise<void> {
    if (this.mayExist) return
    this.#marking ??= this.#record.writeHasLessees(true)
    await this.#marking
    this.#mayExist = true
  }

  /** All of them are known to have nothing any more. */
  async unmark(): Promise<void> {
    if (this.mayExist) await this.#record.writeHasLessees(false)
  }
}
