import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { FALLOC, O, SEEK } from '../flags.js'

export const seekHolesTheme: PosixTheme = {
  name: 'lseek to data and to holes',
  scenes: [
    scene('finds data at once in a full file, and the hole at its end', async ({ a, same, fails }) => {
      await a.writeFile('f', 'x'.repeat(10_000))
      const fd = await a.open('f', O.RDONLY)
      same(await a.lseek(fd, 0, SEEK.DATA), 0)
      same(await a.lseek(fd, 5_000, SEEK.DATA), 5_000)
      same(await a.lseek(fd, 0, SEEK.HOLE), 10_000)
      same(await a.lseek(fd, 9_999, SEEK.HOLE), 10_000)
      same(await a.lseek(fd, 0, SEEK.CUR), 10_000)
      for (const whence of [SEEK.DATA, SEEK.HOLE]) {
        await fails(a.lseek(fd, 10_000, whence), 'ENXIO')
        await fails(a.lseek(fd, 99_999, whence), 'ENXIO')
        await fails(a.lseek(fd, -1, whence), 'ENXIO', 'EINVAL')
      }
      const empty = await a.open('empty', O.RDWR | O.CREAT)
      await fails(a.lseek(empty, 0, SEEK.DATA), 'ENXIO')
      await fails(a.lseek(empty, 0, SEEK.HOLE), 'ENXIO')
    }),
    scene('finds data behind a hole, and never passes over any', async (bed) => {
      const { a, same, holds } = bed
      const fd = await a.open('f', O.RDWR | O.CREAT)
      const start = 1_048_576
      await a.pwrite(fd, 'x'.repeat(4_096), start)
      await a.ftruncate(fd, 3 * start)
      await a.fsync(fd)
      const data = await a.lseek(fd, 0, SEEK.DATA)
      holds(data <= start, `data at ${start} was passed over: ${data}`)
      const hole = await a.lseek(fd, start, SEEK.HOLE)
      holds(hole >= start + 4_096, `no hole within data: ${hole}`)
      if (!bed.has('finds-holes')) return
      holds(data > 0, 'the hole at the start is found')
      holds(hole < 3 * start, 'the hole at the end is found')
      same(await a.lseek(fd, 0, SEEK.HOLE), 0)
      same(await a.lseek(fd, 100, SEEK.HOLE), 100)
      await bed.fails(a.lseek(fd, 2 * start, SEEK.DATA), 'ENXIO')
    }),
    scene(
      'finds the hole that was punched',
      async ({ a, same, holds }) => {
        const fd = await a.open('f', O.RDWR | O.CREAT)
        await a.write(fd, 'x'.repeat(1_048_576))
        await a.fsync(fd)
        await a.fallocate(fd, FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE, 262_144, 262_144)
        const hole = await a.lseek(fd, 0, SEEK.HOLE)
        holds(hole >= 262_144 && hole < 524_288, `hole at ${hole}`)
        const data = await a.lseek(fd, 300_000, SEEK.DATA)
        holds(data <= 524_288 && data >= 300_000, `data at ${data}`)
        same(await a.lseek(fd, 600_000, SEEK.HOLE), 1_048_576)
      },
      'finds-holes',
      'punch-hole',
    ),
  ],
}
