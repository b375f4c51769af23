import type { DirectoryLock } from '../io/storage.js'
import { assert } from '../stdx/assert.js'
import { KhazanaError } from '../stdx/errors.js'
import type { LogItem } from './batch.js'
import { Cleaner } from './cleaner.js'
import { chooseSegmentBytes, pendingBytesMaxDefault, planGeometry } from './geometry.js'
import { layOutGroup } from './group-layout.js'
import { GroupWriter } from './group-writer.js'
import { Ledger } from './ledger.js'
import { LogStore } from './log-store.js'
import { recover } from './recovery.js'
import { newSegment, segmentName, slotOfName } from './segment.js'
import { SegmentSet } from './segment-set.js'
import { damageAcceptedKey } from './store-contract.js'
import type { Store, StoreOptions } from './store-contract.js'
import { readSuperblock, type Superblock, writeSuperblock } from './superblock.js'

/** Of what is said of damage that was accepted: for people. */
const acceptanceCharsMax = 1000

/**
 * Opens the store in the directory, making a new one in an empty directory. Throws `directory-in-use`; `bad-format`
 * for a store of a newer version; `damaged` where acknowledged data may be lost and `acceptDamage` is not set;
 * `no-space`; `invalid-argument` for limits below those that `StoreLimits` states.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const segmentBytes = chooseSegmentBytes(options.limits)
  const lock = await options.directory.lock()
  try {
    return await openLocked(options, lock, segmentBytes)
  } catch (reason) {
    await lock.release()
    throw reason
  }
}

async function openLocked(
  options: StoreOptions,
  lock: DirectoryLock,
  segmentBytesIfNew: number,
): Promise<Store> {
  const { directory, checksum, logger, limits } = options
  const found = await readSuperblock(directory, checksum)
  if (found === undefined) await refuseLogs(options)
  const superblock: Superblock =
    found?.state === 'ready'
      ? found
      : { state: 'creating', storeId: randomId(options), segmentBytes: segmentBytesIfNew }
  const segments = new SegmentSet(directory, planGeometry(limits, superblock.segmentBytes), logger)
  try {
    const ledger = new Ledger(segments)
    const { storeId } = superblock
    const writer = new GroupWriter(segments, ledger, checksum, storeId)
    const cleaner = new Cleaner(segments, ledger, checksum, storeId)
    const pendingBytesMax = limits.pendingBytesMax ?? pendingBytesMaxDefault
    const store = new LogStore({ options, lock, segments, ledger, writer, cleaner, pendingBytesMax })
    if (superblock.state === 'creating') {
      await create(options, superblock, segments, writer)
      return store
    }
    await adoptFiles(options, segments)
    // Who made them may have died before their names were durable.
    await directory.sync()
    const onDamage = options.acceptDamage === true ? 'accept' : 'refuse'
    const outcome = await recover({ segments, ledger, storeId, checksum, logger, onDamage })
    if (outcome === 'damage-accepted') {
      await writeGroup(segments, writer, [acceptance(ledger)])
      store.clean()
    }
    return store
  } catch (reason) {
    await segments.close()
    throw reason
  }
}

/** A log without a description is a store that lost it, not an empty directory. */
async function refuseLogs({ directory }: StoreOptions): Promise<void> {
  const logs = (await directory.list()).filter((name) => slotOfName(name) !== undefined)
  if (logs.length === 0) return
  throw new KhazanaError(
    'damaged',
    `${directory.path} holds a log (${logs[0]}) and lacks its description, store.json`,
  )
}

/** The description is `creating` until the first group is durable: so a store that is `ready` never looks empty. */
async function create(
  { directory, checksum, logger }: StoreOptions,
  superblock: Superblock,
  segments: SegmentSet,
  writer: GroupWriter,
): Promise<void> {
  await writeSuperblock(directory, superblock, checksum)
  for (const name of await directory.list()) if (slotOfName(name) !== undefined) await directory.remove(name)
  await writeGroup(segments, writer, [])
  await writeSuperblock(directory, { ...superblock, state: 'ready' }, checksum)
  logger.log('info', 'created a store', { path: directory.path, segmentBytes: superblock.segmentBytes })
}

async function writeGroup(
  segments: SegmentSet,
  writer: GroupWriter,
  items: readonly LogItem[],
): Promise<void> {
  const isThere = segments.free.length > 0 || (await segments.make('last-resort'))
  if (!isThere) throw new KhazanaError('no-space', 'the disk has no room for a log file')
  const parts = layOutGroup(items, segments, [], { sequence: 0, block: 0 })
  assert(parts !== undefined, 'a group of one record fits a free segment')
  await writer.write(parts, [])
}

/** In the very write with which the log goes on: it is never taken for one that is whole. */
function acceptance({ damage }: Ledger): LogItem {
  const places = damage.flatMap((found) => (found.kind === 'log' ? [found.message] : []))
  const value = new TextEncoder().encode(places.join('; ').slice(0, acceptanceCharsMax))
  return { record: { kind: 'put', key: damageAcceptedKey, value } }
}

/** Every segment file becomes a free segment, for recovery to say what it is. */
async function adoptFiles({ directory, logger }: StoreOptions, segments: SegmentSet): Promise<void> {
  const { segmentBytes } = segments.geometry
  for (const name of await directory.list()) {
    const slot = slotOfName(name)
    if (slot === undefined) continue
    const file = await directory.open(name, { create: false })
    // A file of another size was being made when the process died, or was cut: recovery misses it if it is needed.
    if (file.size() === segmentBytes) {
      segments.adopt(newSegment(slot, file))
      continue
    }
    logger.log('warn', 'a log file does not have full size', { file: segmentName(slot), bytes: file.size() })
    await file.close()
  }
}

function randomId({ random }: StoreOptions): bigint {
  return (BigInt(random.uint32()) << 32n) | BigInt(random.uint32())
}
