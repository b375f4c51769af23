import type { Khazana } from '../../client/khazana.js'
import { fileSpaceBytes, newRegionPages } from '../file/limits.js'
import { Slots } from '../layout/slots.js'
import type { Attempt } from '../pages/attempt.js'
import type { FsRegion } from '../pages/fs-region.js'
import type { PageRunner } from '../pages/page-runner.js'
import { sparesPage } from './mount-record.js'

/** Regions that are kept for files that are yet to be made, with their first pages' storage. */
const sparesWanted = 128
/** With fewer more are reserved. */
const sparesLow = 64
/** Reserved at a time. */
const reservedAtOnce = 32

export interface RegionSettings {
  readonly pageSize: number
  readonly minReplicas: number
}

export interface SparesOptions {
  readonly khazana: Khazana
  readonly runner: PageRunner
  readonly record: FsRegion
  readonly warn: (message: string, reason: unknown) => void
}

interface Spare {
  readonly region: FsRegion
  readonly slot: number
  readonly settings: RegionSettings
}

/**
 * Regions for new files, reserved ahead: to reserve one takes a write to the disk, which nobody who makes a file should wait for. They are noted in the mount's
 * record until they are files, so that none is lost with the mount, but for those that are being reserved at that moment.
 */
export class Spares {
  readonly #options: SparesOptions
  readonly #spares: Spare[] = []
  readonly #taken = new Set<number>()
  #filling: { readonly settings: RegionSettings; readonly done: Promise<void> } | undefined
  #isClosed = false

  constructor(options: SparesOptions) {
    this.#options = options
  }

  /** Asks for a region with these settings; what it answers makes it a file's, in the same release. Throws `Miss`. */
  toTake(
    attempt: Attempt,
    settings: RegionSettings,
  ): { readonly region: FsRegion; readonly take: () => void } {
    const index = this.#spares.findIndex((spare) => isSame(spare.settings, settings))
    const spare = this.#spares[index]
    if (spare === undefined) attempt.await(() => this.#fill(settings))
    const slots = new Slots(attempt.write(this.#options.record, sparesPage))
    if (slots.get(spare.slot) !== spare.region.address) {
      // This mount was taken for dead, and what it had was given back: all of it is of no use.
      this.#spares.length = 0
      this.#taken.clear()
      attempt.await(() => this.#fill(settings))
    }
    return {
      region: spare.region,
      take: () => {
        slots.set(spare.slot, undefined)
        this.#spares.splice(this.#spares.indexOf(spare), 1)
        this.#taken.delete(spare.slot)
        if (this.#spares.length < sparesLow) void this.#fillQuietly(settings)
      },
    }
  }

  /** Has some ready. Never rejects. */
  prepare(settings: RegionSettings): Promise<void> {
    return this.#fillQuietly(settings)
  }

  /** No more are reserved, and all that were are in the record, for whoever clears that away. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#filling?.done.catch(() => undefined)
    this.#spares.length = 0
  }

  async #fillQuietly(settings: RegionSettings): Promise<void> {
    if (this.#filling !== undefined || this.#isClosed) return
    try {
      await this.#fill(settings)
    } catch (reason) {
      if (!this.#isOver()) this.#options.warn('no regions could be reserved for new files', reason)
    }
  }

  /** The mount may have ended while something was waited for. */
  #isOver(): boolean {
    return this.#isClosed
  }

  async #fill(settings: RegionSettings): Promise<void> {
    if (this.#filling !== undefined) {
      await this.#filling.done
      return
    }
    const done = this.#reserve(settings)
    this.#filling = { settings, done }
    try {
      await done
    } finally {
      this.#filling = undefined
    }
    const count = this.#spares.filter((spare) => isSame(spare.settings, settings)).length
    if (count < sparesWanted && !this.#isClosed) void this.#fillQuietly(settings)
  }

  async #reserve(settings: RegionSettings): Promise<void> {
    const { khazana, runner, record } = this.#options
    const { pageSize } = settings
    const reserved = await Promise.all(
      Array.from({ length: reservedAtOnce }, async () => {
        const handle = await khazana.reserve(pageSize + fileSpaceBytes, settings)
        await handle.allocate({ offset: 0, length: newRegionPages * pageSize })
        // So that its first page is in memory when it becomes a file's.
        const lock = await handle.lock('write', { offset: 0, length: pageSize })
        lock.discard()
        return handle
      }),
    )
    const slots: number[] = []
    for (let slot = 0; slots.length < reserved.length && slot < record.pageSize / 16; slot++)
      if (!this.#taken.has(slot)) slots.push(slot)
    for (const slot of slots) this.#taken.add(slot)
    await runner.run((attempt) => {
      const page = new Slots(attempt.write(record, sparesPage))
      attempt.change()
      slots.forEach((slot, index) => {
        page.set(slot, reserved[index]?.address)
      })
    })
    reserved.forEach((handle, index) => {
      const slot = slots[index]
      if (slot === undefined) return
      this.#spares.push({ region: runner.reserved(handle), slot, settings })
    })
  }
}

function isSame(a: RegionSettings, b: RegionSettings): boolean {
  return a.pageSize === b.pageSize && a.minReplicas === b.minReplicas
}
