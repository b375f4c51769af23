import type { CoordinatorStorage } from '../../coordinator/stored-state.js'

type Group = Parameters<CoordinatorStorage['commit']>[0]

/** Records in memory, which outlive whoever uses them. */
export class MemoryStorage implements CoordinatorStorage {
  readonly #records = new Map<string, Uint8Array>()

  list(prefix: string): (readonly [string, Uint8Array])[] {
    return [...this.#records].filter(([key]) => key.startsWith(prefix))
  }

  async commit({ puts, deletes }: Group): Promise<void> {
    for (const key of deletes) this.#records.delete(key)
    for (const { key, value } of puts) this.#records.set(key, value)
  }
}
