import type { Address } from '../../address/address.js'
import type { Khazana } from '../../client/khazana.js'
import type { Region } from '../../client/region.js'
import { KhazanaError } from '../../stdx/errors.js'
import { FsError } from '../errno.js'
import { Slots } from '../layout/slots.js'
import { mountListPage } from '../layout/superblock.js'
import type { FsRegion } from '../pages/fs-region.js'
import type { Lock } from '../pages/lock.js'
import type { PageRunner } from '../pages/page-runner.js'
import { alivePage, mountRecordPages } from './mount-record.js'
import { ownPageSize } from './make-volume.js'

/** How long a record's owner is given to show that it lives: locks of who is dead end with its lease. Milliseconds. */
const isAliveMs = 100
const timeoutMs = 30_000

/** A mount's record, and the lock that says that the mount lives. */
export interface OwnRecord {
  readonly region: Region
  readonly alive: Lock
  /** Its place in the list. */
  readonly slot: number
  /** It is new: nobody has left anything in it. */
  readonly isNew: boolean
}

/** A record, dead or alive, and its place in the list. */
export interface ListedRecord {
  readonly slot: number
  readonly address: Address
}

export interface MountRegisterOptions {
  readonly khazana: Khazana
  readonly runner: PageRunner
  readonly superblock: FsRegion
  readonly minReplicas: number
}

/** The mounts of a file system, by their records, which the superblock's region lists. */
export class MountRegister {
  readonly #options: MountRegisterOptions

  constructor(options: MountRegisterOptions) {
    this.#options = options
  }

  /** The record of a mount that is no more, or a new one. Throws `FsError`, `KhazanaError`. */
  async enter(): Promise<OwnRecord> {
    for (const listed of await this.#list()) {
      const taken = await this.take(listed)
      if (taken !== undefined) return taken
    }
    return this.#make()
  }

  /** The record, where its mount is no more. */
  async take({ slot, address }: ListedRecord): Promise<OwnRecord | undefined> {
    const { khazana } = this.#options
    try {
      const region = await khazana.region(address, { timeoutMs })
      const range = { offset: alivePage * ownPageSize, length: ownPageSize }
      const alive = await region.lock('write', range, { timeoutMs: isAliveMs })
      return { region, alive, slot, isNew: false }
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code === 'timeout' || code === 'unreachable' || code === 'no-such-region') return undefined
      throw reason
    }
  }

  /** Records of others, dead or alive. */
  async others(own: Address): Promise<readonly ListedRecord[]> {
    return (await this.#list()).filter(({ address }) => address !== own)
  }

  /** A dead mount's record has nothing in it any more. */
  async remove({ region, alive }: OwnRecord): Promise<void> {
    const { runner, superblock } = this.#options
    await runner.run((attempt) => {
      const slots = new Slots(attempt.write(superblock, mountListPage))
      attempt.change()
      for (const { slot, address } of slots.all()) if (address === region.address) slots.set(slot, undefined)
    })
    await runner.durable(superblock)
    alive.discard()
    await region.unreserve({ timeoutMs })
  }

  async #list(): Promise<readonly ListedRecord[]> {
    const { runner, superblock } = this.#options
    return runner.run((attempt) => [...new Slots(attempt.pageOf(superblock, mountListPage)).all()])
  }

  async #make(): Promise<OwnRecord> {
    const { khazana, runner, superblock, minReplicas } = this.#options
    const region = await khazana.reserve(mountRecordPages * ownPageSize, {
      pageSize: ownPageSize,
      minReplicas,
    })
    try {
      await region.allocate()
      const alive = await region.lock('write', { offset: alivePage * ownPageSize, length: ownPageSize })
      const slot = await runner.run((attempt) => {
        const slots = new Slots(attempt.write(superblock, mountListPage))
        const slot = slots.free()
        if (slot === undefined) throw new FsError('ENOSPC', `the file system has ${slots.count} mounts`)
        attempt.change()
        slots.set(slot, region.address)
        return slot
      })
      await runner.durable(superblock)
      return { region, alive, slot, isNew: true }
    } catch (reason) {
      // Where the lock is held still, it is done when that has ended with this process.
      await region.unreserve({ timeoutMs: isAliveMs }).catch(() => undefined)
      throw reason
    }
  }
}
