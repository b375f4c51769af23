import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { MAP, MS, O, PROT } from '../flags.js'

const both = PROT.READ | PROT.WRITE
const page = 4096

export const mmapTheme: PosixTheme = {
  name: 'mmap',
  scenes: [
    scene(
      'shows the file, and what is written to it',
      async ({ a, same }) => {
        await a.writeFile('f', 'text'.padEnd(2 * page, '.'))
        const fd = await a.open('f', O.RDWR)
        const map = await a.mmap(fd, 2 * page, PROT.READ, MAP.SHARED)
        same(await a.peek(map, 0, 8), 'text....')
        await a.pwrite(fd, 'TEXT', page - 2)
        same(await a.peek(map, page - 4, 8), '..TEXT..')
        const second = await a.mmap(fd, page, PROT.READ, MAP.SHARED, page)
        same(await a.peek(second, 0, 4), 'XT..')
      },
      'shared-mappings',
    ),
    scene(
      'with MAP_SHARED writes what others read, at once',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.agent()
        await a.writeFile('f', '.'.repeat(3 * page))
        const fd = await a.open('f', O.RDWR)
        const map = await a.mmap(fd, 3 * page, both, MAP.SHARED)
        const other = await b.mmap(await b.open('f', O.RDWR), 3 * page, both, MAP.SHARED)
        const reading = await b.open('f', O.RDONLY)
        await a.poke(map, page - 3, 'border')
        same(await a.pread(fd, 6, page - 3), 'border')
        same(await b.pread(reading, 6, page - 3), 'border')
        same(await b.peek(other, page - 3, 6), 'border')
        await b.poke(other, 10, 'back')
        same(await a.peek(map, 10, 4), 'back')
        same(
          await a.readFile('f'),
          `${'.'.repeat(10)}back${'.'.repeat(page - 17)}border${'.'.repeat(2 * page - 3)}`,
        )
      },
      'shared-mappings',
    ),
    scene(
      'is on disk after msync',
      async ({ a, works, same, fails }) => {
        await a.writeFile('f', '.'.repeat(page))
        const map = await a.mmap(await a.open('f', O.RDWR), page, both, MAP.SHARED)
        await a.poke(map, 0, 'one')
        await works(a.msync(map, MS.SYNC))
        await a.poke(map, 0, 'two')
        await works(a.msync(map, MS.ASYNC))
        await works(a.msync(map, MS.SYNC | MS.INVALIDATE))
        await fails(a.msync(map, MS.SYNC | MS.ASYNC), 'EINVAL')
        await fails(a.msync(map, 0x100), 'EINVAL')
        same((await a.readFile('f')).slice(0, 4), 'two.')
      },
      'shared-mappings',
    ),
    scene(
      'lives on when the file is closed and removed',
      async ({ a, same }) => {
        await a.writeFile('f', 'x'.repeat(page))
        const fd = await a.open('f', O.RDWR)
        const map = await a.mmap(fd, page, both, MAP.SHARED)
        const kept = await a.open('f', O.RDONLY)
        await a.close(fd)
        await a.poke(map, 0, 'closed')
        same(await a.pread(kept, 6, 0), 'closed')
        await a.unlink('f')
        await a.poke(map, 0, 'remove')
        same(await a.pread(kept, 6, 0), 'remove')
        await a.close(kept)
        same(await a.peek(map, 0, 6), 'remove')
      },
      'shared-mappings',
      'unlink-open-files',
    ),
    scene(
      'keeps what was written in it when it is unmapped',
      async ({ a, same }) => {
        await a.writeFile('f', '.'.repeat(page))
        const fd = await a.open('f', O.RDWR)
        const map = await a.mmap(fd, page, both, MAP.SHARED)
        await a.poke(map, 5, 'kept')
        await a.munmap(map)
        await a.close(fd)
        same((await a.readFile('f')).slice(4, 10), '.kept.')
      },
      'shared-mappings',
    ),
    scene(
      'has zeros between the end of the file and that of the page, which are not kept',
      async (bed) => {
        const { a, same } = bed
        await a.writeFile('f', 'short')
        const map = await a.mmap(await a.open('f', O.RDWR), page, both, MAP.SHARED)
        same(await a.peek(map, 0, 10), 'short\0\0\0\0\0')
        await a.poke(map, 5, 'beyond')
        await a.msync(map, MS.SYNC)
        same([await a.readFile('f'), (await a.stat('f')).size], ['short', 5])
      },
      'shared-mappings',
    ),
    scene(
      'kills with SIGBUS who reads or writes pages behind the end',
      async (bed) => {
        await bed.a.writeFile('f', 'x'.repeat(page + 1))
        for (const touch of ['peek', 'poke'] as const) {
          const b = await bed.agent()
          const map = await b.mmap(await b.open('f', O.RDWR), 4 * page, both, MAP.SHARED)
          bed.same(await b.peek(map, page, 1), 'x')
          bed.same(await b.peek(map, 2 * page - 1, 1), '\0')
          const touched = touch === 'peek' ? b.peek(map, 2 * page, 1) : b.poke(map, 2 * page, 'x')
          touched.catch(() => undefined)
          bed.same(await b.ended, 'SIGBUS')
        }
      },
      'shared-mappings',
    ),
    scene(
      'follows the file as it is cut and lengthened',
      async (bed) => {
        const b = await bed.agent()
        await bed.a.writeFile('f', 'x'.repeat(2 * page))
        const fd = await b.open('f', O.RDWR)
        const map = await b.mmap(fd, 2 * page, both, MAP.SHARED)
        bed.same(await b.peek(map, page, 1), 'x')
        await bed.a.truncate('f', 10)
        bed.same(await b.peek(map, 8, 4), 'xx\0\0')
        await bed.a.truncate('f', 2 * page)
        bed.same(await b.peek(map, page, 2), '\0\0')
        await b.poke(map, page, 'y')
        bed.same(
          await bed.a.readFile('f'),
          `${'x'.repeat(10)}${'\0'.repeat(page - 10)}y${'\0'.repeat(page - 1)}`,
        )
        await bed.a.truncate('f', 10)
        b.peek(map, page, 1).catch(() => undefined)
        bed.same(await b.ended, 'SIGBUS')
      },
      'shared-mappings',
    ),
    scene('with MAP_PRIVATE keeps writes to itself', async ({ a, same }) => {
      await a.writeFile('f', 'x'.repeat(page))
      const fd = await a.open('f', O.RDONLY)
      const map = await a.mmap(fd, page, both, MAP.PRIVATE)
      const other = await a.mmap(fd, page, PROT.READ, MAP.PRIVATE)
      await a.poke(map, 0, 'own')
      same(await a.peek(map, 0, 4), 'ownx')
      same(await a.peek(other, 0, 4), 'xxxx')
      await a.munmap(map)
      same(await a.readFile('f'), 'x'.repeat(page))
    }),
    scene('is allowed as the file was opened', async ({ a, fails, works }) => {
      await a.writeFile('f', 'x'.repeat(page))
      await a.mkdir('dir')
      const [reading, writing] = [await a.open('f', O.RDONLY), await a.open('f', O.WRONLY)]
      await works(a.mmap(reading, page, PROT.READ, MAP.SHARED))
      await works(a.mmap(reading, page, both, MAP.PRIVATE))
      await fails(a.mmap(reading, page, both, MAP.SHARED), 'EACCES')
      await fails(a.mmap(writing, page, PROT.READ, MAP.SHARED), 'EACCES')
      await fails(a.mmap(writing, page, PROT.WRITE, MAP.SHARED), 'EACCES')
      await fails(a.mmap(writing, page, PROT.READ, MAP.PRIVATE), 'EACCES')
      await fails(a.mmap(reading, 0, PROT.READ, MAP.SHARED), 'EINVAL')
      await fails(a.mmap(reading, page, PROT.READ, MAP.SHARED, 100), 'EINVAL')
      await fails(a.mmap(reading, page, PROT.READ, 0), 'EINVAL')
      await fails(a.mmap(await a.open('dir', O.RDONLY), page, PROT.READ, MAP.SHARED), 'ENODEV')
      await fails(a.mmap(await a.open('f', O.PATH), page, PROT.READ, MAP.SHARED), 'EBADF')
    }),
  ],
}
