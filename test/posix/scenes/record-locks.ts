import { scene } from '../bed.js'
import type { PosixBed, PosixTheme } from '../bed.js'
import { O, SEEK } from '../flags.js'
import type { PosixAgent } from '../posix-agent.js'

type Kind = 'read' | 'write'

/** Two processes with the file open, and a way to ask which bytes are locked as the second sees it. */
async function pair(bed: PosixBed): Promise<{
  a: PosixAgent
  b: PosixAgent
  one: number
  two: number
  /** For bytes 0 to 9 and byte 1000, one letter each: `w` and `r` locked, `.` free. */
  seen: () => Promise<string>
}> {
  const { a } = bed
  const b = await bed.agent()
  await a.writeFile('f', '0123456789')
  const [one, two] = [await a.open('f', O.RDWR), await b.open('f', O.RDWR)]
  const seen = async (): Promise<string> => {
    let letters = ''
    for (const start of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000]) {
      const found = await b.getLock(two, { type: 'write', start, length: 1 })
      letters += found === 'none' ? '.' : found.type === 'read' ? 'r' : 'w'
    }
    return letters
  }
  return { a, b, one, two, seen }
}

export const recordLocksTheme: PosixTheme = {
  name: 'record locks',
  scenes: [
    scene(
      'are shared for reading and exclusive for writing, byte by byte',
      async (bed) => {
        const { works, fails } = bed
        const { a, b, one, two } = await pair(bed)
        const lock = (type: Kind, start: number, length: number) => ({ type, start, length })
        await works(a.setLock(one, lock('read', 0, 4)))
        await works(b.setLock(two, lock('read', 2, 4)))
        await fails(b.setLock(two, lock('write', 3, 1)), 'EAGAIN', 'EACCES')
        await fails(a.setLock(one, lock('write', 0, 3)), 'EAGAIN', 'EACCES')
        await works(a.setLock(one, lock('write', 0, 2)))
        await fails(b.setLock(two, lock('read', 1, 1)), 'EAGAIN', 'EACCES')
        await works(b.setLock(two, lock('write', 4, 6)))
        await fails(a.setLock(one, lock('read', 9, 1)), 'EAGAIN', 'EACCES')
        await works(a.setLock(one, lock('read', 10, 100)))
      },
      'record-locks',
    ),
    scene(
      'are split and merged',
      async (bed) => {
        const { same } = bed
        const { a, one, seen } = await pair(bed)
        const set = (type: Kind | 'unlock', start: number, length: number): Promise<void> =>
          a.setLock(one, { type, start, length })
        await set('write', 0, 10)
        same(await seen(), 'wwwwwwwwww.')
        await set('unlock', 3, 2)
        same(await seen(), 'www..wwwww.')
        await set('read', 1, 1)
        same(await seen(), 'wrw..wwwww.')
        await set('read', 0, 4)
        same(await seen(), 'rrrr.wwwww.')
        await set('write', 4, 1)
        same(await seen(), 'rrrrwwwwww.')
        await set('write', 0, 4)
        same(await seen(), 'wwwwwwwwww.')
        await set('unlock', 9, 0)
        same(await seen(), 'wwwwwwwww..')
        await set('read', 5, 0)
        same(await seen(), 'wwwwwrrrrrr')
        await set('unlock', 7, 1)
        same(await seen(), 'wwwwwrr.rrr')
        await set('unlock', 0, 0)
        same(await seen(), '...........')
        await set('unlock', 0, 0)
        same(await seen(), '...........', 'what is not locked may be unlocked')
      },
      'record-locks',
    ),
    scene(
      'tell who has what, merged',
      async (bed) => {
        const { same } = bed
        const { a, b, one, two } = await pair(bed)
        const pid = await a.pid()
        const ask = (type: Kind, start: number, length: number) => b.getLock(two, { type, start, length })
        same(await ask('write', 0, 0), 'none')
        await a.setLock(one, { type: 'write', start: 10, length: 5 })
        await a.setLock(one, { type: 'write', start: 15, length: 5 })
        const found = { type: 'write' as const, whence: SEEK.SET, start: 10, length: 10, pid }
        same(await ask('write', 0, 0), found)
        same(await ask('read', 12, 1), found)
        same(await ask('read', 0, 10), 'none')
        same(await ask('read', 20, 0), 'none')
        await a.setLock(one, { type: 'read', start: 10, length: 0 })
        same(await ask('read', 0, 0), 'none')
        same(await ask('write', 99, 1), { ...found, type: 'read', length: 0 })
        same(
          await a.getLock(one, { type: 'write', start: 0, length: 0 }),
          'none',
          'own locks are in no own way',
        )
      },
      'record-locks',
    ),
    scene(
      'count from the start, from the offset and from the end, forwards and backwards',
      async (bed) => {
        const { same, fails } = bed
        const { a, one, seen } = await pair(bed)
        const cycle = async (
          start: number,
          length: number,
          whence: number,
          expected: string,
        ): Promise<void> => {
          await a.setLock(one, { type: 'write', start, length, whence })
          same(await seen(), expected)
          await a.setLock(one, { type: 'unlock', start, length, whence })
          same(await seen(), '...........')
        }
        await a.lseek(one, 4, SEEK.SET)
        await cycle(0, 2, SEEK.CUR, '....ww.....')
        await cycle(-2, 1, SEEK.CUR, '..w........')
        await cycle(0, -3, SEEK.CUR, '.www.......')
        await cycle(-1, 1, SEEK.END, '.........w.')
        await cycle(0, -2, SEEK.END, '........ww.')
        await cycle(-3, 0, SEEK.END, '.......wwww')
        await cycle(990, 1, SEEK.END, '..........w')
        await cycle(5, -5, SEEK.SET, 'wwwww......')
        await cycle(8, 0, SEEK.SET, '........www')
        for (const [start, length, whence] of [
          [-1, 1, SEEK.SET],
          [2, -3, SEEK.SET],
          [-5, 1, SEEK.CUR],
          [-11, 1, SEEK.END],
          [0, -11, SEEK.END],
          [0, 1, 9],
        ] as const) {
          await fails(a.setLock(one, { type: 'write', start, length, whence }), 'EINVAL')
          await fails(a.getLock(one, { type: 'write', start, length, whence }), 'EINVAL')
        }
      },
      'record-locks',
    ),
    scene(
      'need a file that is open for what they are for',
      async ({ a, works, fails }) => {
        await a.writeFile('f', '')
        const [reading, writing] = [await a.open('f', O.RDONLY), await a.open('f', O.WRONLY)]
        await works(a.setLock(reading, { type: 'read', start: 0, length: 0 }))
        await fails(a.setLock(reading, { type: 'write', start: 0, length: 0 }), 'EBADF')
        await works(a.setLock(writing, { type: 'write', start: 0, length: 0 }))
        await fails(a.setLock(writing, { type: 'read', start: 0, length: 0 }), 'EBADF')
        await fails(a.waitLock(reading, { type: 'write', start: 0, length: 0 }), 'EBADF')
        await works(a.getLock(reading, { type: 'write', start: 0, length: 0 }))
      },
      'record-locks',
    ),
    scene(
      'belong to the process, which does not stand in its own way',
      async ({ a, works }) => {
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDWR), await a.open('f', O.RDWR)]
        await works(a.setLock(one, { type: 'write', start: 0, length: 0 }))
        await works(a.setLock(two, { type: 'write', start: 0, length: 0 }))
      },
      'record-locks',
    ),
    scene(
      'all end when the process closes any descriptor of the file',
      async (bed) => {
        const { a, one, seen } = await pair(bed)
        await a.setLock(one, { type: 'write', start: 0, length: 5 })
        await a.link('f', 'other-name')
        bed.same(await seen(), 'wwwww......')
        await a.close(await a.open('other-name', O.RDONLY))
        bed.same(await seen(), '...........')
        await a.setLock(one, { type: 'write', start: 0, length: 5 })
        await a.close(await a.dup(one))
        bed.same(await seen(), '...........')
      },
      'record-locks',
      'links',
    ),
    scene(
      'are waited for, and handed over',
      async (bed) => {
        const { works, blocks } = bed
        const { a, b, one, two } = await pair(bed)
        await a.setLock(one, { type: 'write', start: 0, length: 10 })
        const waiting = b.waitLock(two, { type: 'write', start: 5, length: 10 })
        await blocks(waiting)
        await a.setLock(one, { type: 'unlock', start: 0, length: 5 })
        await blocks(waiting)
        await a.setLock(one, { type: 'read', start: 5, length: 5 })
        await blocks(waiting)
        await a.setLock(one, { type: 'unlock', start: 5, length: 5 })
        await works(waiting)
        const back = a.waitLock(one, { type: 'read', start: 7, length: 1 })
        await blocks(back)
        await b.setLock(two, { type: 'read', start: 5, length: 10 })
        await works(back)
      },
      'record-locks',
    ),
    scene(
      'end with a process that is killed, for one who waits',
      async (bed) => {
        const { works, blocks } = bed
        const { a, b, one, two } = await pair(bed)
        await b.setLock(two, { type: 'write', start: 0, length: 0 })
        const waiting = a.waitLock(one, { type: 'write', start: 3, length: 1 })
        await blocks(waiting)
        await b.kill()
        await works(waiting)
      },
      'record-locks',
    ),
    scene(
      'fail with EDEADLK where two would wait for each other',
      async (bed) => {
        const { works, blocks, fails } = bed
        const { a, b, one, two } = await pair(bed)
        await a.setLock(one, { type: 'write', start: 0, length: 1 })
        await b.setLock(two, { type: 'write', start: 1, length: 1 })
        const waiting = a.waitLock(one, { type: 'write', start: 1, length: 1 })
        await blocks(waiting)
        await fails(b.waitLock(two, { type: 'write', start: 0, length: 1 }), 'EDEADLK')
        await b.setLock(two, { type: 'unlock', start: 1, length: 1 })
        await works(waiting)
      },
      'record-locks',
      'deadlock-detection',
    ),
    scene(
      'stand in no way of flock, nor of reading and writing',
      async (bed) => {
        const { a, b, one, two } = await pair(bed)
        await a.setLock(one, { type: 'write', start: 0, length: 0 })
        await bed.works(b.flock(two, 2 | 4))
        bed.same(await b.pread(two, 3, 0), '012')
        bed.same(await b.pwrite(two, 'X', 0), 1)
        await bed.works(b.truncate('f', 1))
      },
      'record-locks',
      'flock',
    ),
    scene(
      'keep a counter right that several count up',
      async (bed) => {
        await bed.a.writeFile('counter', '00000000')
        const agents = [bed.a, await bed.agent(), await bed.agent()]
        await Promise.all(agents.map((agent) => agent.count('counter', 100, 'fcntl')))
        bed.same(await bed.a.readFile('counter'), '00000300')
      },
      'record-locks',
    ),
  ],
}
