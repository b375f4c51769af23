import type { Address } from '../../address/address.js'
import type { Khazana } from '../../client/khazana.js'
import type { FsEnvironment } from '../environment.js'
import { Inode } from '../layout/inode.js'
import { Slots } from '../layout/slots.js'
import { Superblock, superblockPage } from '../layout/superblock.js'
import { Lives } from '../locks/lives.js'
import { MountIdentity } from '../locks/mount-identity.js'
import { MountLocks } from '../locks/mount-locks.js'
import { KeptLock } from '../pages/kept-lock.js'
import { PageRunner } from '../pages/page-runner.js'
import { AccessTimes } from './access-times.js'
import { InoSource } from './ino-source.js'
import { ownPageSize } from './make-volume.js'
import { MountRegister } from './mount-register.js'
import type { OwnRecord } from './mount-register.js'
import { alivePage, orphansFirstPage, orphansPages, sparesPage } from './mount-record.js'
import { Openings } from './openings.js'
import { Orphans } from './orphans.js'
import { Reaper } from './reaper.js'
import { Spares } from './spares.js'
import type { Volume } from './volume.js'

export interface OpenVolumeOptions {
  readonly releaseAfterMs: number
  readonly timeoutMs: number
}

/** A volume that is mounted, until `close`. */
export interface OpenVolume extends Volume {
  readonly id: Uint8Array
  readonly locks: MountLocks
  /** Work in the background, which `close` waits for; what it fails with is logged. Never rejects. */
  whenIdle(work: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

/** Throws `FsError`, `KhazanaError`. */
export async function openVolume(
  khazana: Khazana,
  environment: FsEnvironment,
  address: Address,
  { releaseAfterMs, timeoutMs }: OpenVolumeOptions,
): Promise<OpenVolume> {
  const runner = new PageRunner({ khazana, environment, releaseAfterMs, timeoutMs })
  const superblock = runner.region(address)
  superblock.uses += 1
  const {
    root,
    openings: openingsAddress,
    lives: livesAddress,
    replicas,
    id,
  } = await runner.run((attempt) => {
    // What has no storage is no file system, as what has other bytes is none.
    const page = new Superblock(
      attempt.read(superblock, superblockPage) ?? new Uint8Array(superblock.pageSize),
    )
    const { root, openings, lives, replicas, id } = page
    return { root, openings, lives, replicas, id }
  })
  const register = new MountRegister({ khazana, runner, superblock, minReplicas: replicas })
  const record = await register.enter()
  const recordRegion = runner.region(record.region.address)
  recordRegion.handle = record.region
  recordRegion.uses += 1
  const warn = (message: string, reason: unknown): void => {
    environment.warn(message, reason)
  }
  const aliveRange = { offset: alivePage * ownPageSize, length: ownPageSize }
  const alive = new KeptLock(
    { region: record.region, mode: 'write', range: aliveRange, environment, timeoutMs },
    record.alive,
  )
  const spares = new Spares({ khazana, runner, record: recordRegion, warn })
  const orphans = new Orphans(recordRegion)
  const openings = new Openings(await khazana.region(openingsAddress, { timeoutMs }), environment, timeoutMs)
  const reaper = new Reaper(runner, { orphans, openings, record: recordRegion }, environment)
  const inos = new InoSource(runner, superblock)
  const lives = new Lives({ khazana, address: livesAddress, timeoutMs })
  const identity = new MountIdentity(runner, inos, { lives, slot: record.slot })
  const isOver = lives.isOver.bind(lives)
  const locks = new MountLocks({ runner, identity, environment, timeoutMs, isOver })
  const work = new Set<Promise<void>>()
  const state = { isClosed: false }
  const whenIdle = (run: () => Promise<void>): Promise<void> => {
    const done = run()
      .catch((reason: unknown) => {
        if (!state.isClosed) environment.warn('work of a file system in the background failed', reason)
      })
      .finally(() => work.delete(done))
    work.add(done)
    return done
  }
  const accesses = new AccessTimes({ runner, environment, whenIdle })
  const volume: OpenVolume = {
    ...{ khazana, environment, runner, root, inos, spares, orphans, openings, reaper, id, locks, whenIdle },
    accesses,
    close: async () => {
      state.isClosed = true
      await locks.close()
      await identity.close()
      await accesses.write()
      await reaper.close()
      await Promise.all(work)
      await giveBack(volume, recordRegion.address)
      openings.closeAll()
      await runner.close()
      alive.discard()
    },
  }
  if (!record.isNew) await takeOver(volume, record)
  void whenIdle(() => spares.prepare({ pageSize: ownPageSize, minReplicas: replicas }))
  void whenIdle(() => clearAway(volume, register, record.region.address))
  return volume
}

/** What the mount before left in the record: regions that are nobody's go, files without a name are this mount's to take away. */
async function takeOver(volume: Volume, { region }: OwnRecord): Promise<void> {
  const { runner, reaper, orphans } = volume
  const record = runner.region(region.address)
  await unreserveSpares(volume, record.address)
  for (let page = orphansFirstPage; page < orphansFirstPage + orphansPages; page++) {
    const left = await runner.run((attempt) => [...new Slots(attempt.pageOf(record, page)).all()])
    for (const { slot, address } of left) {
      const ino = await inoOf(volume, address)
      const place = (page - orphansFirstPage) * Math.floor(record.pageSize / 16) + slot
      orphans.adopt(place)
      reaper.add(address, ino ?? 0, place)
    }
  }
}

/** Records of other mounts that are dead are emptied, and go. */
async function clearAway(volume: Volume, register: MountRegister, own: Address): Promise<void> {
  const { runner, orphans, reaper } = volume
  for (const listed of await register.others(own)) {
    const { address } = listed
    const dead = await register.take(listed)
    if (dead === undefined) continue
    const record = runner.region(address)
    record.handle = dead.region
    await unreserveSpares(volume, address)
    for (let page = orphansFirstPage; page < orphansFirstPage + orphansPages; page++) {
      const left = await runner.run((attempt) => [...new Slots(attempt.pageOf(record, page)).all()])
      for (const { slot, address: file } of left) {
        const ino = (await inoOf(volume, file)) ?? 0
        await runner.run((attempt) => {
          const slots = new Slots(attempt.write(record, page))
          const add = orphans.toAdd(attempt, file)
          attempt.change()
          slots.set(slot, undefined)
          reaper.add(file, ino, add())
        })
      }
    }
    await runner.durable(record)
    await register.remove(dead)
    runner.forget(record)
  }
}

/** Regions of a record that are no file's. */
async function unreserveSpares({ runner, khazana }: Volume, address: Address): Promise<void> {
  const record = runner.region(address)
  const left = await runner.run((attempt) => [...new Slots(attempt.pageOf(record, sparesPage)).all()])
  if (left.length === 0) return
  const gone = await Promise.all(
    left.map(async ({ slot, address: spare }) => {
      try {
        const region = await khazana.region(spare)
        await region.unreserve()
        return [slot]
      } catch (reason) {
        return reason instanceof Error && 'code' in reason && reason.code === 'no-such-region' ? [slot] : []
      }
    }),
  )
  await runner.run((attempt) => {
    const slots = new Slots(attempt.write(record, sparesPage))
    attempt.change()
    for (const slot of gone.flat()) slots.set(slot, undefined)
  })
  await runner.durable(record)
}

async function giveBack(volume: Volume, record: Address): Promise<void> {
  const { spares, environment } = volume
  await spares.close()
  try {
    await volume.runner.allDurable()
    await unreserveSpares(volume, record)
  } catch (reason) {
    environment.warn('what a mount leaves is for the next one to clear away', reason)
  }
}

/** Undefined for what is no file any more. */
async function inoOf({ runner }: Volume, address: Address): Promise<number | undefined> {
  const region = runner.region(address)
  try {
    return await runner.run((attempt) => new Inode(attempt.pageOf(region, 0)).ino)
  } catch {
    return undefined
  }
}
