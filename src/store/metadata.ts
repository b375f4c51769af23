import type { LogPosition } from './log-place.js'

/** A small value, and where its record is. */
export interface MetadataEntry {
  readonly value: Uint8Array
  readonly slot: number
  readonly position: LogPosition
}

/** Small named values, all in RAM: there are about as many as regions, not as pages. */
export class Metadata {
  readonly #entries = new Map<string, MetadataEntry>()

  entry(key: string): MetadataEntry | undefined {
    return this.#entries.get(key)
  }

  set(key: string, entry: MetadataEntry): void {
    this.#entries.set(key, entry)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  keysIn(slot: number): string[] {
    return [...this.#entries].filter(([, entry]) => entry.slot === slot).map(([key]) => key)
  }

  list(prefix: string): [key: string, value: Uint8Array][] {
    const found: [string, Uint8Array][] = []
    for (const [key, entry] of this.#entries) if (key.startsWith(prefix)) found.push([key, entry.value])
    return found.sort(([a], [b]) => (a < b ? -1 : 1))
  }
}
