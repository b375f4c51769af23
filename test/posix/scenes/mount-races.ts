import { rest } from '../checks.js'
import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { LOCK, MAP, MS, O, PROT } from '../flags.js'

const { SH, EX, NB, UN } = LOCK
const whole = { start: 0, length: 0 } as const
const both = PROT.READ | PROT.WRITE

export const mountRacesTheme: PosixTheme = {
  name: 'two mounts at the same time',
  scenes: [
    scene(
      'lose no line that is appended on either',
      async (bed) => {
        const { same } = bed
        await bed.a.writeFile('log', '')
        const agents = [bed.a, await bed.across(), await bed.agent(), await bed.across()]
        await Promise.all(agents.map((agent, index) => agent.appendLines('log', `writer ${index}`, 100)))
        for (const reader of agents.slice(0, 2)) {
          const lines = (await reader.readFile('log')).split('\n')
          same([lines.length, lines.at(-1)], [401, ''])
          for (const index of agents.keys()) {
            const own = lines.filter((line) => line.startsWith(`writer ${index} `))
            same(
              own,
              Array.from({ length: 100 }, (_, line) => `writer ${index} ${line}`),
            )
          }
        }
      },
      'append-across-mounts',
    ),
    scene(
      'give each name that both make with O_EXCL to exactly one',
      async (bed) => {
        const b = await bed.across()
        const [one, two] = await Promise.all([bed.a.claim('prize-', 200), b.claim('prize-', 200)])
        bed.same(
          [...one, ...two].sort((x, y) => x - y),
          Array.from({ length: 200 }, (_, index) => index),
        )
        bed.same((await b.names('.')).length, 200)
      },
      'coherent-mounts',
    ),
    scene(
      'exclude each other by flock, and hand it over',
      async (bed) => {
        const { a, works, fails, blocks } = bed
        const b = await bed.across()
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDWR), await b.open('f', O.RDWR)]
        await a.flock(one, SH | NB)
        await works(b.flock(two, SH | NB))
        await fails(a.flock(one, EX | NB), 'EAGAIN')
        await b.flock(two, UN)
        await works(a.flock(one, EX | NB))
        await fails(b.flock(two, SH | NB), 'EAGAIN')
        const waiting = b.flock(two, EX)
        await blocks(waiting)
        await a.flock(one, UN)
        await works(waiting)
        const back = a.flock(one, EX)
        await blocks(back)
        await b.close(two)
        await works(back)
      },
      'locks-across-mounts',
      'flock',
    ),
    scene(
      'exclude each other by record locks, and hand them over',
      async (bed) => {
        const { a, works, fails, blocks, same } = bed
        const b = await bed.across()
        await a.writeFile('f', '')
        const [one, two] = [await a.open('f', O.RDWR), await b.open('f', O.RDWR)]
        await works(a.setLock(one, { type: 'write', start: 0, length: 10 }))
        await fails(b.setLock(two, { type: 'read', start: 9, length: 5 }), 'EAGAIN', 'EACCES')
        await works(b.setLock(two, { type: 'write', start: 10, length: 5 }))
        const found = await b.getLock(two, { type: 'read', ...whole })
        same(found === 'none' ? found : [found.type, found.start, found.length], ['write', 0, 10])
        const waiting = b.waitLock(two, { type: 'write', start: 0, length: 1 })
        await blocks(waiting)
        await a.setLock(one, { type: 'unlock', start: 0, length: 1 })
        await works(waiting)
        const back = a.waitLock(one, { type: 'write', start: 12, length: 1 })
        await blocks(back)
        await b.close(two)
        await works(back)
      },
      'locks-across-mounts',
      'record-locks',
    ),
    scene(
      'hand locks over when their owner is killed',
      async (bed) => {
        const { a, works, blocks } = bed
        const [b, c] = [await bed.across(), await bed.across()]
        await a.writeFile('f', '')
        await a.writeFile('g', '')
        await b.flock(await b.open('f', O.RDWR), EX)
        await c.setLock(await c.open('g', O.RDWR), { type: 'write', ...whole })
        const flocked = a.flock(await a.open('f', O.RDWR), EX)
        await blocks(flocked)
        await b.kill()
        await works(flocked)
        const locked = a.waitLock(await a.open('g', O.RDWR), { type: 'write', ...whole })
        await blocks(locked)
        await c.kill()
        await works(locked)
      },
      'locks-across-mounts',
      'flock',
      'record-locks',
    ),
    scene(
      'are not stopped by one who was killed while waiting for a lock',
      async (bed) => {
        const { a, works } = bed
        const b = await bed.across()
        await a.writeFile('f', '')
        const one = await a.open('f', O.RDWR)
        await a.setLock(one, { type: 'write', ...whole })
        b.waitLock(await b.open('f', O.RDWR), { type: 'write', ...whole }).catch(() => undefined)
        await rest(30)
        await b.kill()
        await a.setLock(one, { type: 'unlock', ...whole })
        const c = await bed.across()
        await works(c.setLock(await c.open('f', O.RDWR), { type: 'write', ...whole }))
      },
      'locks-across-mounts',
      'record-locks',
    ),
    ...(['flock', 'fcntl'] as const).map((by) =>
      scene(
        `keep a counter right that both count up under ${by}`,
        async (bed) => {
          await bed.a.writeFile('counter', '00000000')
          const agents = [bed.a, await bed.across(), await bed.across()]
          await Promise.all(agents.map((agent) => agent.count('counter', 60, by)))
          for (const agent of agents) bed.same(await agent.readFile('counter'), '00000180')
        },
        'locks-across-mounts',
        by === 'flock' ? 'flock' : 'record-locks',
      ),
    ),
    scene(
      'see what the other wrote to memory after its msync',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        await a.writeFile('f', '.'.repeat(16_384))
        const one = await a.mmap(await a.open('f', O.RDWR), 16_384, both, MAP.SHARED)
        const two = await b.mmap(await b.open('f', O.RDWR), 16_384, both, MAP.SHARED)
        const reading = await b.open('f', O.RDONLY)
        same(await b.peek(two, 0, 3), '...')
        for (let round = 0; round < 5; round++) {
          const offset = 4_094 + round * 2_000
          await a.poke(one, offset, `from one ${round}`)
          await a.msync(one, MS.SYNC)
          same(await b.pread(reading, 10, offset), `from one ${round}`)
          same(await b.peek(two, offset, 10), `from one ${round}`)
          await b.poke(two, offset, `from two ${round}`)
          await b.msync(two, MS.SYNC)
          same(await a.peek(one, offset, 10), `from two ${round}`)
          same((await a.readFile('f')).slice(offset, offset + 10), `from two ${round}`)
        }
      },
      'mappings-across-mounts',
      'shared-mappings',
    ),
    scene(
      'see in memory what the other wrote by write',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        await a.writeFile('f', '.'.repeat(8_192))
        const map = await a.mmap(await a.open('f', O.RDWR), 8_192, both, MAP.SHARED)
        const fd = await b.open('f', O.RDWR)
        same(await a.peek(map, 4_094, 4), '....')
        for (const text of ['once', 'more']) {
          await b.pwrite(fd, text, 4_094)
          same(await a.peek(map, 4_094, 4), text)
        }
      },
      'mappings-across-mounts',
      'shared-mappings',
    ),
    scene(
      'replace by rename in one step for the other',
      async (bed) => {
        const { a, holds } = bed
        const b = await bed.across()
        await a.writeFile('f', '0'.repeat(5_000))
        const [, seen] = await Promise.all([a.replaceMany('f', 5_000, 100), b.readMany('f', 200)])
        for (const each of seen)
          holds(/^(\d)\1*$/.test(each) && each.length === 5_000, `saw ${each.slice(0, 60)}`)
      },
      'coherent-mounts',
    ),
    scene(
      'list what the other makes and removes at the same time, and what stays exactly once',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        await a.makeMany('stays-', 0, 100)
        const busy = (async (): Promise<void> => {
          for (let round = 0; round < 10; round++) {
            await b.makeMany('comes-', 0, 40)
            await b.unlinkMany('comes-', 0, 40)
          }
        })()
        for (let round = 0; round < 10; round++) {
          const stays = (await a.names('.')).filter((name) => name.startsWith('stays-'))
          same([stays.length, new Set(stays).size], [100, 100])
        }
        await busy
        same((await a.names('.')).length, 100)
      },
      'coherent-mounts',
    ),
  ],
}
