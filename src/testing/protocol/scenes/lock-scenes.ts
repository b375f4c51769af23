import { writeCell } from '../cells.js'
import { demand } from '../contract-violation.js'
import { bytesConflict, largerStands } from '../protocol-claims.js'
import { homeName } from '../world-sites.js'
import { Stage, scene } from './stage.js'
import type { Scene } from './stage.js'

const isGlobal = ({ writes }: { readonly writes: string }): boolean => writes !== 'local'

/** Who waits for whom, who gives up, and what is not there to be locked. */
export const lockScenes: readonly Scene[] = [
  scene({
    name: 'a writer keeps out the writers that it claims to, and they follow',
    isFor: isGlobal,
    play: (stage) => {
      const { world } = stage
      for (const [one, other] of [
        ['A', 'B'],
        ['A', 'A'],
        [homeName, 'A'],
        ['A', homeName],
      ] as const) {
        const first = stage.open(one, 'write', 0)
        const second = world.lock(other, 'write', 0)
        world.settle()
        demand(second.state === 'waiting', `${other} waits to write while ${one} writes`)
        writeCell(first, 0, 0, world.sections.length)
        const value = world.sections.length
        stage.close(first)
        stage.until('the second writer has its turn', () => second.state === 'open')
        stage.close(second)
        stage.allSee(0, 0, value)
      }
    },
  }),
  scene({
    name: 'a writer keeps out readers, and they keep it out',
    isFor: ({ writes }) => writes === 'exclusive',
    play: (stage) => {
      const { world } = stage
      const writer = stage.open('A', 'write', 0)
      const reader = world.lock('B', 'read', 0)
      world.settle()
      demand(reader.state === 'waiting', 'a reader waits for the writer')
      stage.close(writer)
      stage.until('the reader has its turn', () => reader.state === 'open')
      const next = world.lock('C', 'write', 0)
      world.settle()
      demand(next.state === 'waiting', 'a writer waits for the reader')
      stage.close(reader)
      stage.until('the writer has its turn', () => next.state === 'open')
    },
  }),
  scene({
    name: 'writers who share a page write at once, and what each wrote beside the others stands',
    isFor: ({ writes }) => writes === 'shared',
    play: (stage) => {
      const { world } = stage
      const writers = world.sites.map(({ name }) => stage.open(name, 'write-shared', 0))
      for (const [cell, writer] of writers.entries()) writeCell(writer, 0, cell, cell + 1)
      for (const writer of writers) world.unlock(writer)
      stage.until('all are done', () => writers.every(({ state }) => state === 'done'))
      for (const cell of writers.keys()) stage.allSee(0, cell, cell + 1)
    },
  }),
  scene({
    name: 'two sites write one page at once, and both come to have the same',
    isFor: ({ writes }) => writes === 'local',
    play: (stage) => {
      const one = stage.open('A', 'write', 0)
      const other = stage.open('B', 'write', 0)
      writeCell(one, 0, 0, 1)
      writeCell(other, 0, 0, 2)
      stage.close(one)
      stage.close(other)
      stage.until('all see the same', () => {
        const seen = new Set(stage.world.sites.map(({ name }) => stage.read(name, 0, 0)))
        return seen.size === 1 && !seen.has(0)
      })
    },
  }),
  scene({
    name: 'the merge function makes one page of what two sites wrote',
    isFor: ({ merge }) => merge === true,
    play: ({ protocol, claims }) => {
      const stage = new Stage(protocol, claims, { merge: largerStands })
      stage.write('A', 0, 0, 9)
      stage.allSee(0, 0, 9)
      const one = stage.open('A', 'write', 0)
      const other = stage.open('B', 'write', 0)
      writeCell(one, 0, 1, 3)
      writeCell(other, 0, 1, 4)
      writeCell(other, 0, 2, 5)
      stage.close(one)
      stage.close(other)
      for (const [cell, value] of [9, 4, 5].entries()) stage.allSee(0, cell, value)
    },
  }),
  scene({
    name: 'locks that the application says do not conflict are held at once, others are not',
    isFor: ({ conflicts }) => conflicts === true,
    play: ({ protocol, claims }) => {
      const stage = new Stage(protocol, claims, { conflicts: bytesConflict })
      const { world } = stage
      const one = stage.open('A', 'write', 0, 1, { offset: 0, length: 4 })
      const beside = stage.open('B', 'write', 0, 1, { offset: 8, length: 4 })
      const over = world.lock('C', 'write', 0, 1, { terms: { offset: 0, length: 12 } })
      const isWaiting = (): boolean => over.state === 'waiting'
      world.settle()
      demand(isWaiting(), 'a lock that conflicts with both waits')
      writeCell(one, 0, 0, 1)
      writeCell(beside, 0, 1, 2)
      stage.close(one)
      world.settle()
      demand(isWaiting(), 'a lock that conflicts with one still waits')
      stage.close(beside)
      stage.until('the third has its turn', () => over.state === 'open')
      stage.close(over)
      stage.allSee(0, 0, 1)
      stage.allSee(0, 1, 2)
    },
  }),
  scene({
    name: 'a caller who gives up leaves nothing behind, whenever it does',
    play: ({ protocol, claims }) => {
      for (let delivered = 0; delivered < 6; delivered++) {
        const stage = new Stage(protocol, claims)
        const { world } = stage
        const holder = stage.open('A', 'write', 0)
        for (const name of ['B', homeName, 'A']) {
          const waiting = world.lock(name, 'write', 0)
          for (let count = 0; count < delivered; count++) {
            for (const child of ['A', 'B']) {
              if (!world.deliver(child, homeName)) world.deliver(homeName, child)
            }
            world.endLoad()
          }
          if (waiting.state === 'open') world.discard(waiting)
          else world.cancel(waiting)
        }
        world.settle()
        writeCell(holder, 0, 0, 5)
        stage.close(holder)
        for (const { name } of world.sites) stage.close(stage.open(name, 'write', 0))
        stage.allSee(0, 0, 5)
      }
    },
  }),
  scene({
    name: 'a caller who gives up what nobody holds leaves nothing behind',
    play: ({ protocol, claims }) => {
      for (let delivered = 0; delivered < 6; delivered++) {
        const stage = new Stage(protocol, claims)
        const { world } = stage
        const waiting = world.lock('A', 'write', 0)
        for (let count = 0; count < delivered; count++) {
          if (!world.deliver('A', homeName) && !world.deliver(homeName, 'A')) world.endLoad()
        }
        if (waiting.state === 'open') world.discard(waiting)
        else world.cancel(waiting)
        world.settle()
        demand(waiting.state === 'failed', 'the caller has given up')
        stage.write('B', 0, 0, 5)
        stage.allSee(0, 0, 5)
      }
    },
  }),
  scene({
    name: 'a lock on pages without storage is refused as not allocated',
    play: (stage) => {
      const { world } = stage
      stage.write('A', 1, 0, 1)
      stage.free(2)
      for (const { name } of world.sites) {
        for (const [first, count] of [
          [2, 1],
          [1, 2],
        ] as const) {
          for (const mode of ['read', 'write', 'write-shared'] as const) {
            const section = world.lock(name, mode, first, count)
            stage.until(`${name} is refused`, () => section.isOver || section.state === 'open')
            const code = section.failure?.code
            demand(
              section.state === 'failed' && code === 'not-allocated',
              `a lock to ${mode} pages without storage at ${name} is ${section.state}, ${code ?? 'without a reason'}`,
            )
          }
        }
      }
      stage.write('B', 1, 0, 2)
      stage.allSee(1, 0, 2)
    },
  }),
  scene({
    name: 'pages that were freed are gone for all, and zeros when they have storage again',
    play: (stage) => {
      const { world } = stage
      stage.write('A', 1, 0, 1)
      stage.allSee(1, 0, 1)
      stage.free(1)
      const gone = world.lock('B', 'read', 1)
      stage.until('the lock is refused', () => gone.isOver)
      world.allocate(1)
      stage.allSee(1, 0, 0)
      stage.write('B', 1, 0, 2)
      stage.allSee(1, 0, 2)
    },
  }),
  scene({
    name: 'freeing waits for locks, and locks for the freeing',
    isFor: isGlobal,
    play: (stage) => {
      const { world } = stage
      const holder = stage.open('A', 'write', 0)
      const seizure = world.seize(0)
      world.settle()
      demand(seizure.state === 'waiting', 'freeing waits for the lock at A')
      const late = world.lock('B', 'write', 0)
      stage.close(holder)
      stage.until('the freeing has its turn', () => seizure.state === 'open' || late.state === 'open')
      if (late.state === 'open') stage.close(late)
      stage.until('the freeing has its turn', () => seizure.state === 'open')
      world.free(seizure)
      stage.until('the other lock is answered', () => late.isOver)
    },
  }),
]
