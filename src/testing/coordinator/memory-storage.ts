import type { CoordinatorStorage } from '../../coordinator/stored-state.js'

type Group = Parameters<CoordinatorStorage['commit']>[0]

/** Records in memory, durable once `flush` has resolved. They outlive whoever uses them. */
export class MemoryStorage implements CoordinatorStorage {
  readonly #records = new Map<string, Uint8Array>()
  readonly #flush: () => Promise<void>

  /** What `flush` throws, `commit` does, and nothing has happened. */
  constructor(flush: () => Promise<void>) {
    this.#flush = flush
  }

  *list(prefix: string): Iterable<readonly [string, Uint8Array]> {
    for (const record of this.#records) if (record[0].startsWith(prefix)) yield record
  }

  async commit({ puts, deletes }: Group): Promise<void> {
    await this.#flush()
    for (const key of deletes) this.#records.delete(key)
    for (const { key, value } of puts) this.#records.set(key, value)
  }
}
