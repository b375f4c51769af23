import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'

export const openTheme: PosixTheme = {
  name: 'open',
  scenes: [
    scene('makes a file with the mode less the mask, empty, of the caller and its group', async (bed) => {
      const { a, same } = bed
      for (const [mode, mask, result] of [
        [0o666, 0o022, 0o644],
        [0o777, 0o027, 0o750],
        [0o666, 0o000, 0o666],
        [0o000, 0o000, 0o000],
        [0o600, 0o777, 0o000],
        [0o644, 0o002, 0o644],
        [0o4755, 0o022, 0o4755],
        [0o1644, 0o022, 0o1644],
      ] as const) {
        const name = `f${mode}-${mask}`
        await a.umask(mask)
        await a.close(await a.open(name, O.WRONLY | O.CREAT, mode))
        const found = await a.stat(name)
        same(found.mode, S.IFREG | result, `mode ${mode.toString(8)} less ${mask.toString(8)}`)
        same([found.size, found.nlink], [0, 1])
      }
    }),
    scene('ignores the mode of open where the file is there', async ({ a, same }) => {
      await a.writeFile('f', 'x', 0o640)
      await a.close(await a.open('f', O.RDWR | O.CREAT, 0o777))
      same((await a.stat('f')).mode, S.IFREG | 0o640)
      same(await a.readFile('f'), 'x')
    }),
    scene(
      'hands out a writable descriptor for a file that is made unwritable',
      async (bed) => {
        const u = await bed.agent(alice)
        const fd = await bed.works(u.open('f', O.RDWR | O.CREAT, 0o000))
        bed.same(await u.write(fd, 'data'), 4)
        bed.same(await u.pread(fd, 10, 0), 'data')
        await bed.fails(u.open('f', O.RDONLY), 'EACCES')
        await bed.fails(u.open('f', O.WRONLY), 'EACCES')
      },
      'root',
    ),
    scene('fails with ENOENT for a missing file and for an empty path', async ({ a, fails }) => {
      for (const flags of [O.RDONLY, O.WRONLY, O.RDWR, O.RDWR | O.TRUNC, O.WRONLY | O.APPEND, O.PATH]) {
        await fails(a.open('missing', flags), 'ENOENT')
      }
      await fails(a.open('', O.RDONLY), 'ENOENT')
      await fails(a.open('', O.WRONLY | O.CREAT), 'ENOENT')
      await fails(a.open('missing/f', O.WRONLY | O.CREAT), 'ENOENT')
    }),
    scene('with O_EXCL fails with EEXIST for whatever has the name', async ({ a, fails, same, works }) => {
      await a.writeFile('file', 'kept')
      await a.mkdir('dir')
      await a.symlink('file', 'to-file')
      await a.symlink('nowhere', 'dangling')
      await a.symlink('self', 'self')
      await a.symlink('dir', 'to-dir')
      for (const name of ['file', 'dir', 'to-file', 'dangling', 'self', 'to-dir']) {
        await fails(a.open(name, O.WRONLY | O.CREAT | O.EXCL), 'EEXIST')
        await fails(a.open(name, O.RDWR | O.CREAT | O.EXCL | O.TRUNC), 'EEXIST')
      }
      same(await a.readFile('file'), 'kept')
      await fails(a.lstat('nowhere'), 'ENOENT')
      await works(a.open('new', O.WRONLY | O.CREAT | O.EXCL))
      await fails(a.open('new', O.WRONLY | O.CREAT | O.EXCL), 'EEXIST')
    }),
    scene('with O_CREAT makes what a dangling symbolic link points to', async ({ a, same, fails }) => {
      await a.symlink('target', 'link')
      await a.close(await a.open('link', O.WRONLY | O.CREAT))
      same((await a.lstat('target')).mode & S.IFMT, S.IFREG)
      same((await a.lstat('link')).mode & S.IFMT, S.IFLNK)
      await a.symlink('missing/target', 'far')
      await fails(a.open('far', O.WRONLY | O.CREAT), 'ENOENT')
    }),
    scene('fails with EISDIR for directories that are to be written or made', async ({ a, fails, works }) => {
      await a.mkdir('dir')
      for (const flags of [O.WRONLY, O.RDWR, O.WRONLY | O.APPEND, O.RDONLY | O.CREAT, O.RDWR | O.CREAT]) {
        await fails(a.open('dir', flags), 'EISDIR')
      }
      await fails(a.open('dir', O.RDONLY | O.TRUNC), 'EISDIR')
      await fails(a.open('.', O.RDWR), 'EISDIR')
      await fails(a.open('dir/', O.RDWR | O.CREAT), 'EISDIR')
      await fails(a.open('new/', O.RDWR | O.CREAT), 'EISDIR')
      await works(a.open('dir', O.RDONLY))
      await fails(a.read(await a.open('dir', O.RDONLY), 10), 'EISDIR')
      await fails(a.pread(await a.open('dir', O.RDONLY), 10, 0), 'EISDIR')
      await fails(a.write(await a.open('dir', O.RDONLY), 'x'), 'EBADF')
      await fails(a.ftruncate(await a.open('dir', O.RDONLY), 0), 'EINVAL')
    }),
    scene('lets a descriptor do what it was opened for, and no more', async ({ a, fails, same }) => {
      await a.writeFile('f', 'text')
      const reading = await a.open('f', O.RDONLY)
      await fails(a.write(reading, 'x'), 'EBADF')
      await fails(a.pwrite(reading, 'x', 0), 'EBADF')
      await fails(a.ftruncate(reading, 0), 'EINVAL')
      same(await a.read(reading, 9), 'text')
      const writing = await a.open('f', O.WRONLY)
      await fails(a.read(writing, 1), 'EBADF')
      await fails(a.pread(writing, 1, 0), 'EBADF')
      same(await a.write(writing, 'T'), 1)
      const both = await a.open('f', O.RDWR)
      same(await a.read(both, 9), 'Text')
      same(await a.write(both, '!'), 1)
      same(await a.readFile('f'), 'Text!')
    }),
    scene(
      'asks for permissions once: what is open stays so when the mode changes',
      async (bed) => {
        const u = await bed.agent(alice)
        await u.writeFile('f', 'text')
        const fd = await u.open('f', O.RDWR)
        await u.chmod('f', 0)
        bed.same(await u.read(fd, 4), 'text')
        bed.same(await u.write(fd, '+'), 1)
        await bed.works(u.ftruncate(fd, 2))
        await bed.fails(u.open('f', O.RDONLY), 'EACCES')
        await bed.a.chown('f', 0, 0)
        bed.same(await u.pread(fd, 9, 0), 'te')
        bed.same(await u.pwrite(fd, 'xy', 0), 2)
      },
      'root',
    ),
    scene('with O_TRUNC empties a file, and needs to be allowed to write it', async (bed) => {
      const { a, same, fails } = bed
      await a.writeFile('f', 'text', 0o644)
      const before = await a.open('f', O.RDONLY)
      await a.close(await a.open('f', O.WRONLY | O.TRUNC))
      same((await a.stat('f')).size, 0)
      same(await a.read(before, 4), '')
      await a.writeFile('f', 'again')
      await a.close(await a.open('f', O.RDWR | O.CREAT | O.TRUNC))
      same((await a.stat('f')).size, 0)
      await a.writeFile('f', 'again')
      if (!bed.has('root')) return
      const u = await bed.agent(alice)
      await fails(u.open('f', O.WRONLY | O.TRUNC), 'EACCES')
      await fails(u.open('f', O.RDONLY | O.TRUNC), 'EACCES')
      same(await a.readFile('f'), 'again')
    }),
    scene('tells the flags, and lets O_APPEND and O_NONBLOCK be changed', async ({ a, same }) => {
      await a.writeFile('f', 'text')
      const known = O.APPEND | O.NONBLOCK | 3
      for (const flags of [O.RDONLY, O.WRONLY, O.RDWR, O.RDWR | O.APPEND, O.RDONLY | O.NONBLOCK]) {
        same((await a.getFlags(await a.open('f', flags))) & known, flags)
      }
      const fd = await a.open('f', O.RDWR)
      await a.setFlags(fd, O.APPEND)
      same((await a.getFlags(fd)) & known, O.RDWR | O.APPEND)
      await a.write(fd, '+')
      await a.setFlags(fd, 0)
      await a.lseek(fd, 0, 0)
      await a.write(fd, 'T')
      same(await a.readFile('f'), 'Text+')
    }),
    scene('leaves one offset to a descriptor and its duplicates, and a new one to each open', async (bed) => {
      const { a, same } = bed
      await a.writeFile('f', 'abcdefgh')
      const one = await a.open('f', O.RDONLY)
      const same1 = await a.dup(one)
      const other = await a.open('f', O.RDONLY)
      same(await a.read(one, 2), 'ab')
      same(await a.read(same1, 2), 'cd')
      same(await a.read(one, 2), 'ef')
      same(await a.read(other, 2), 'ab')
      await a.close(one)
      same(await a.read(same1, 9), 'gh')
    }),
    scene('with O_SYNC and O_DSYNC writes as ever', async ({ a, same }) => {
      for (const flag of [O.SYNC, O.DSYNC]) {
        const fd = await a.open('f', O.RDWR | O.CREAT | O.TRUNC | flag)
        same(await a.write(fd, 'synced'), 6)
        same(await a.pread(fd, 9, 0), 'synced')
      }
    }),
    scene(
      'with O_NOATIME is for the owner',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.writeFile('f', 'x', 0o666)
        await bed.fails(u.open('f', O.RDONLY | O.NOATIME), 'EPERM')
        await bed.a.chown('f', alice.uid, alice.gid)
        await bed.works(u.open('f', O.RDONLY | O.NOATIME))
        await bed.works(bed.a.open('f', O.RDONLY | O.NOATIME))
      },
      'root',
    ),
    scene(
      'needs leave to write the directory in order to make a file there',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.mkdir('dir', 0o755)
        await bed.a.writeFile('dir/there', 'x', 0o666)
        await bed.fails(u.open('dir/new', O.WRONLY | O.CREAT, 0o666), 'EACCES')
        await bed.fails(u.open('dir/new', O.RDONLY | O.CREAT, 0o666), 'EACCES')
        await bed.works(u.open('dir/there', O.WRONLY | O.CREAT, 0o666))
        await bed.fails(u.open('dir/there', O.WRONLY | O.CREAT | O.EXCL, 0o666), 'EEXIST')
        await bed.a.chmod('dir', 0o777)
        await bed.works(u.open('dir/new', O.WRONLY | O.CREAT, 0o666))
        const { uid, gid } = await u.stat('dir/new')
        bed.same([uid, gid], [alice.uid, alice.gid])
      },
      'root',
    ),
  ],
}
