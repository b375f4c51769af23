import { assert } from '../../stdx/assert.js'
import { FsError } from '../errno.js'
import { getUint53, setUint53, viewOf } from '../layout/fields.js'
import { lockEndMax } from './file-lock.js'
import type { FileLock, LockKind, LockMount, LockType, WaitingLock } from './file-lock.js'
import { LockTable } from './lock-table.js'
import { headBytes, lockBytes, lockTableBytes, mountBytes } from './lock-table-size.js'

const magic = 0x4b68_4c6b
const version = 1

const kinds: readonly LockKind[] = ['posix', 'flock']
const types: readonly LockType[] = ['read', 'write']

/** Where the head, a mount and a lock have what; bytes from where each begins. What is not named is 0. */
const inHead = { magic: 0, version: 4, mounts: 8, held: 10, waiting: 12 } as const
const inMount = { slot: 0, incarnation: 8 } as const
const inLock = { mount: 0, kind: 2, type: 3, pid: 4, owner: 8, start: 16, end: 24, ticket: 32 } as const

/**
 * How a table is on a page; all bytes 0 is one without locks.
 *
 *   | head | mounts, by which their locks say whose they are | locks that are held | locks that are waited for, in order |
 *
 * Answers how many bytes it took; those behind stay as they are. `into`: `lockTableBytes`.
 */
export function encodeLockTable({ held, waiting }: LockTable, into: Uint8Array): number {
  const view = viewOf(into)
  const numbers = new Map<number, number>()
  let at = headBytes
  for (const { mount } of [...held, ...waiting]) {
    if (numbers.has(mount.incarnation)) continue
    numbers.set(mount.incarnation, numbers.size)
    view.setUint32(at + inMount.slot, mount.slot)
    setUint53(view, at + inMount.incarnation, mount.incarnation)
    at += mountBytes
  }
  assert(
    at + (held.length + waiting.length) * lockBytes <= lockTableBytes,
    'a table of locks has room for what was let into it',
  )
  view.setUint32(inHead.magic, magic)
  view.setUint32(inHead.version, version)
  view.setUint16(inHead.mounts, numbers.size)
  view.setUint16(inHead.held, held.length)
  view.setUint16(inHead.waiting, waiting.length)
  view.setUint16(inHead.waiting + 2, 0)
  const put = (lock: FileLock, ticket: number): void => {
    view.setUint16(at + inLock.mount, numbers.get(lock.mount.incarnation) ?? 0)
    view.setUint8(at + inLock.kind, kinds.indexOf(lock.kind))
    view.setUint8(at + inLock.type, types.indexOf(lock.type))
    view.setUint32(at + inLock.pid, lock.pid)
    view.setBigUint64(at + inLock.owner, lock.owner)
    view.setBigUint64(at + inLock.start, lock.start)
    view.setBigUint64(at + inLock.end, lock.end)
    setUint53(view, at + inLock.ticket, ticket)
    at += lockBytes
  }
  for (const lock of held) put(lock, 0)
  for (const lock of waiting) put(lock, lock.ticket)
  return at
}

/** Throws `EIO` for what is no table. */
export function decodeLockTable(bytes: Uint8Array): LockTable {
  const view = viewOf(bytes)
  if (bytes.length < headBytes) throw damaged()
  if (view.getUint32(inHead.magic) === 0) return new LockTable()
  if (view.getUint32(inHead.magic) !== magic || view.getUint32(inHead.version) !== version) throw damaged()
  const mountCount = view.getUint16(inHead.mounts)
  const [heldCount, waitingCount] = [view.getUint16(inHead.held), view.getUint16(inHead.waiting)]
  if (headBytes + mountCount * mountBytes + (heldCount + waitingCount) * lockBytes > bytes.length)
    throw damaged()
  const mounts: LockMount[] = []
  for (let index = 0; index < mountCount; index++) {
    const from = headBytes + index * mountBytes
    const incarnation = getUint53(view, from + inMount.incarnation)
    if (!Number.isSafeInteger(incarnation)) throw damaged()
    mounts.push({ slot: view.getUint32(from + inMount.slot), incarnation })
  }
  const lockAt = (index: number): WaitingLock => {
    const from = headBytes + mountCount * mountBytes + index * lockBytes
    const mount = mounts[view.getUint16(from + inLock.mount)]
    const kind = kinds[view.getUint8(from + inLock.kind)]
    const type = types[view.getUint8(from + inLock.type)]
    const [start, end] = [view.getBigUint64(from + inLock.start), view.getBigUint64(from + inLock.end)]
    const ticket = getUint53(view, from + inLock.ticket)
    if (mount === undefined || kind === undefined || type === undefined) throw damaged()
    if (start > end || end > lockEndMax || !Number.isSafeInteger(ticket)) throw damaged()
    const owner = view.getBigUint64(from + inLock.owner)
    return { kind, mount, owner, type, start, end, pid: view.getUint32(from + inLock.pid), ticket }
  }
  const held = Array.from({ length: heldCount }, (_, index): FileLock => {
    const { kind, mount, owner, type, start, end, pid } = lockAt(index)
    return { kind, mount, owner, type, start, end, pid }
  })
  const waiting = Array.from({ length: waitingCount }, (_, index) => lockAt(heldCount + index))
  return new LockTable(held, waiting)
}

function damaged(): FsError {
  return new FsError('EIO', 'the table of a file`s locks is damaged')
}
