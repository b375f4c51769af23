import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O } from '../flags.js'

const whole = { start: 0, length: 0 } as const
const own = 'description'

export const descriptionLocksTheme: PosixTheme = {
  name: 'locks of open file descriptions',
  scenes: [
    scene(
      'exclude two openings in one process',
      async ({ a, works, fails }) => {
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDWR), await a.open('f', O.RDWR)]
        await works(a.setLock(one, { type: 'write', start: 0, length: 10 }, own))
        await fails(a.setLock(two, { type: 'write', start: 9, length: 1 }, own), 'EAGAIN', 'EACCES')
        await fails(a.setLock(two, { type: 'read', start: 0, length: 1 }, own), 'EAGAIN', 'EACCES')
        await works(a.setLock(two, { type: 'write', start: 10, length: 1 }, own))
        await works(a.setLock(one, { type: 'read', start: 0, length: 10 }, own))
        await works(a.setLock(two, { type: 'read', start: 0, length: 10 }, own))
      },
      'description-locks',
    ),
    scene(
      'exclude locks of processes, even of the same',
      async (bed) => {
        const { a, works, fails, same } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDWR), await b.open('f', O.RDWR)]
        await works(a.setLock(one, { type: 'write', ...whole }, own))
        await fails(b.setLock(two, { type: 'read', ...whole }), 'EAGAIN', 'EACCES')
        await fails(a.setLock(one, { type: 'read', ...whole }), 'EAGAIN', 'EACCES')
        const found = await b.getLock(two, { type: 'write', ...whole })
        same(found === 'none' ? found : found.type, 'write')
        await works(a.setLock(one, { type: 'unlock', ...whole }, own))
        await works(b.setLock(two, { type: 'write', ...whole }))
        await fails(a.setLock(one, { type: 'read', ...whole }, own), 'EAGAIN', 'EACCES')
      },
      'description-locks',
    ),
    scene(
      'have no process, for whoever asks',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDWR), await b.open('f', O.RDWR)]
        await a.setLock(one, { type: 'write', ...whole }, own)
        const found = await b.getLock(two, { type: 'write', ...whole })
        same(found === 'none' ? found : found.pid, -1)
      },
      'description-locks-have-no-process',
    ),
    scene(
      'are shared by duplicates, and end with the last of them',
      async (bed) => {
        const { a, works, fails } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        const one = await a.open('f', O.RDWR)
        const copy = await a.dup(one)
        const two = await b.open('f', O.RDWR)
        await a.setLock(one, { type: 'write', ...whole }, own)
        await works(a.setLock(copy, { type: 'write', ...whole }, own))
        await a.close(await a.open('f', O.RDWR))
        await fails(b.setLock(two, { type: 'write', ...whole }, own), 'EAGAIN', 'EACCES')
        await a.close(one)
        await fails(b.setLock(two, { type: 'write', ...whole }, own), 'EAGAIN', 'EACCES')
        await a.close(copy)
        await works(b.setLock(two, { type: 'write', ...whole }, own))
      },
      'description-locks',
    ),
    scene(
      'are waited for, and end with a process that is killed',
      async (bed) => {
        const { a, works, blocks } = bed
        const b = await bed.agent()
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDWR), await b.open('f', O.RDWR)]
        await a.setLock(one, { type: 'write', ...whole }, own)
        const waiting = b.waitLock(two, { type: 'write', ...whole }, own)
        await blocks(waiting)
        await a.setLock(one, { type: 'unlock', ...whole }, own)
        await works(waiting)
        const back = a.waitLock(one, { type: 'write', ...whole }, own)
        await blocks(back)
        await b.kill()
        await works(back)
      },
      'description-locks',
    ),
  ],
}
