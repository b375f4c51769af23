import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'

export const renameTheme: PosixTheme = {
  name: 'rename',
  scenes: [
    scene('moves a file with all that it is', async ({ a, same, fails }) => {
      await a.writeFile('f', 'text', 0o640)
      await a.utimensat('f', { s: 11, ns: 12 }, { s: 13, ns: 14 })
      const { ino, mode, mtime, nlink } = await a.stat('f')
      await a.mkdir('dir')
      await a.rename('f', 'dir/g')
      await fails(a.stat('f'), 'ENOENT')
      const moved = await a.stat('dir/g')
      same({ ...moved, ino, mode, mtime, nlink }, moved)
      same(await a.readFile('dir/g'), 'text')
      same([await a.names('.'), await a.names('dir')], [['dir'], ['g']])
    }),
    scene('replaces a file, of which those who have it open keep the old one', async ({ a, same, fails }) => {
      await a.writeFile('old', 'old')
      await a.writeFile('new', 'new')
      const fd = await a.open('old', O.RDONLY)
      const { ino } = await a.stat('new')
      await a.rename('new', 'old')
      same((await a.stat('old')).ino, ino)
      same(await a.readFile('old'), 'new')
      same(await a.read(fd, 9), 'old')
      same((await a.fstat(fd)).nlink, 0)
      await fails(a.stat('new'), 'ENOENT')
    }),
    scene(
      'leaves the other names of what it replaces',
      async ({ a, same }) => {
        await a.writeFile('f', 'f')
        await a.link('f', 'second')
        await a.writeFile('g', 'g')
        await a.rename('g', 'f')
        same(await a.readFile('second'), 'f')
        same((await a.stat('second')).nlink, 1)
      },
      'links',
    ),
    scene(
      'does nothing for two names of one file, or one name twice',
      async ({ a, same }) => {
        await a.writeFile('f', 'text')
        await a.link('f', 'g')
        await a.mkdir('dir')
        await a.link('f', 'dir/h')
        await a.rename('f', 'g')
        await a.rename('f', 'dir/h')
        await a.rename('f', 'f')
        await a.rename('dir', 'dir')
        same(await a.names('.'), ['dir', 'f', 'g'])
        same(await a.names('dir'), ['h'])
        same((await a.stat('f')).nlink, 3)
      },
      'links',
    ),
    scene('moves an open file', async ({ a, same }) => {
      const fd = await a.open('f', O.RDWR | O.CREAT)
      await a.write(fd, 'one ')
      await a.rename('f', 'g')
      await a.write(fd, 'two')
      same(await a.readFile('g'), 'one two')
      same((await a.fstat(fd)).ino, (await a.stat('g')).ino)
    }),
    scene('puts a file in place of a file, and a directory in place of an empty one', async (bed) => {
      const { a, fails, same, works } = bed
      await a.writeFile('file', 'file')
      for (const name of ['empty', 'full', 'dir']) await a.mkdir(name)
      await a.writeFile('full/f', '')
      await a.writeFile('dir/inner', 'inner')
      await fails(a.rename('file', 'empty'), 'EISDIR')
      await fails(a.rename('file', 'full'), 'EISDIR')
      await fails(a.rename('dir', 'file'), 'ENOTDIR')
      await fails(a.rename('dir', 'full'), 'ENOTEMPTY', 'EEXIST')
      same(await a.names('full'), ['f'])
      const { ino } = await a.stat('dir')
      await works(a.rename('dir', 'empty'))
      same((await a.stat('empty')).ino, ino)
      same(await a.readFile('empty/inner'), 'inner')
      await fails(a.stat('dir'), 'ENOENT')
    }),
    scene('moves no directory into itself, nor in place of what it lies in', async ({ a, fails, same }) => {
      await a.mkdir('a')
      await a.mkdir('a/b')
      await a.mkdir('a/b/c')
      await fails(a.rename('a', 'a/x'), 'EINVAL')
      await fails(a.rename('a', 'a/b'), 'EINVAL')
      await fails(a.rename('a', 'a/b/x'), 'EINVAL')
      await fails(a.rename('a', 'a/b/c'), 'EINVAL')
      await fails(a.rename('a/b', 'a'), 'ENOTEMPTY', 'EEXIST')
      await fails(a.rename('a/b/c', 'a'), 'ENOTEMPTY', 'EEXIST')
      await a.writeFile('a/f', '')
      await fails(a.rename('a/f', 'a'), 'EISDIR', 'ENOTEMPTY')
      same(await a.names('a/b'), ['c'])
    }),
    scene('moves no . and no ..', async ({ a, fails }) => {
      await a.mkdir('dir')
      await a.mkdir('dir/sub')
      // The standard says EINVAL, Linux EBUSY.
      for (const [from, to] of [
        ['dir/.', 'x'],
        ['dir/sub/..', 'x'],
        ['.', 'x'],
        ['dir', 'dir/sub/..'],
        ['dir/sub', '.'],
        ['dir/sub', 'dir/.'],
      ] as const) {
        await fails(a.rename(from, to), 'EBUSY', 'EINVAL')
      }
    }),
    scene('heeds a trailing slash: it is for directories', async ({ a, fails, works, same }) => {
      await a.writeFile('f', '')
      await a.writeFile('g', '')
      await a.mkdir('dir')
      await a.symlink('dir', 'link')
      await fails(a.rename('f/', 'new'), 'ENOTDIR')
      await fails(a.rename('f', 'new/'), 'ENOTDIR')
      await fails(a.rename('f', 'g/'), 'ENOTDIR')
      await fails(a.rename('f', 'dir/'), 'EISDIR', 'ENOTDIR')
      await fails(a.rename('link/', 'new'), 'ENOTDIR')
      await fails(a.rename('dir', 'link/'), 'ENOTDIR')
      await works(a.rename('dir/', 'moved'))
      await works(a.rename('moved', 'again/'))
      await works(a.rename('again/', 'dir/'))
      same(await a.names('.'), ['dir', 'f', 'g', 'link'])
    }),
    scene('moves symbolic links themselves, and replaces them', async ({ a, same }) => {
      await a.writeFile('f', 'f')
      await a.mkdir('dir')
      await a.symlink('dir', 'to-dir')
      await a.symlink('nowhere', 'dangling')
      await a.rename('to-dir', 'moved')
      same(await a.readlink('moved'), 'dir')
      await a.rename('f', 'dangling')
      same((await a.lstat('dangling')).mode & S.IFMT, S.IFREG)
      await a.rename('moved', 'dangling')
      same(await a.readlink('dangling'), 'dir')
      same(await a.names('.'), ['dangling', 'dir'])
      await a.writeFile('g', 'g')
      await a.rename('g', 'dangling')
      same((await a.names('dir')).length, 0, 'the link is replaced, not what it points to')
    }),
    scene('treats a symbolic link to a directory as no directory', async ({ a, fails }) => {
      await a.mkdir('dir')
      await a.mkdir('other')
      await a.symlink('other', 'link')
      await fails(a.rename('dir', 'link'), 'ENOTDIR')
      await fails(a.rename('link', 'dir'), 'EISDIR')
    }),
    scene('changes .. and the counts of links of the parents', async ({ a, same }) => {
      await a.mkdir('one')
      await a.mkdir('two')
      await a.mkdir('one/dir')
      const links = async (path: string): Promise<number> => (await a.stat(path)).nlink
      const counted = (await links('one')) > 1
      same(await links('one'), counted ? 3 : 1)
      const fd = await a.open('one/dir', O.RDONLY)
      await a.rename('one/dir', 'two/dir')
      same((await a.stat('two/dir/..')).ino, (await a.stat('two')).ino)
      same((await a.fstatat(fd, '..', 0)).ino, (await a.stat('two')).ino)
      same([await links('one'), await links('two')], counted ? [2, 3] : [1, 1])
      await a.mkdir('one/dir')
      await a.rename('two/dir', 'one/dir')
      same([await links('one'), await links('two')], counted ? [3, 2] : [1, 1])
      const parents = (await a.list('one/dir')).filter(({ name }) => name === '..')
      same(
        parents.map(({ ino }) => ino),
        [(await a.stat('one')).ino],
      )
    }),
    scene('takes a whole tree along', async ({ a, same, fails }) => {
      await a.mkdir('tree')
      await a.mkdir('tree/a')
      await a.mkdir('tree/a/b')
      await a.writeFile('tree/a/b/f', 'deep')
      const fd = await a.open('tree/a/b/f', O.RDWR)
      await a.mkdir('dir')
      await a.rename('tree', 'dir/tree')
      same(await a.readFile('dir/tree/a/b/f'), 'deep')
      await fails(a.stat('tree/a/b/f'), 'ENOENT')
      await a.rename('dir/tree/a/b/f', 'dir/f')
      await a.pwrite(fd, 'D', 0)
      same(await a.readFile('dir/f'), 'Deep')
    }),
    scene('fails for what is missing', async ({ a, fails }) => {
      await a.writeFile('f', '')
      await a.mkdir('dir')
      await fails(a.rename('missing', 'g'), 'ENOENT')
      await fails(a.rename('missing', 'f'), 'ENOENT')
      await fails(a.rename('f', 'missing/g'), 'ENOENT')
      await fails(a.rename('dir', 'missing/g'), 'ENOENT')
      await fails(a.rename('missing/f', 'g'), 'ENOENT')
      await fails(a.rename('', 'g'), 'ENOENT')
      await fails(a.rename('f', ''), 'ENOENT')
      await fails(a.rename('f/x', 'g'), 'ENOTDIR')
      await fails(a.rename('dir', 'f/x'), 'ENOTDIR')
      await fails(a.rename('f', '/dev/shm/posix-rename'), 'EXDEV')
    }),
    scene(
      'needs leave to write both directories, and the directory itself where that moves',
      async (bed) => {
        const { a, fails, works } = bed
        const u = await bed.agent(alice)
        await a.mkdir('closed', 0o755)
        await a.mkdir('open', 0o777)
        await a.mkdir('other', 0o777)
        await a.writeFile('closed/f', '', 0o666)
        await u.writeFile('open/f', '')
        await fails(u.rename('closed/f', 'open/g'), 'EACCES')
        await fails(u.rename('open/f', 'closed/g'), 'EACCES')
        await fails(u.rename('open/f', 'closed/f'), 'EACCES')
        await fails(u.rename('closed/f', 'closed/g'), 'EACCES')
        await works(u.rename('open/f', 'open/g'))
        await a.mkdir('open/dir', 0o755)
        // Its entry for .. would change, and alice may not write it.
        await fails(u.rename('open/dir', 'other/dir'), 'EACCES')
        await works(u.rename('open/dir', 'open/dir2'))
        await works(a.rename('open/dir2', 'other/dir'))
      },
      'root',
    ),
    scene('replaces in one step: who looks finds the old file or the new one', async (bed) => {
      const { a, same, holds } = bed
      const [writer, reader] = [await bed.agent(), await bed.agent()]
      await a.writeFile('f', '0'.repeat(5_000))
      const [, seen] = await Promise.all([writer.replaceMany('f', 5_000, 200), reader.readMany('f', 300)])
      for (const each of seen)
        holds(/^(\d)\1*$/.test(each) && each.length === 5_000, `saw ${each.slice(0, 60)}`)
      same(await a.names('.'), ['f'])
    }),
  ],
}
