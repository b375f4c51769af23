import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FsError } from '../../../src/fs/errno.js'
import { lockEndMax } from '../../../src/fs/locks/file-lock.js'
import type { FileLock, LockMount, WaitingLock } from '../../../src/fs/locks/file-lock.js'
import { LockTable } from '../../../src/fs/locks/lock-table.js'
import { decodeLockTable, encodeLockTable } from '../../../src/fs/locks/lock-table-layout.js'
import { bytesNeeded, lockTableBytes } from '../../../src/fs/locks/lock-table-size.js'
import { Prng } from '../../../src/stdx/prng.js'
import { LockModel, modelBytes, rangeOf } from './lock-model.js'
import type { ModelRequest } from './lock-model.js'

const mounts: readonly LockMount[] = [1, 2, 3].map((incarnation) => ({
  slot: 10 + incarnation,
  incarnation,
}))
const owners = 3
const steps = 3000

function mountOf(owner: string): LockMount {
  const mount = mounts.find(({ incarnation }) => owner.startsWith(`${incarnation}/`))
  assert.ok(mount !== undefined)
  return mount
}

function lockOf(request: ModelRequest): FileLock {
  const { kind, owner, type } = request
  const number = BigInt(owner.slice(2))
  return { kind, mount: mountOf(owner), owner: number, type, pid: 7, ...rangeOf(request) }
}

/** The table in the model's words. */
function pictureOf({ held }: LockTable): string[] {
  const model = new Map<string, string[]>()
  for (const { kind, mount, owner, type, start, end } of held) {
    const name = `${kind} ${mount.incarnation}/${owner}`
    const cells = model.get(name) ?? Array.from({ length: modelBytes }, () => '.')
    model.set(name, cells)
    for (let byte = 0; byte < modelBytes; byte++) {
      if (start > BigInt(byte) || end < BigInt(byte)) continue
      assert.equal(cells[byte], '.', `${name} has a byte twice`)
      cells[byte] = type === 'read' ? 'r' : 'W'
    }
  }
  return [...model].map(([name, cells]) => `${name} ${cells.join('')}`)
}

/** No lock of an owner touches another one of the same type: they are one. */
function checkMerged({ held }: LockTable): void {
  for (const one of held)
    for (const other of held)
      if (one !== other && one.kind === other.kind && one.type === other.type)
        if (one.owner === other.owner && one.mount.incarnation === other.mount.incarnation)
          assert.ok(one.start > other.end + 1n || other.start > one.end + 1n, 'two that are one')
}

function drawn(random: Prng): ModelRequest {
  const kind = random.chance(0.8) ? 'posix' : 'flock'
  const [a, b] = [random.below(modelBytes), random.below(modelBytes)]
  const range = kind === 'flock' ? [0, modelBytes - 1] : [Math.min(a, b), Math.max(a, b)]
  return {
    kind,
    owner: `${1 + random.below(mounts.length)}/${random.below(owners)}`,
    type: random.chance(0.6) ? 'read' : 'write',
    first: range[0] ?? 0,
    last: range[1] ?? 0,
  }
}

function copyOf(table: LockTable): LockTable {
  const bytes = new Uint8Array(lockTableBytes)
  encodeLockTable(table, bytes)
  return decodeLockTable(bytes)
}

describe('a table of locks', () => {
  for (const seed of [1, 2, 3, 4, 5])
    it(`does what a model does that knows each byte (seed ${seed})`, () => {
      const random = Prng.fromSeed(seed)
      const model = new LockModel()
      let table = new LockTable()
      let waits: (ModelRequest & { readonly ticket: number })[] = []
      for (let step = 0; step < steps; step++) {
        const request = drawn(random)
        const lock = lockOf(request)
        const draw = random.below(100)
        if (draw < 55) {
          const blockers = model.blockers(request)
          const conflicts = table.conflicts(lock).map(({ mount, owner }) => `${mount.incarnation}/${owner}`)
          assert.deepEqual([...new Set(conflicts)].sort(), blockers.sort())
          const starts = table.conflicts(lock).map(({ start }) => start)
          const first = starts.reduce((least, start) => (start < least ? start : least), lockEndMax)
          assert.equal(table.conflict(lock)?.start, starts.length === 0 ? undefined : first)
          if (request.kind === 'flock') {
            // Which of two steps it is made of is the caller's business.
            table.clear(lock)
            model.clear(request)
          }
          if (blockers.length === 0) {
            assert.ok(model.set(request))
            assert.equal(table.set(lock), 'done')
          } else if (random.chance(0.5) && waits.length < 8) {
            assert.equal(table.wait({ ...lock, ticket: step }), 'done')
            waits.push({ ...request, ticket: step })
          }
        } else if (draw < 90) {
          model.clear(request)
          assert.equal(table.clear(lock), 'done')
        } else if (draw < 95) {
          const given = waits.length === 0 ? undefined : random.pick(waits)
          if (given !== undefined) {
            assert.ok(table.endWait(mountOf(given.owner).incarnation, given.ticket))
            assert.ok(!table.endWait(mountOf(given.owner).incarnation, given.ticket))
            waits = waits.filter((one) => one !== given)
          }
        } else if (draw < 97) {
          const { incarnation } = random.pick(mounts)
          model.removeOwners((owner) => owner.startsWith(`${incarnation}/`))
          waits = waits.filter(({ owner }) => !owner.startsWith(`${incarnation}/`))
          table.removeMount(incarnation)
          assert.ok(!table.hasMount(incarnation))
        }
        const granted = table.grant().map(({ ticket }) => ticket)
        const expected: number[] = []
        for (const one of waits) {
          if (model.blockers(one).length > 0) continue
          model.set(one)
          expected.push(one.ticket)
        }
        assert.deepEqual(granted, expected, `step ${step}`)
        waits = waits.filter(({ ticket }) => !expected.includes(ticket))
        assert.deepEqual(pictureOf(table).sort(), model.picture().sort(), `step ${step}`)
        assert.deepEqual(
          table.waiting.map(({ ticket }) => ticket),
          waits.map(({ ticket }) => ticket),
        )
        checkMerged(table)
        const copy = copyOf(table)
        assert.deepEqual([copy.held, copy.waiting], [table.held, table.waiting])
        if (random.chance(0.2)) table = copy
      }
    })

  it('lets nothing in that there is no room for, and has room for whatever waits', () => {
    const [mount] = mounts
    assert.ok(mount !== undefined)
    const lockAt = (
      owner: bigint,
      start: bigint,
      end = start,
      type: FileLock['type'] = 'write',
    ): FileLock => {
      return { kind: 'posix', mount, owner, type, start, end, pid: 1 }
    }
    const table = new LockTable()
    assert.equal(table.set(lockAt(1n, 0n, 10_000n, 'read')), 'done')
    const wait: WaitingLock = { ...lockAt(1n, 5000n), ticket: 1 }
    table.set(lockAt(2n, 5000n, 5000n, 'read'))
    assert.equal(table.wait(wait), 'done')
    let count = 0
    while (table.set(lockAt(3n, 20_000n + 2n * BigInt(count))) === 'done') count += 1
    assert.ok(count > 390, `room for ${count}`)
    const before = [table.held, table.waiting]
    assert.equal(table.set(lockAt(3n, 90_000n)), 'full')
    assert.equal(table.clear(lockAt(1n, 100n)), 'full', 'one would be two')
    assert.equal(table.wait({ ...lockAt(4n, 0n), ticket: 2 }), 'full')
    assert.deepEqual([table.held, table.waiting], before)
    table.clear(lockAt(2n, 5000n))
    assert.deepEqual(
      table.grant().map(({ ticket }) => ticket),
      [1],
    )
    assert.ok(bytesNeeded(table.held, table.waiting) <= lockTableBytes)
    assert.deepEqual(copyOf(table).held, table.held)
  })

  it('is read from any bytes, or they are told to be none', () => {
    const random = Prng.fromSeed(1)
    assert.deepEqual(decodeLockTable(new Uint8Array(lockTableBytes)).held, [])
    let damaged = 0
    for (let round = 0; round < 3000; round++) {
      const table = new LockTable()
      for (let count = 0; count < 5; count++) table.set(lockOf(drawn(random)))
      table.wait({ ...lockOf(drawn(random)), ticket: round })
      const bytes = new Uint8Array(lockTableBytes)
      const used = encodeLockTable(table, bytes)
      for (let count = 0; count < 4; count++) bytes[random.below(used)] = random.below(256)
      const cut = random.chance(0.3) ? random.below(used) : lockTableBytes
      try {
        const { held, waiting } = decodeLockTable(bytes.subarray(0, cut))
        for (const { start, end } of [...held, ...waiting]) assert.ok(start <= end && end <= lockEndMax)
      } catch (reason) {
        assert.ok(reason instanceof FsError && reason.code === 'EIO', String(reason))
        damaged += 1
      }
    }
    assert.ok(damaged > 500)
  })
})
