import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, SEEK } from '../flags.js'

/** Bytes of which each tells its place. */
function pattern(length: number, seed = 1): string {
  let text = ''
  for (let i = 0; i < length; i++) text += String.fromCharCode((i * 7 + (i >> 8) * 13 + seed) & 0xff)
  return text
}

export const readingWritingTheme: PosixTheme = {
  name: 'reading and writing',
  scenes: [
    scene('reads what was written, to the end and no further', async ({ a, same }) => {
      const fd = await a.open('f', O.RDWR | O.CREAT)
      same(await a.write(fd, 'hello, world'), 12)
      same(await a.read(fd, 5), '')
      same(await a.lseek(fd, 0, SEEK.SET), 0)
      same(await a.read(fd, 5), 'hello')
      same(await a.read(fd, 0), '')
      same(await a.read(fd, 100), ', world')
      same(await a.read(fd, 100), '')
      same((await a.fstat(fd)).size, 12)
    }),
    scene('keeps all values of bytes', async ({ a, same }) => {
      const all = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('')
      await a.writeFile('f', all)
      same(await a.readFile('f'), all)
    }),
    scene('overwrites in the middle and keeps what is around', async ({ a, same }) => {
      await a.writeFile('f', '0123456789')
      const fd = await a.open('f', O.WRONLY)
      await a.lseek(fd, 3, SEEK.SET)
      same(await a.write(fd, 'abc'), 3)
      same(await a.readFile('f'), '012abc6789')
      same(await a.pwrite(fd, 'XY', 9), 2)
      same(await a.readFile('f'), '012abc678XY')
    }),
    scene('pread and pwrite leave the offset alone', async ({ a, same, fails }) => {
      const fd = await a.open('f', O.RDWR | O.CREAT)
      await a.write(fd, 'abcdef')
      await a.lseek(fd, 2, SEEK.SET)
      same(await a.pread(fd, 2, 4), 'ef')
      same(await a.pwrite(fd, 'ZZ', 0), 2)
      same(await a.lseek(fd, 0, SEEK.CUR), 2)
      same(await a.read(fd, 9), 'cdef')
      same(await a.pread(fd, 5, 100), '')
      await fails(a.pread(fd, 1, -1), 'EINVAL')
      await fails(a.pwrite(fd, 'x', -1), 'EINVAL')
    }),
    scene('fills the gap behind the end with zeros', async ({ a, same }) => {
      const fd = await a.open('f', O.RDWR | O.CREAT)
      await a.write(fd, 'ab')
      await a.lseek(fd, 10_000, SEEK.SET)
      same((await a.fstat(fd)).size, 2, 'seeking alone makes nothing longer')
      await a.write(fd, 'cd')
      same((await a.fstat(fd)).size, 10_002)
      same(await a.pread(fd, 20_000, 0), `ab${'\0'.repeat(9_998)}cd`)
      await a.pwrite(fd, 'ef', 20_000)
      same(await a.pread(fd, 20_000, 10_000), `cd${'\0'.repeat(9_998)}ef`)
    }),
    scene('lseek counts from the start, from here and from the end', async ({ a, same, fails }) => {
      await a.writeFile('f', '0123456789')
      const fd = await a.open('f', O.RDONLY)
      same(await a.lseek(fd, 4, SEEK.SET), 4)
      same(await a.lseek(fd, 3, SEEK.CUR), 7)
      same(await a.lseek(fd, -2, SEEK.CUR), 5)
      same(await a.lseek(fd, -1, SEEK.END), 9)
      same(await a.lseek(fd, 5, SEEK.END), 15)
      same(await a.read(fd, 5), '')
      same(await a.lseek(fd, 2, SEEK.SET), 2)
      await fails(a.lseek(fd, -1, SEEK.SET), 'EINVAL')
      await fails(a.lseek(fd, -3, SEEK.CUR), 'EINVAL')
      await fails(a.lseek(fd, -11, SEEK.END), 'EINVAL')
      await fails(a.lseek(fd, 0, 99), 'EINVAL')
      same(await a.lseek(fd, 0, SEEK.CUR), 2, 'what failed moved nothing')
    }),
    scene('writing nothing changes nothing, even far behind the end', async ({ a, same }) => {
      await a.writeFile('f', 'text')
      const before = await a.stat('f')
      const fd = await a.open('f', O.WRONLY)
      same(await a.write(fd, ''), 0)
      same(await a.pwrite(fd, '', 1_000), 0)
      const { size, mtime, ctime } = await a.stat('f')
      same({ size, mtime, ctime }, { size: 4, mtime: before.mtime, ctime: before.ctime })
    }),
    scene('keeps long writes whole, read back in pieces of any size and place', async ({ a, same }) => {
      const text = pattern(1_000_003)
      const fd = await a.open('f', O.RDWR | O.CREAT)
      same(await a.write(fd, text), text.length)
      for (const [offset, length] of [
        [0, 1],
        [4095, 2],
        [4096, 4096],
        [1, 65_536],
        [131_071, 131_074],
        [999_999, 100],
        [524_287, 3],
      ] as const) {
        same(await a.pread(fd, length, offset), text.slice(offset, offset + length), `${length} at ${offset}`)
      }
      await a.lseek(fd, 0, SEEK.SET)
      let again = ''
      for (let piece = await a.read(fd, 77_777); piece !== ''; piece = await a.read(fd, 77_777))
        again += piece
      same(again === text, true)
    }),
    scene('puts small writes at borders of blocks together', async ({ a, same }) => {
      const fd = await a.open('f', O.RDWR | O.CREAT)
      let expected = '\0'.repeat(40_000)
      for (const border of [512, 4096, 8192, 16_384, 32_768]) {
        for (const [from, length] of [
          [border - 3, 6],
          [border, 1],
          [border - 1, 1],
        ] as const) {
          const text = pattern(length, border + from)
          same(await a.pwrite(fd, text, from), length)
          expected = expected.slice(0, from) + text + expected.slice(from + length)
        }
      }
      const { size } = await a.fstat(fd)
      same(await a.readFile('f'), expected.slice(0, size))
    }),
    scene('shows a write at once to all who have the file open', async (bed) => {
      const { a, same } = bed
      const b = await bed.agent()
      const writing = await a.open('f', O.RDWR | O.CREAT, 0o666)
      const reading = await b.open('f', O.RDONLY)
      for (let i = 0; i < 20; i++) {
        await a.pwrite(writing, `round ${i}  `, 0)
        same(await b.pread(reading, 9, 0), `round ${i}  `.slice(0, 9))
      }
      await a.ftruncate(writing, 3)
      same((await b.fstat(reading)).size, 3)
      same(await b.pread(reading, 9, 0), 'rou')
    }),
    scene('O_APPEND writes at the end, wherever the offset is', async ({ a, same }) => {
      await a.writeFile('f', 'one ')
      const fd = await a.open('f', O.RDWR | O.APPEND)
      const other = await a.open('f', O.WRONLY | O.APPEND)
      await a.lseek(fd, 0, SEEK.SET)
      same(await a.write(fd, 'two '), 4)
      same(await a.lseek(fd, 0, SEEK.CUR), 8, 'the offset is at the end after the write')
      same(await a.write(other, 'three '), 6)
      same(await a.write(fd, 'four '), 5)
      await a.lseek(fd, 2, SEEK.SET)
      same(await a.read(fd, 3), 'e t')
      await a.ftruncate(fd, 4)
      same(await a.write(other, 'five'), 4)
      same(await a.readFile('f'), 'one five')
    }),
    scene(
      'pwrite to a file opened with O_APPEND appends, as Linux says among its bugs',
      async ({ a, same }) => {
        await a.writeFile('f', 'abc')
        const fd = await a.open('f', O.RDWR | O.APPEND)
        same(await a.pwrite(fd, 'XY', 0), 2)
        same(await a.readFile('f'), 'abcXY')
      },
    ),
    scene('loses no line of several processes that append', async (bed) => {
      await bed.a.writeFile('log', '')
      const agents = [bed.a, await bed.agent(), await bed.agent()]
      await Promise.all(agents.map((agent, index) => agent.appendLines('log', `writer ${index}`, 150)))
      const lines = (await bed.a.readFile('log')).split('\n')
      bed.same(lines.pop(), '')
      bed.same(lines.length, 450)
      for (const index of agents.keys()) {
        const own = lines.filter((line) => line.startsWith(`writer ${index} `))
        bed.same(
          own,
          Array.from({ length: 150 }, (_, line) => `writer ${index} ${line}`),
        )
      }
    }),
    scene('fails with EBADF for a descriptor that is closed', async ({ a, fails }) => {
      await a.writeFile('f', 'text')
      const fd = await a.open('f', O.RDWR)
      await a.close(fd)
      await fails(a.read(fd, 1), 'EBADF')
      await fails(a.write(fd, 'x'), 'EBADF')
      await fails(a.pread(fd, 1, 0), 'EBADF')
      await fails(a.pwrite(fd, 'x', 0), 'EBADF')
      await fails(a.lseek(fd, 0, SEEK.SET), 'EBADF')
      await fails(a.fstat(fd), 'EBADF')
      await fails(a.ftruncate(fd, 0), 'EBADF')
      await fails(a.fsync(fd), 'EBADF')
      await fails(a.fdatasync(fd), 'EBADF')
      await fails(a.fchmod(fd, 0o600), 'EBADF')
      await fails(a.fchown(fd, -1, -1), 'EBADF')
      await fails(a.futimens(fd, 'now', 'now'), 'EBADF')
      await fails(a.fallocate(fd, 0, 0, 1), 'EBADF')
      await fails(a.flock(fd, 1), 'EBADF')
      await fails(a.getLock(fd, { type: 'read', start: 0, length: 0 }), 'EBADF')
      await fails(a.fstatfs(fd), 'EBADF')
      await fails(a.fgetxattr(fd, 'user.x'), 'EBADF')
      await fails(a.fsetxattr(fd, 'user.x', ''), 'EBADF')
      await fails(a.fchdir(fd), 'EBADF')
      await fails(a.getdents(fd, 1024), 'EBADF')
      await fails(a.dup(fd), 'EBADF')
      await fails(a.close(fd), 'EBADF')
      await fails(a.mmap(fd, 4096, 1, 1), 'EBADF')
    }),
  ],
}
