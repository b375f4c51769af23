import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'

export const specialFilesTheme: PosixTheme = {
  name: 'FIFOs, sockets and device nodes',
  scenes: [
    scene(
      'a FIFO hands bytes from one process to another',
      async (bed) => {
        const { a, same, blocks } = bed
        const b = await bed.agent()
        await a.umask(0o022)
        await a.mknod('fifo', S.IFIFO | 0o666)
        const { mode, size, nlink } = await a.stat('fifo')
        same([mode, size, nlink], [S.IFIFO | 0o644, 0, 1])
        const opening = b.open('fifo', O.RDONLY)
        await blocks(opening)
        const writing = await a.open('fifo', O.WRONLY)
        const reading = await opening
        same(await a.write(writing, 'through the pipe'), 16)
        same(await b.read(reading, 7), 'through')
        same(await b.read(reading, 99), ' the pipe')
        const more = b.read(reading, 9)
        await blocks(more)
        await a.close(writing)
        same(await more, '', 'without a writer it ends')
        same((await a.stat('fifo')).size, 0)
      },
      'fifos',
    ),
    scene(
      'a FIFO without its other end does not block who will not wait',
      async ({ a, same, fails }) => {
        await a.mknod('fifo', S.IFIFO | 0o666)
        await fails(a.open('fifo', O.WRONLY | O.NONBLOCK), 'ENXIO')
        const reading = await a.open('fifo', O.RDONLY | O.NONBLOCK)
        same(await a.read(reading, 9), '')
        const writing = await a.open('fifo', O.WRONLY | O.NONBLOCK)
        await fails(a.read(reading, 9), 'EAGAIN')
        await a.write(writing, 'x')
        same(await a.read(reading, 9), 'x')
        await a.close(reading)
        await fails(a.write(writing, 'x'), 'EPIPE')
      },
      'fifos',
    ),
    scene(
      'a FIFO is no file to seek, map, cut or list',
      async ({ a, fails }) => {
        await a.mknod('fifo', S.IFIFO | 0o666)
        const fd = await a.open('fifo', O.RDWR)
        await fails(a.lseek(fd, 0, 0), 'ESPIPE')
        await fails(a.pread(fd, 1, 0), 'ESPIPE')
        await fails(a.pwrite(fd, 'x', 0), 'ESPIPE')
        await fails(a.ftruncate(fd, 0), 'EINVAL')
        await fails(a.truncate('fifo', 0), 'EINVAL')
        await fails(a.mmap(fd, 4096, 1, 1), 'ENODEV')
        await fails(a.open('fifo', O.RDONLY | O.DIRECTORY), 'ENOTDIR')
        await fails(a.stat('fifo/x'), 'ENOTDIR')
        await fails(a.readlink('fifo'), 'EINVAL')
        await fails(a.mknod('fifo', S.IFIFO | 0o666), 'EEXIST')
        await fails(a.mkdir('fifo'), 'EEXIST')
      },
      'fifos',
    ),
    scene(
      'a FIFO has names, a mode and an owner as files have',
      async (bed) => {
        const { a, same, fails } = bed
        const u = await bed.agent(alice)
        await u.mknod('fifo', S.IFIFO | 0o600)
        await u.link('fifo', 'second')
        await u.rename('second', 'moved')
        same((await a.stat('moved')).nlink, 2)
        await u.chmod('fifo', 0o640)
        await a.chown('moved', 0, 0)
        same((await a.stat('fifo')).mode, S.IFIFO | 0o640)
        await fails(u.open('fifo', O.RDONLY | O.NONBLOCK), 'EACCES')
        await a.unlink('fifo')
        same(await a.names('.'), ['moved'])
      },
      'fifos',
      'root',
      'links',
    ),
    scene(
      'a socket is bound to a name, found by it, and gone with it',
      async (bed) => {
        const { a, same, fails, works } = bed
        const b = await bed.agent()
        await a.bind('sock')
        same((await a.stat('sock')).mode & S.IFMT, S.IFSOCK)
        await fails(a.bind('sock'), 'EADDRINUSE')
        await fails(a.open('sock', O.RDONLY), 'ENXIO')
        await fails(a.open('sock', O.RDWR), 'ENXIO')
        await works(b.connect('sock'))
        await a.rename('sock', 'moved')
        await works(b.connect('moved'))
        await fails(b.connect('sock'), 'ENOENT')
        await a.unlink('moved')
        await fails(b.connect('moved'), 'ENOENT')
        await a.writeFile('f', '')
        await fails(b.connect('f'), 'ECONNREFUSED')
        await fails(a.bind('f'), 'EADDRINUSE')
        await fails(a.bind('missing/sock'), 'ENOENT')
      },
      'sockets',
    ),
    scene(
      'a socket is left when its process is gone, and answers nobody',
      async (bed) => {
        const b = await bed.agent()
        await b.bind('sock')
        await b.kill()
        await bed.fails(bed.a.connect('sock'), 'ECONNREFUSED')
        await bed.works(bed.a.unlink('sock'))
      },
      'sockets',
    ),
    scene(
      'a socket is for those who may write it, in a directory to write',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.bind('sock')
        await bed.a.chmod('sock', 0o755)
        await bed.fails(u.connect('sock'), 'EACCES')
        await bed.a.chmod('sock', 0o722)
        await bed.works(u.connect('sock'))
        await bed.a.mkdir('closed', 0o755)
        await bed.fails(u.bind('closed/sock'), 'EACCES')
      },
      'sockets',
      'root',
    ),
    scene(
      'mknod makes files, FIFOs and sockets for anybody',
      async (bed) => {
        const { same, fails } = bed
        const u = await bed.agent(alice)
        for (const [name, type] of [
          ['file', S.IFREG],
          ['fifo', S.IFIFO],
          ['sock', S.IFSOCK],
        ] as const) {
          await u.mknod(name, type | 0o640)
          same((await u.stat(name)).mode, type | 0o640)
        }
        await u.mknod('plain', 0o600)
        same((await u.stat('plain')).mode, S.IFREG | 0o600, 'no type is a file')
        await fails(u.mknod('dir', S.IFDIR | 0o700), 'EPERM')
        await fails(u.mknod('link', S.IFLNK | 0o700), 'EINVAL')
        await fails(u.mknod('char', S.IFCHR | 0o666, 1, 3), 'EPERM')
        await fails(u.mknod('block', S.IFBLK | 0o666, 7, 0), 'EPERM')
        same(await u.names('.'), ['fifo', 'file', 'plain', 'sock'])
      },
      'root',
      'fifos',
      'sockets',
    ),
    scene(
      'device nodes keep their numbers',
      async ({ a, same }) => {
        for (const [name, type, major, minor] of [
          ['null', S.IFCHR, 1, 3],
          ['char', S.IFCHR, 240, 70_000],
          ['block', S.IFBLK, 7, 255],
          ['far', S.IFBLK, 4_000, 1_000_000],
        ] as const) {
          await a.mknod(name, type | 0o600, major, minor)
          const { mode, rdev, size } = await a.stat(name)
          same([mode, rdev, size], [type | 0o600, [major, minor], 0])
          await a.rename(name, `${name}-moved`)
          same((await a.stat(`${name}-moved`)).rdev, [major, minor])
        }
        await a.writeFile('f', '')
        same((await a.stat('f')).rdev, [0, 0])
      },
      'devices',
    ),
    scene(
      'device nodes lead to the devices',
      async (bed) => {
        const { a, same, fails } = bed
        await a.mknod('null', S.IFCHR | 0o666, 1, 3)
        await a.mknod('zero', S.IFCHR | 0o666, 1, 5)
        const [zero, nul] = [await a.open('zero', O.RDWR), await a.open('null', O.RDWR)]
        same(await a.read(nul, 9), '')
        same(await a.write(nul, 'swallowed'), 9)
        same(await a.read(zero, 4), '\0\0\0\0')
        same((await a.stat('null')).size, 0)
        await a.mknod('nobody', S.IFCHR | 0o666, 4_000, 77)
        await fails(a.open('nobody', O.RDONLY), 'ENXIO', 'ENODEV')
        await a.chmod('null', 0o600)
        await fails((await bed.agent(alice)).open('null', O.RDONLY), 'EACCES')
      },
      'devices',
      'opens-devices',
    ),
  ],
}
