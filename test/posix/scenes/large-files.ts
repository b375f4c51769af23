import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, SEEK } from '../flags.js'

const tebibyte = 2 ** 40

export const largeFilesTheme: PosixTheme = {
  name: 'large files and limits of size',
  scenes: [
    scene(
      'are written and read beyond 4 GiB and 1 TiB',
      async (bed) => {
        const { a, same, holds } = bed
        const fd = await a.open('f', O.RDWR | O.CREAT)
        for (const offset of [2 ** 31 - 3, 2 ** 32 - 3, 2 ** 32 + 5_000, tebibyte - 3, tebibyte + 4_097]) {
          same(await a.pwrite(fd, 'across', offset), 6)
          same(await a.pread(fd, 6, offset), 'across')
          same((await a.fstat(fd)).size, offset + 6)
        }
        same(await a.pread(fd, 10, 2 ** 33), '\0'.repeat(10))
        same(await a.pread(fd, 8, 2 ** 31 - 4), '\0across\0')
        same(await a.lseek(fd, -4, SEEK.END), tebibyte + 4_099)
        same(await a.read(fd, 10), 'ross')
        if (bed.has('counts-blocks')) holds((await a.fstat(fd)).blocks < 20_000, 'holes take no room')
        await a.ftruncate(fd, 2 ** 32)
        same(await a.pread(fd, 9, 2 ** 32 - 3), 'acr')
        same((await a.stat('f')).size, 2 ** 32)
      },
      'sparse-terabytes',
    ),
    scene(
      'are lengthened to 1 TiB without room',
      async (bed) => {
        const { a, same } = bed
        const fd = await a.open('f', O.RDWR | O.CREAT)
        await a.ftruncate(fd, tebibyte)
        same((await a.fstat(fd)).size, tebibyte)
        same(await a.pread(fd, 4, tebibyte / 2), '\0\0\0\0')
        same(await a.pread(fd, 4, tebibyte - 2), '\0\0')
        if (bed.has('finds-holes')) await bed.fails(a.lseek(fd, 0, SEEK.DATA), 'ENXIO')
        same(await a.lseek(fd, 0, SEEK.HOLE), bed.has('finds-holes') ? 0 : tebibyte)
      },
      'sparse-terabytes',
    ),
    scene(
      'stop at the limit of the process: what fits is written, then EFBIG',
      async ({ a, same, fails, works }) => {
        const fd = await a.open('f', O.RDWR | O.CREAT)
        await a.limitFileSize(10_000)
        same(await a.write(fd, 'x'.repeat(6_000)), 6_000)
        same(await a.write(fd, 'y'.repeat(6_000)), 4_000)
        await fails(a.write(fd, 'z'), 'EFBIG')
        await fails(a.pwrite(fd, 'z', 10_000), 'EFBIG')
        await fails(a.pwrite(fd, 'z', 50_000), 'EFBIG')
        await fails(a.ftruncate(fd, 10_001), 'EFBIG')
        await fails(a.truncate('f', 10_001), 'EFBIG')
        await works(a.pwrite(fd, 'z', 9_999))
        await works(a.ftruncate(fd, 5_000))
        await works(a.ftruncate(fd, 10_000))
        same((await a.fstat(fd)).size, 10_000)
        await a.unlimitFileSize()
        await works(a.pwrite(fd, 'z', 10_000))
      },
    ),
    scene('kill with SIGXFSZ who passes the limit and does not ask', async (bed) => {
      const b = await bed.agent()
      const fd = await b.open('f', O.RDWR | O.CREAT)
      await b.limitFileSize(100)
      await b.dieOfFileSize()
      bed.same(await b.write(fd, 'x'.repeat(100)), 100)
      b.write(fd, 'x').catch(() => undefined)
      bed.same(await b.ended, 'SIGXFSZ')
      bed.same((await bed.a.stat('f')).size, 100)
    }),
  ],
}
