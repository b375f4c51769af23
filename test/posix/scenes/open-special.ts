import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { AT, O, S } from '../flags.js'

export const openSpecialTheme: PosixTheme = {
  name: 'open with O_DIRECTORY, O_NOFOLLOW, O_PATH, O_TMPFILE, and openat',
  scenes: [
    scene('O_DIRECTORY opens directories alone', async ({ a, fails, works }) => {
      await a.mkdir('dir')
      await a.writeFile('file', '')
      await a.symlink('dir', 'to-dir')
      await a.symlink('file', 'to-file')
      await works(a.open('dir', O.RDONLY | O.DIRECTORY))
      await works(a.open('to-dir', O.RDONLY | O.DIRECTORY))
      await works(a.open('.', O.RDONLY | O.DIRECTORY))
      await fails(a.open('file', O.RDONLY | O.DIRECTORY), 'ENOTDIR')
      await fails(a.open('file', O.RDWR | O.DIRECTORY), 'ENOTDIR')
      await fails(a.open('to-file', O.RDONLY | O.DIRECTORY), 'ENOTDIR')
      await fails(a.open('missing', O.RDONLY | O.DIRECTORY), 'ENOENT')
      await fails(a.open('dir', O.RDWR | O.DIRECTORY), 'EISDIR')
    }),
    scene('O_NOFOLLOW follows no last symbolic link, but those before', async ({ a, fails, works, same }) => {
      await a.mkdir('dir')
      await a.writeFile('dir/file', 'text')
      await a.symlink('dir', 'to-dir')
      await a.symlink('dir/file', 'to-file')
      await a.symlink('nowhere', 'dangling')
      for (const name of ['to-file', 'to-dir', 'dangling']) {
        await fails(a.open(name, O.RDONLY | O.NOFOLLOW), 'ELOOP')
      }
      await fails(a.open('to-file', O.WRONLY | O.CREAT | O.NOFOLLOW), 'ELOOP')
      await fails(a.open('dangling', O.WRONLY | O.CREAT | O.NOFOLLOW), 'ELOOP')
      await fails(a.open('to-dir', O.RDONLY | O.NOFOLLOW | O.DIRECTORY), 'ENOTDIR')
      await works(a.open('to-dir/', O.RDONLY | O.NOFOLLOW))
      same(await a.read(await a.open('to-dir/file', O.RDONLY | O.NOFOLLOW), 9), 'text')
    }),
    scene('O_PATH opens a place: it can be named, but neither read nor written', async (bed) => {
      const { a, fails, same, works } = bed
      await a.writeFile('file', 'text', 0o644)
      await a.mkdir('dir')
      await a.writeFile('dir/inner', 'inner')
      await a.symlink('file', 'link')
      const fd = await a.open('file', O.PATH)
      same((await a.fstat(fd)).ino, (await a.stat('file')).ino)
      await fails(a.read(fd, 1), 'EBADF')
      await fails(a.write(fd, 'x'), 'EBADF')
      await fails(a.fchmod(fd, 0o600), 'EBADF')
      await fails(a.fchown(fd, -1, -1), 'EBADF')
      await fails(a.ftruncate(fd, 0), 'EBADF')
      await fails(a.fsync(fd), 'EBADF')
      await fails(a.flock(fd, 1), 'EBADF')
      await fails(a.lseek(fd, 0, 0), 'EBADF')
      if (bed.has('user-xattrs')) await fails(a.fgetxattr(fd, 'user.x'), 'EBADF')
      same(await a.readFile(`/proc/self/fd/${fd}`), 'text')
      const place = await a.open('dir', O.PATH)
      same(await a.read(await a.openat(place, 'inner', O.RDONLY), 9), 'inner')
      await fails(a.getdents(place, 4096), 'EBADF')
      await works(a.fchdir(place))
      same(await a.readFile('inner'), 'inner')
      await a.chdir(bed.path)
      const link = await a.open('link', O.PATH | O.NOFOLLOW)
      same((await a.fstat(link)).mode & S.IFMT, S.IFLNK)
      same((await a.fstat(await a.open('link', O.PATH))).mode & S.IFMT, S.IFREG)
    }),
    scene(
      'O_PATH needs no leave to read the file, only to search the way to it',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.mkdir('open', 0o711)
        await bed.a.mkdir('closed', 0o700)
        await bed.a.writeFile('open/secret', '', 0)
        await bed.a.writeFile('closed/secret', '', 0)
        await bed.works(u.open('open/secret', O.PATH))
        await bed.fails(u.open('open/secret', O.RDONLY), 'EACCES')
        await bed.fails(u.open('closed/secret', O.PATH), 'EACCES')
      },
      'root',
    ),
    scene(
      'O_TMPFILE makes a file without a name, which may get one',
      async ({ a, same, fails, works }) => {
        await a.mkdir('dir')
        const fd = await works(a.open('dir', O.TMPFILE | O.RDWR, 0o640))
        same(await a.names('dir'), [])
        const found = await a.fstat(fd)
        same([found.mode, found.nlink, found.size], [S.IFREG | 0o640, 0, 0])
        await a.write(fd, 'unnamed')
        same(await a.pread(fd, 9, 0), 'unnamed')
        await a.linkat(AT.FDCWD, `/proc/self/fd/${fd}`, AT.FDCWD, 'dir/named', AT.SYMLINK_FOLLOW)
        same(await a.readFile('dir/named'), 'unnamed')
        same([(await a.fstat(fd)).nlink, (await a.fstat(fd)).ino], [1, (await a.stat('dir/named')).ino])
        const alone = await a.open('dir', O.TMPFILE | O.RDWR | O.EXCL)
        await fails(
          a.linkat(AT.FDCWD, `/proc/self/fd/${alone}`, AT.FDCWD, 'dir/never', AT.SYMLINK_FOLLOW),
          'ENOENT',
        )
        await fails(a.open('dir', O.TMPFILE | O.RDONLY), 'EINVAL')
        await fails(a.open('dir/named', O.TMPFILE | O.RDWR), 'ENOTDIR')
        await fails(a.open('missing', O.TMPFILE | O.RDWR), 'ENOENT')
      },
      'unnamed-files',
    ),
    scene(
      'O_TMPFILE needs leave to write the directory',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.mkdir('dir', 0o755)
        await bed.fails(u.open('dir', O.TMPFILE | O.RDWR), 'EACCES')
      },
      'unnamed-files',
      'root',
    ),
    scene('openat and its kin start at the directory, wherever that has moved to', async (bed) => {
      const { a, same, fails, works } = bed
      await a.mkdir('dir')
      await a.writeFile('dir/f', 'text')
      await a.writeFile('file', '')
      const dir = await a.open('dir', O.RDONLY | O.DIRECTORY)
      const file = await a.open('file', O.RDONLY)
      await a.rename('dir', 'moved')
      same(await a.read(await a.openat(dir, 'f', O.RDONLY), 9), 'text')
      await works(a.mkdirat(dir, 'sub', 0o755))
      await works(a.renameat(dir, 'f', dir, 'g'))
      await works(a.linkat(dir, 'g', dir, 'h', 0))
      same(await a.names('moved'), ['g', 'h', 'sub'])
      same((await a.fstatat(dir, '..', 0)).ino, (await a.stat('.')).ino)
      await works(a.unlinkat(dir, 'g', 0))
      await fails(a.unlinkat(dir, 'sub', 0), 'EISDIR', 'EPERM')
      await fails(a.unlinkat(dir, 'h', AT.REMOVEDIR), 'ENOTDIR')
      await works(a.unlinkat(dir, 'sub', AT.REMOVEDIR))
      await fails(a.unlinkat(dir, 'h', 0x8000), 'EINVAL')
      await works(a.faccessat(dir, 'h', 4, 0))
      await fails(a.openat(file, 'x', O.RDONLY), 'ENOTDIR')
      await fails(a.mkdirat(file, 'x', 0o777), 'ENOTDIR')
      await fails(a.fstatat(file, 'x', 0), 'ENOTDIR')
      await fails(a.renameat(file, 'x', dir, 'y'), 'ENOTDIR')
      await fails(a.openat(999, 'x', O.RDONLY), 'EBADF')
      await fails(a.unlinkat(999, 'x', 0), 'EBADF')
      await fails(a.mkdirat(999, 'x', 0o777), 'EBADF')
      await fails(a.linkat(999, 'x', dir, 'y', 0), 'EBADF')
      await fails(a.linkat(dir, 'h', dir, 'y', 0x8000), 'EINVAL')
      same(await a.read(await a.openat(999, `${bed.path}/moved/h`, O.RDONLY), 9), 'text')
    }),
  ],
}
