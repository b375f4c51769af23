import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'

export const copyingTheme: PosixTheme = {
  name: 'sendfile and copy_file_range',
  scenes: [
    scene('copy_file_range copies from offset to offset', async ({ a, same }) => {
      await a.writeFile('f', '0123456789')
      const [from, to] = [await a.open('f', O.RDONLY), await a.open('g', O.RDWR | O.CREAT)]
      same(await a.copyFileRange(from, null, to, null, 4), 4)
      same([await a.lseek(from, 0, 1), await a.lseek(to, 0, 1)], [4, 4], 'both descriptors move')
      same(await a.copyFileRange(from, 2, to, 10, 3), 3)
      same([await a.lseek(from, 0, 1), await a.lseek(to, 0, 1)], [4, 4], 'offsets given move nothing')
      same(await a.readFile('g'), `0123${'\0'.repeat(6)}234`)
      same(await a.copyFileRange(from, 8, to, 0, 100), 2)
      same(await a.copyFileRange(from, 10, to, 0, 100), 0)
      same(await a.copyFileRange(from, 50, to, 0, 100), 0)
      same(await a.copyFileRange(from, 0, to, 0, 0), 0)
      same((await a.readFile('g')).slice(0, 4), '8923')
    }),
    scene('copy_file_range copies much, and within one file', async ({ a, same }) => {
      const text = Array.from({ length: 50_000 }, (_, index) => String(index).padStart(6, '0')).join('')
      await a.writeFile('f', text)
      const [from, to] = [await a.open('f', O.RDWR), await a.open('g', O.WRONLY | O.CREAT)]
      let done = 0
      for (let n = -1; n !== 0; done += n) n = await a.copyFileRange(from, done, to, done, 1_000_000)
      same(done, text.length)
      same((await a.readFile('g')) === text, true)
      same(await a.copyFileRange(from, 0, from, 200_000, 100), 100)
      same((await a.readFile('f')).slice(200_000, 200_100), text.slice(0, 100))
    }),
    scene('copy_file_range refuses what makes no sense', async (bed) => {
      const { a, fails } = bed
      await a.writeFile('f', 'x'.repeat(1_000))
      await a.mkdir('dir')
      const [from, to] = [await a.open('f', O.RDWR), await a.open('g', O.WRONLY | O.CREAT)]
      const dir = await a.open('dir', O.RDONLY)
      await fails(a.copyFileRange(from, 0, from, 50, 100), 'EINVAL')
      await fails(a.copyFileRange(from, 0, to, 0, 100, 1), 'EINVAL')
      await fails(a.copyFileRange(to, 0, from, 0, 100), 'EBADF')
      await fails(a.copyFileRange(from, 0, await a.open('f', O.RDONLY), 2_000, 100), 'EBADF')
      await fails(a.copyFileRange(from, 0, await a.open('g', O.WRONLY | O.APPEND), 0, 100), 'EBADF')
      await fails(a.copyFileRange(dir, 0, to, 0, 100), 'EISDIR')
      await fails(a.copyFileRange(999, 0, to, 0, 100), 'EBADF')
      // The manual page of Linux says EOVERFLOW of ranges that are no ranges, the kernels have said both.
      await fails(a.copyFileRange(from, -1, to, 0, 100), 'EINVAL', 'EOVERFLOW')
      if (!bed.has('fifos')) return
      await a.mknod('fifo', S.IFIFO | 0o666)
      await fails(a.copyFileRange(await a.open('fifo', O.RDWR), null, to, null, 100), 'EINVAL')
    }),
    scene('sendfile copies from a file to a file', async ({ a, same, fails }) => {
      await a.writeFile('f', '0123456789')
      const [from, to] = [await a.open('f', O.RDONLY), await a.open('g', O.RDWR | O.CREAT)]
      same(await a.sendfile(to, from, null, 4), 4)
      same(await a.sendfile(to, from, 8, 100), 2)
      same(await a.lseek(from, 0, 1), 4)
      same(await a.sendfile(to, from, null, 100), 6)
      same(await a.sendfile(to, from, null, 100), 0)
      same(await a.readFile('g'), '012389456789')
      await fails(a.sendfile(from, from, null, 1), 'EBADF')
      await fails(a.sendfile(to, await a.open('g', O.WRONLY), null, 1), 'EBADF')
      await fails(a.sendfile(await a.open('g', O.WRONLY | O.APPEND), from, 0, 1), 'EINVAL')
    }),
  ],
}
