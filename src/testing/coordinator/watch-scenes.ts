import assert from 'node:assert/strict'
import type { Coordinator, Revision, Watch } from '../../coordinator/coordinator.js'
import { watchesMax } from '../../coordinator/limits.js'
import { rest } from './coordinator-bed.js'
import type { CoordinatorBed, CoordinatorScene } from './coordinator-bed.js'
import { after, applied, bytes, nextChanges, put, putSurely, rejects, sayChange } from './scene-tools.js'

interface Told {
  readonly revision: Revision
  readonly said: string[]
}

/** Writes values one after the other, each until it is known to be there; what a watch must tell, in order. */
async function writeAll(bed: CoordinatorBed, writer: Coordinator, count: number): Promise<Told[]> {
  const told: Told[] = []
  for (let index = 0; index < count; index++) {
    const key = `${bed.prefix}${index % 3}`
    const value = String(index)
    told.push({ revision: await putSurely(writer, key, value), said: [`+${key} ${value}`] })
    await rest(bed, bed.random.between(0, 20))
  }
  return told
}

async function readAll(watch: Watch, count: number): Promise<Told[]> {
  const told: Told[] = []
  while (told.length < count) told.push(await nextChanges(watch))
  return told
}

export const watchScenes: readonly CoordinatorScene[] = [
  {
    name: 'a watch tells every change from its revision on, each revision as a whole, of its keys alone',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const [one, other] = [bed.client(), bed.client()]
      const inside = (key: string): string => `${bed.prefix}in/${key}`
      const first = await put(one, inside('a'), '1')
      const early = other.watch(`${bed.prefix}in/`, first)
      await put(one, `${bed.prefix}out`, 'x')
      const second = await applied(one, {
        puts: [
          { key: inside('b'), value: bytes('2') },
          { key: `${bed.prefix}out2`, value: bytes('x') },
          { key: inside('c'), value: bytes('3') },
        ],
        deletes: [inside('a')],
      })
      const third = await applied(one, { deletes: [inside('b'), inside('nowhere')] })
      const expected = [
        { revision: first, said: [`+${inside('a')} 1`] },
        { revision: second, said: [`+${inside('b')} 2`, `+${inside('c')} 3`, `-${inside('a')}`] },
        { revision: third, said: [`-${inside('b')}`] },
      ]
      assert.deepEqual(await readAll(early, 3), expected)
      assert.deepEqual(await readAll(other.watch(`${bed.prefix}in/`, first), 3), expected)
      assert.deepEqual(await readAll(other.watch(`${bed.prefix}in/`, after(first)), 2), expected.slice(1))
      assert.deepEqual(await readAll(other.watch(`${bed.prefix}in/`, third), 1), expected.slice(2))
    },
  },
  {
    name: 'a watch from a revision to come tells nothing before it',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const key = `${bed.prefix}key`
      const first = await put(one, key, '1')
      const watch = one.watch(bed.prefix, (first + 2) as Revision)
      const waiting = watch.next()
      await rest(bed, 20)
      await put(one, key, '2')
      const third = await put(one, key, '3')
      const event = await waiting
      assert.ok(event.kind === 'changes' && event.revision >= first + 2)
      assert.ok(event.revision === third && event.changes.map(sayChange).includes(`+${key} 3`))
    },
  },
  {
    name: 'a watch whose wait was over, or given up, goes on where it was',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const key = `${bed.prefix}key`
      const watch = one.watch(bed.prefix, after(await put(one, key, '0')))
      await rejects(watch.next({ timeoutMs: 30 }), 'timeout', 'unreachable')
      const first = await put(one, key, '1')
      assert.deepEqual(await nextChanges(watch), { revision: first, said: [`+${key} 1`] })
      const giveUp = new AbortController()
      const waiting = rejects(watch.next({ signal: giveUp.signal }), 'aborted')
      await rejects(watch.next(), 'invalid-argument')
      await rest(bed, 20)
      const second = put(one, key, '2')
      giveUp.abort()
      await waiting
      assert.deepEqual(await nextChanges(watch), { revision: await second, said: [`+${key} 2`] })
    },
  },
  {
    name: 'a watch misses nothing, and tells nothing twice, while the store is out of reach again and again',
    standsLosses: true,
    play: async (bed: CoordinatorBed): Promise<void> => {
      const [writer, reader] = [bed.client(), bed.client()]
      const count = 60
      const watch = reader.watch(bed.prefix, after((await writer.list(bed.prefix)).revision))
      const reading = readAll(watch, count)
      const writing = { isOver: false }
      const disturbing = (async () => {
        while (!writing.isOver) {
          await rest(bed, bed.random.between(20, 200))
          const thaw = await bed.freeze()
          await rest(bed, bed.random.between(20, 200))
          thaw()
        }
      })()
      const written = await writeAll(bed, writer, count)
      writing.isOver = true
      await disturbing
      assert.deepEqual(await reading, written)
      const middle = written[count / 2]
      assert.ok(middle !== undefined)
      const again = reader.watch(bed.prefix, middle.revision)
      assert.deepEqual(await readAll(again, count / 2), written.slice(count / 2))
    },
  },
  {
    name: 'a watch goes on after the store was killed, or says that it cannot',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const [writer, reader] = [bed.client(), bed.client()]
      const last = `${bed.prefix}last`
      let watch = reader.watch(bed.prefix, after((await writer.list(bed.prefix)).revision))
      const seen = new Map<string, number>()
      const reading = (async () => {
        while (seen.get(last) === undefined) {
          const event = await watch.next({ timeoutMs: 20_000 })
          if (event.kind === 'compacted') {
            const { found, revision } = await reader.list(bed.prefix)
            for (const { key, modified } of found) seen.set(key, modified)
            watch = reader.watch(bed.prefix, after(revision))
            continue
          }
          for (const change of event.changes) {
            assert.ok(change.kind === 'put')
            assert.ok(event.revision > (seen.get(change.entry.key) ?? 0), 'nothing is told twice')
            seen.set(change.entry.key, event.revision)
          }
        }
      })()
      await writeAll(bed, writer, 10)
      await bed.restart()
      await writeAll(bed, writer, 10)
      await putSurely(writer, last, 'x')
      await reading
      const { found } = await reader.list(bed.prefix)
      assert.deepEqual(new Map(found.map(({ key, modified }) => [key, modified])), new Map([...seen].sort()))
    },
  },
  {
    name: 'a watch from before what the store remembers says so, and is over',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const key = `${bed.prefix}key`
      const first = await put(one, key, '1')
      for (let index = 0; index < 10; index++) await put(one, key, String(index))
      await bed.forgetHistory()
      const watch = one.watch(bed.prefix, first)
      const event = await watch.next()
      assert.ok(event.kind === 'compacted' && event.revision > first)
      await rejects(watch.next(), 'closed')
      const { revision } = await one.list(bed.prefix)
      const anew = one.watch(bed.prefix, after(revision))
      const next = await put(one, key, 'anew')
      assert.deepEqual(await nextChanges(anew), { revision: next, said: [`+${key} anew`] })
    },
  },
  {
    name: 'closing ends what waits, and nothing can be asked any more',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const { revision } = await one.get(`${bed.prefix}key`)
      const [watch, other] = [one.watch(bed.prefix, after(revision)), one.watch(bed.prefix, after(revision))]
      const waiting = [rejects(watch.next(), 'closed'), rejects(other.next(), 'closed')]
      await rest(bed, 20)
      watch.close()
      await waiting[0]
      await rejects(watch.next(), 'closed')
      one.close()
      one.close()
      await waiting[1]
      await rejects(one.get(`${bed.prefix}key`), 'closed')
      await rejects(one.transact({}), 'closed')
      assert.throws(() => one.watch(bed.prefix, revision), { code: 'closed' })
    },
  },
  {
    name: 'there are at most so many watches at a time',
    play: async (bed: CoordinatorBed): Promise<void> => {
      const one = bed.client()
      const { revision } = await one.get(`${bed.prefix}key`)
      const watches = Array.from({ length: watchesMax }, () => one.watch(bed.prefix, revision))
      assert.throws(() => one.watch(bed.prefix, revision), { code: 'busy' })
      watches[0]?.close()
      one.watch(bed.prefix, revision)
    },
  },
]
