import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prng } from '../../../src/stdx/prng.js'
import { outcome, posix, withMounts } from './lock-fixture.js'
import { LockModel, modelBytes, rangeOf } from './lock-model.js'
import type { ModelRequest } from './lock-model.js'
import { Holdings, LockProgram } from './lock-program.js'

const seeds = Number(process.env['KHAZANA_FS_SEEDS'] ?? 6)
const firstSeed = Number(process.env['KHAZANA_FS_SEED'] ?? 1)
const chosen = Array.from({ length: seeds }, (_, index) => firstSeed + index)

/** Until what others have given back has come to those who wait, where no mount is dead. Milliseconds. */
const calmMs = 200

interface Wait extends ModelRequest {
  readonly stop: AbortController
  outcome: string | undefined
}

describe('random locks at several mounts', () => {
  for (const seed of chosen)
    it(`one at a time, do the same as in a simple model, and whoever can have a lock gets it (seed ${seed})`, async () => {
      const random = Prng.fromSeed(seed)
      const nodes = 2 + (seed % 2)
      await withMounts(
        nodes,
        async ({ cluster, file, mount }) => {
          const model = new LockModel()
          let waits: Wait[] = []
          for (let step = 0; step < 300; step++) {
            const node = 1 + random.below(nodes)
            const number = random.below(3)
            const kind = random.chance(0.7) ? 'posix' : 'flock'
            const [a, b] = [random.below(modelBytes), random.below(modelBytes)]
            const [first, last] = kind === 'flock' ? [0, modelBytes - 1] : [Math.min(a, b), Math.max(a, b)]
            const type = random.chance(0.5) ? 'read' : 'write'
            const owner = `${node}/${number}`
            const request = { kind, owner, type, first, last } as const
            const asked = { kind, owner: BigInt(number), type, pid: 1, ...rangeOf(request) } as const
            // Who waits does nothing else.
            if (waits.some((one) => one.owner === owner && one.kind === kind)) {
              const wait = waits.find((one) => one.owner === owner && one.kind === kind)
              if (wait === undefined || random.chance(0.7)) continue
              wait.stop.abort()
              await cluster.pause(calmMs)
              assert.equal(wait.outcome, 'EINTR')
              waits = waits.filter((one) => one !== wait)
              continue
            }
            const draw = random.below(100)
            if (draw < 15) {
              const found = await mount(node).testLock(file, asked)
              assert.equal(found !== undefined, model.blockers(request).length > 0, `step ${step}`)
            } else if (draw < 40) {
              const had = model.set(request)
              const ended = await outcome(() => mount(node).setLock(file, asked))
              assert.equal(ended, had ? 'done' : 'EAGAIN', `step ${step}`)
            } else if (draw < 65) {
              const had = model.set(request)
              const wait: Wait = { ...request, stop: new AbortController(), outcome: undefined }
              void outcome(() => mount(node).setLockWait(file, asked, wait.stop.signal)).then((ended) => {
                wait.outcome = ended
              })
              await cluster.pause(calmMs)
              if (had) assert.equal(wait.outcome, 'done', `step ${step}`)
              // Of the model it is not asked who waits for whom.
              else if (wait.outcome !== 'EDEADLK') waits.push(wait)
            } else if (draw < 90) {
              model.clear(request)
              await mount(node).unlock(file, asked)
            } else {
              model.clear({ ...request, first: 0, last: modelBytes - 1 })
              await mount(node).releaseLocks(file, kind, BigInt(number))
            }
            if (random.chance(0.3)) await cluster.pause(random.below(100))
            const granted = waits.filter((one) => model.blockers(one).length === 0 && model.set(one))
            if (granted.length > 0) await cluster.pause(calmMs)
            for (const one of waits)
              assert.equal(
                one.outcome,
                granted.includes(one) ? 'done' : undefined,
                `step ${step}: ${one.owner}`,
              )
            waits = waits.filter((one) => !granted.includes(one))
          }
          for (const { stop } of waits) stop.abort()
          await cluster.pause(calmMs)
        },
        { seed },
      )
    })

  for (const seed of chosen)
    it(`all at once, are never had by two who cannot both have them, and nobody waits for ever (seed ${seed})`, async () => {
      const random = Prng.fromSeed(seed)
      const nodes = 2 + (seed % 2)
      await withMounts(
        nodes,
        async ({ cluster, file, mount }) => {
          const seen = new Map<string, number>()
          for (const kind of ['posix', 'flock'] as const) {
            const holdings = new Holdings()
            const programs: LockProgram[] = []
            for (let node = 1; node <= nodes; node++)
              for (let owner = 1; owner <= 3; owner++) {
                const name = `${node}/${owner}`
                const fs = mount(node)
                const own = random.fork(name + kind)
                programs.push(
                  new LockProgram({ cluster, fs, file, random: own, holdings, name, owner, kind }),
                )
              }
            let running = programs.length
            const work = async (program: LockProgram): Promise<void> => {
              for (let step = 0; step < 60; step++) await program.step()
              await program.end()
              running -= 1
            }
            const all = Promise.all(programs.map(work))
            await cluster.until('all have come to their end', () => running === 0)
            await all
            for (const { outcomes } of programs)
              for (const [ended, count] of outcomes) seen.set(ended, (seen.get(ended) ?? 0) + count)
          }
          for (const ended of ['done', 'EAGAIN', 'EINTR'])
            assert.ok((seen.get(ended) ?? 0) > 5, `${ended}: ${seen.get(ended) ?? 0} times`)
        },
        { seed },
      )
    })

  for (const seed of chosen)
    it(`are free again that a mount had that dies, or is cut off for a while (seed ${seed})`, async () => {
      const random = Prng.fromSeed(seed)
      await withMounts(
        3,
        async ({ cluster, file, mount, warnings }) => {
          const holdings = new Holdings()
          const isOver = { whole: false }
          const running = new Set<string>()
          const work = async (program: LockProgram, name: string): Promise<void> => {
            running.add(name)
            while (!isOver.whole) await program.step()
            await program.end()
            running.delete(name)
          }
          const victim = 2 + random.below(2)
          // A program that fails, as its mount is cut off, ends as others do: its locks go.
          const endInTheEnd = async (program: LockProgram): Promise<void> => {
            for (let isEnded = false; !isEnded;) {
              await cluster.pause(500)
              isEnded = await program.end().then(
                () => true,
                () => false,
              )
            }
          }
          const all: Promise<void>[] = []
          for (let node = 1; node <= 3; node++)
            for (let owner = 1; owner <= 3; owner++) {
              const name = `${node}/${owner}`
              const fs = mount(node)
              const own = random.fork(name)
              const program = new LockProgram({
                ...{ cluster, fs, file, random: own, holdings, name, owner, kind: 'posix' },
              })
              const working = work(program, name)
              if (node !== victim) all.push(working)
              else void working.catch(() => endInTheEnd(program))
            }
          await cluster.pause(200 + random.below(600))
          const survivors = [1, 2, 3].filter((node) => node !== victim)
          const ofVictim = [1, 2, 3].map((owner) => `${victim}/${owner}`)
          // From now on it has nothing, whatever it believes.
          for (const name of ofVictim) holdings.ignore(name)
          if (random.chance(0.5)) cluster.crash(victim)
          else {
            const mends = survivors.map((node) => cluster.cut(node, victim))
            void cluster.pause(8000).then(() => {
              for (const mend of mends) mend()
            })
          }
          await cluster.pause(20_000)
          isOver.whole = true
          const isDone = (): boolean =>
            survivors.every((node) => [1, 2, 3].every((one) => !running.has(`${node}/${one}`)))
          await cluster.until('those that are left have come to their end', isDone)
          await Promise.all(all)
          const last = survivors.map((node) => outcome(() => mount(node).setLockWait(file, posix(9, 'read'))))
          for (const ended of await Promise.all(last)) assert.equal(ended, 'done')
          // Of what the victim has lost.
          warnings.length = 0
        },
        { seed },
      )
    })
})
