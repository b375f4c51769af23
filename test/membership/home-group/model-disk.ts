import type { Prng } from '../../../src/stdx/prng.js'

export interface Page {
  readonly version: number
  readonly value: string
}

/** What is written at once: undefined takes the page away. */
export type Batch = ReadonlyMap<string, Page | undefined>

interface Pending {
  readonly batch: Batch
  readonly onDurable: () => void
}

/** A log: batches become durable in order, each as one. A crash leaves a part of what was not. */
export class ModelDisk {
  readonly #durable: Map<string, Page>
  #pages: Map<string, Page>
  readonly #pending: Pending[] = []

  constructor(durable: ReadonlyMap<string, Page> = new Map()) {
    this.#durable = new Map(durable)
    this.#pages = new Map(durable)
  }

  /** With all that is on its way. */
  get pages(): ReadonlyMap<string, Page> {
    return this.#pages
  }

  get durable(): ReadonlyMap<string, Page> {
    return this.#durable
  }

  get pendingCount(): number {
    return this.#pending.length
  }

  write(batch: Batch, onDurable: () => void): void {
    apply(this.#pages, batch)
    this.#pending.push({ batch, onDurable })
  }

  /** The first `count` of what is pending is durable. */
  flush(count: number): void {
    for (const { batch, onDurable } of this.#pending.splice(0, count)) {
      apply(this.#durable, batch)
      onDurable()
    }
  }

  /** The last `count` of what is pending has never been. */
  refuse(count: number): void {
    this.#pending.splice(this.#pending.length - count)
    this.#pages = new Map(this.#durable)
    for (const { batch } of this.#pending) apply(this.#pages, batch)
  }

  /** The disk as it is found after a crash. */
  crashed(prng: Prng): ModelDisk {
    for (const { batch } of this.#pending.slice(0, prng.int(0, this.#pending.length))) {
      apply(this.#durable, batch)
    }
    return new ModelDisk(this.#durable)
  }
}

function apply(pages: Map<string, Page>, batch: Batch): void {
  for (const [name, page] of batch) {
    if (page === undefined) pages.delete(name)
    else pages.set(name, page)
  }
}

/** The contents of all pages, in one text: equal where they are. */
export function contentsOf(pages: ReadonlyMap<string, Page>): string {
  const all = [...pages].filter(([name]) => name !== eraName).map(([name, { value }]) => `${name}=${value}`)
  return all.sort().join(' ')
}

/** The record of the region, beside its pages. */
export const eraName = 'era'
