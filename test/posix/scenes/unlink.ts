import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'

export const unlinkTheme: PosixTheme = {
  name: 'unlink',
  scenes: [
    scene('removes a name', async ({ a, fails, same }) => {
      await a.writeFile('f', '')
      await a.unlink('f')
      await fails(a.stat('f'), 'ENOENT')
      await fails(a.unlink('f'), 'ENOENT')
      await fails(a.open('f', O.RDONLY), 'ENOENT')
      same(await a.names('.'), [])
    }),
    scene(
      'keeps a file alive while it is open',
      async ({ a, same, fails, works }) => {
        const fd = await a.open('f', O.RDWR | O.CREAT, 0o644)
        await a.write(fd, 'text')
        const { ino } = await a.fstat(fd)
        await a.unlink('f')
        const after = await a.fstat(fd)
        same([after.ino, after.nlink, after.size], [ino, 0, 4])
        same(await a.pread(fd, 9, 0), 'text')
        same(await a.write(fd, ' more'), 5)
        await works(a.ftruncate(fd, 6))
        await works(a.fchmod(fd, 0o600))
        await works(a.fsync(fd))
        await works(a.futimens(fd, { s: 1, ns: 2 }, { s: 3, ns: 4 }))
        same((await a.fstat(fd)).mode, S.IFREG | 0o600)
        same((await a.fstat(fd)).mtime, { s: 3, ns: 4 })
        same(await a.pread(fd, 9, 0), 'text m')
        await fails(a.stat('f'), 'ENOENT')
        await a.writeFile('f', 'another')
        same((await a.stat('f')).ino === ino, false)
        same(await a.pread(fd, 9, 0), 'text m')
        same(await a.readFile('f'), 'another')
      },
      'unlink-open-files',
    ),
    scene(
      'keeps a file alive for another process that has it open',
      async (bed) => {
        const b = await bed.agent()
        await bed.a.writeFile('f', 'text')
        const fd = await b.open('f', O.RDWR)
        await bed.a.unlink('f')
        bed.same(await b.pread(fd, 9, 0), 'text')
        bed.same(await b.pwrite(fd, 'T', 0), 1)
        bed.same(await b.pread(fd, 9, 0), 'Text')
        bed.same((await b.fstat(fd)).nlink, 0)
      },
      'unlink-open-files',
    ),
    scene('removes no directory', async ({ a, fails, works }) => {
      await a.mkdir('dir')
      // The standard says EPERM, Linux EISDIR.
      await fails(a.unlink('dir'), 'EISDIR')
      await fails(a.unlink('dir/'), 'EISDIR')
      await fails(a.unlink('.'), 'EISDIR')
      await fails(a.unlink('dir/..'), 'EISDIR')
      await works(a.stat('dir'))
    }),
    scene('removes a symbolic link, and not what it points to', async ({ a, same, fails }) => {
      await a.writeFile('f', 'text')
      await a.mkdir('dir')
      await a.symlink('f', 'to-file')
      await a.symlink('dir', 'to-dir')
      await a.symlink('self', 'self')
      await fails(a.unlink('to-file/'), 'ENOTDIR')
      await fails(a.unlink('to-dir/'), 'EISDIR', 'ENOTDIR')
      for (const name of ['to-file', 'to-dir', 'self']) await a.unlink(name)
      same(await a.names('.'), ['dir', 'f'])
    }),
    scene(
      'is a matter of the directory: its mode counts, that of the file does not',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.mkdir('closed', 0o755)
        await bed.a.writeFile('closed/f', '', 0o777)
        await bed.fails(u.unlink('closed/f'), 'EACCES')
        await bed.fails(u.unlink('closed/missing'), 'ENOENT')
        await bed.a.mkdir('unsearchable', 0o766)
        await bed.a.writeFile('unsearchable/f', '', 0o777)
        await bed.fails(u.unlink('unsearchable/f'), 'EACCES')
        await bed.a.mkdir('open', 0o777)
        await bed.a.writeFile('open/f', '', 0)
        await bed.works(u.unlink('open/f'))
        await bed.a.mkdir('writable', 0o733)
        await bed.a.writeFile('writable/f', '', 0)
        await bed.works(u.unlink('writable/f'))
      },
      'root',
    ),
  ],
}
