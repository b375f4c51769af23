import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'

export const symlinkTheme: PosixTheme = {
  name: 'symlink and readlink',
  scenes: [
    scene('keep the target byte for byte', async ({ a, same }) => {
      const targets = [
        'f',
        '/',
        '..',
        '../x//y/./',
        ' ',
        'a\nb',
        '\xff\xfe\x80',
        'x'.repeat(59),
        'x'.repeat(60),
      ]
      for (const [index, target] of [...targets, 'y'.repeat(255), 'z/'.repeat(500)].entries()) {
        await a.symlink(target, `link-${index}`)
        same(await a.readlink(`link-${index}`), target)
        const { mode, size, nlink } = await a.lstat(`link-${index}`)
        same([mode, size, nlink], [S.IFLNK | 0o777, target.length, 1])
      }
    }),
    scene(
      'take targets of up to 4095 bytes',
      async ({ a, same, fails }) => {
        const target = 't'.repeat(4_095)
        await a.symlink(target, 'link')
        same(await a.readlink('link'), target)
        await fails(a.stat('link'), 'ENAMETOOLONG')
      },
      'long-symlinks',
    ),
    scene('take no target that is longer than paths may be, and no empty one', async ({ a, fails, same }) => {
      await fails(a.symlink('t'.repeat(4_096), 'longer'), 'ENAMETOOLONG')
      await fails(a.symlink('', 'empty'), 'ENOENT')
      same(await a.names('.'), [])
    }),
    scene('readlink cuts what does not fit, and reads symbolic links alone', async ({ a, same, fails }) => {
      await a.symlink('target', 'link')
      await a.writeFile('f', '')
      await a.mkdir('dir')
      await a.symlink('dir', 'to-dir')
      same(await a.readlink('link', 3), 'tar')
      same(await a.readlink('link', 6), 'target')
      await fails(a.readlink('f'), 'EINVAL')
      await fails(a.readlink('dir'), 'EINVAL')
      await fails(a.readlink('to-dir/'), 'EINVAL')
      await fails(a.readlink('.'), 'EINVAL')
      await fails(a.readlink('missing'), 'ENOENT')
      await fails(a.readlink('link', 0), 'EINVAL')
    }),
    scene('replace nothing', async ({ a, fails }) => {
      await a.writeFile('f', '')
      await a.mkdir('dir')
      await a.symlink('nowhere', 'link')
      for (const name of ['f', 'dir', 'link', '.', 'dir/..']) await fails(a.symlink('t', name), 'EEXIST')
      await fails(a.symlink('t', 'new/'), 'ENOENT', 'ENOTDIR')
      await fails(a.symlink('t', 'missing/new'), 'ENOENT')
      await fails(a.symlink('t', 'f/new'), 'ENOTDIR')
    }),
    scene('are followed from where they lie', async ({ a, same, fails }) => {
      await a.mkdir('one')
      await a.mkdir('one/two')
      await a.mkdir('other')
      await a.writeFile('one/f', 'in one')
      await a.writeFile('f', 'at the top')
      await a.symlink('f', 'one/near')
      await a.symlink('../f', 'one/up')
      await a.symlink('../one/two', 'other/across')
      same(await a.readFile('one/near'), 'in one')
      same(await a.readFile('one/up'), 'at the top')
      same(await a.readFile('other/across/../f'), 'in one', '.. is the parent of the target')
      same((await a.stat('other/across')).ino, (await a.stat('one/two')).ino)
      await a.rename('one/up', 'up')
      await fails(a.readFile('up'), 'ENOENT')
    }),
    scene('may be absolute', async ({ a, same, path }) => {
      await a.writeFile('f', 'text')
      await a.symlink(`${path}/f`, 'link')
      same(await a.readFile('link'), 'text')
    }),
    scene('dangle: the link is there, the file is not', async ({ a, fails, same }) => {
      await a.symlink('nowhere', 'dangling')
      same((await a.lstat('dangling')).mode & S.IFMT, S.IFLNK)
      await fails(a.stat('dangling'), 'ENOENT')
      await fails(a.open('dangling', O.RDONLY), 'ENOENT')
      await fails(a.chmod('dangling', 0o600), 'ENOENT')
      await fails(a.access('dangling', 0), 'ENOENT')
      await fails(a.chdir('dangling'), 'ENOENT')
      await fails(a.mkdir('dangling'), 'EEXIST')
      await fails(a.rmdir('dangling'), 'ENOTDIR')
      await fails(a.open('dangling/f', O.WRONLY | O.CREAT), 'ENOENT')
    }),
    scene('lead in circles to ELOOP, as do more than forty in a row', async ({ a, fails, same }) => {
      await a.symlink('self', 'self')
      await a.symlink('pong', 'ping')
      await a.symlink('ping', 'pong')
      for (const name of ['self', 'ping', 'pong', 'self/x', 'ping/x']) {
        await fails(a.stat(name), 'ELOOP')
        await fails(a.open(name, O.RDONLY), 'ELOOP')
        await fails(a.open(name, O.WRONLY | O.CREAT), 'ELOOP')
        await fails(a.chmod(name, 0o600), 'ELOOP')
        await fails(a.truncate(name, 0), 'ELOOP')
        await fails(a.chdir(name), 'ELOOP')
      }
      same((await a.lstat('self')).size, 4)
      await a.writeFile('link-0', 'far')
      for (let i = 1; i <= 41; i++) await a.symlink(`link-${i - 1}`, `link-${i}`)
      same(await a.readFile('link-40'), 'far')
      await fails(a.readFile('link-41'), 'ELOOP')
    }),
    scene('lead to directories, through which names are found', async ({ a, same, fails, works }) => {
      await a.mkdir('dir')
      await a.symlink('dir', 'link')
      await a.writeFile('link/f', 'text')
      await works(a.mkdir('link/sub'))
      same(await a.names('dir'), ['f', 'sub'])
      same(await a.names('link'), ['f', 'sub'])
      same((await a.lstat('link/')).mode & S.IFMT, S.IFDIR)
      same((await a.lstat('link')).mode & S.IFMT, S.IFLNK)
      await fails(a.rmdir('link'), 'ENOTDIR')
      await fails(a.rmdir('link/'), 'ENOTDIR')
      await a.symlink('dir/f', 'to-file')
      await fails(a.stat('to-file/'), 'ENOTDIR')
      await fails(a.lstat('to-file/'), 'ENOTDIR')
      await fails(a.open('to-file/', O.RDONLY), 'ENOTDIR')
      await fails(a.readlink('to-file/'), 'ENOTDIR')
    }),
    scene(
      'need leave to write the directory, and belong to who made them',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.mkdir('closed', 0o755)
        await bed.fails(u.symlink('t', 'closed/link'), 'EACCES')
        await u.symlink('t', 'link')
        const { uid, gid } = await u.lstat('link')
        bed.same([uid, gid], [alice.uid, alice.gid])
      },
      'root',
    ),
  ],
}
