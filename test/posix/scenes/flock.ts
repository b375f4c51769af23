import { rest } from '../checks.js'
import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { LOCK, O } from '../flags.js'

const { SH, EX, NB, UN } = LOCK

export const flockTheme: PosixTheme = {
  name: 'flock',
  scenes: [
    scene(
      'is shared by many, or had by one',
      async (bed) => {
        const { a, works, fails } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDWR), await b.open('f', O.RDWR)]
        await works(a.flock(one, SH | NB))
        await works(b.flock(two, SH | NB))
        await fails(a.flock(one, EX | NB), 'EAGAIN')
        await works(b.flock(two, UN))
        await works(a.flock(one, EX | NB))
        await fails(b.flock(two, SH | NB), 'EAGAIN')
        await fails(b.flock(two, EX | NB), 'EAGAIN')
        await works(a.flock(one, SH | NB))
        await works(b.flock(two, SH | NB))
        await works(a.flock(one, UN))
        await works(b.flock(two, EX | NB))
      },
      'flock',
    ),
    scene(
      'belongs to the opening, not to the process',
      async ({ a, works, fails }) => {
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDONLY), await a.open('f', O.RDONLY)]
        const copy = await a.dup(one)
        await works(a.flock(one, EX | NB))
        await fails(a.flock(two, EX | NB), 'EAGAIN')
        await works(a.flock(copy, EX | NB))
        await a.close(one)
        await fails(a.flock(two, SH | NB), 'EAGAIN')
        await a.close(copy)
        await works(a.flock(two, EX | NB))
        const second = await a.dup(two)
        await works(a.flock(second, UN))
        await works(a.flock(await a.open('f', O.RDONLY), EX | NB))
      },
      'flock',
    ),
    scene(
      'is waited for, and handed over',
      async (bed) => {
        const { a, blocks, works } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDWR), await b.open('f', O.RDWR)]
        await a.flock(one, EX)
        const waiting = b.flock(two, EX)
        await blocks(waiting)
        await a.flock(one, UN)
        await works(waiting)
        const back = a.flock(one, SH)
        await blocks(back)
        await b.flock(two, SH)
        await works(back)
      },
      'flock',
    ),
    scene(
      'ends with the last descriptor',
      async (bed) => {
        const { a, blocks, works } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        const one = await a.open('f', O.RDWR)
        const copy = await a.dup(one)
        await a.flock(one, EX)
        const waiting = b.flock(await b.open('f', O.RDWR), EX)
        await a.close(one)
        await blocks(waiting)
        await a.close(copy)
        await works(waiting)
      },
      'flock',
    ),
    scene(
      'ends with a process that is killed',
      async (bed) => {
        const { a, blocks, works } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        await b.flock(await b.open('f', O.RDWR), EX)
        const waiting = a.flock(await a.open('f', O.RDWR), EX)
        await blocks(waiting)
        await b.kill()
        await works(waiting)
      },
      'flock',
    ),
    scene(
      'is not had by one who was killed while waiting',
      async (bed) => {
        const { a, works } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        const one = await a.open('f', O.RDWR)
        await a.flock(one, EX)
        b.flock(await b.open('f', O.RDWR), EX).catch(() => undefined)
        await rest(20)
        await b.kill()
        await a.flock(one, UN)
        await works(a.flock(await a.open('f', O.RDWR), EX | NB))
      },
      'flock',
    ),
    scene(
      'locks directories, and files however opened',
      async (bed) => {
        const { a, works, fails } = bed
        const b = await bed.agent()
        await a.mkdir('dir')
        await a.writeFile('f', '')
        await works(a.flock(await a.open('dir', O.RDONLY), EX | NB))
        await fails(b.flock(await b.open('dir', O.RDONLY), EX | NB), 'EAGAIN')
        for (const flags of [O.RDONLY, O.WRONLY, O.RDWR]) {
          const fd = await a.open('f', flags)
          await works(a.flock(fd, EX | NB))
          await works(a.flock(fd, SH | NB))
          await a.close(fd)
        }
        const fd = await a.open('f', O.RDONLY)
        await fails(a.flock(fd, 0), 'EINVAL')
        await fails(a.flock(fd, NB), 'EINVAL')
        await fails(a.flock(fd, 0x100), 'EINVAL')
        await works(a.flock(fd, UN))
      },
      'flock',
    ),
    scene(
      'stays with a file that is renamed or removed',
      async (bed) => {
        const { a, works, fails } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        const one = await a.open('f', O.RDWR)
        await a.flock(one, EX)
        await a.rename('f', 'g')
        const two = await b.open('g', O.RDWR)
        await fails(b.flock(two, SH | NB), 'EAGAIN')
        await a.unlink('g')
        await fails(b.flock(two, SH | NB), 'EAGAIN')
        await a.writeFile('g', '')
        await works(b.flock(await b.open('g', O.RDWR), EX | NB))
        await a.close(one)
        await works(b.flock(two, EX | NB))
      },
      'flock',
    ),
    scene(
      'keeps a counter right that several count up',
      async (bed) => {
        await bed.a.writeFile('counter', '00000000')
        const agents = [bed.a, await bed.agent(), await bed.agent()]
        await Promise.all(agents.map((agent) => agent.count('counter', 100, 'flock')))
        bed.same(await bed.a.readFile('counter'), '00000300')
      },
      'flock',
    ),
  ],
}
