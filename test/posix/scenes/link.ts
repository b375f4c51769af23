import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { AT, O, S } from '../flags.js'

export const linkTheme: PosixTheme = {
  name: 'link',
  scenes: [
    scene(
      'gives a file one more name, alike in everything',
      async ({ a, same }) => {
        await a.writeFile('f', 'text', 0o640)
        await a.link('f', 'g')
        const [f, g] = [await a.stat('f'), await a.stat('g')]
        same(f, g)
        same(g.nlink, 2)
        await a.writeFile('g', 'changed')
        same(await a.readFile('f'), 'changed')
        await a.chmod('f', 0o600)
        same((await a.stat('g')).mode, S.IFREG | 0o600)
        await a.utimensat('g', { s: 5, ns: 6 }, { s: 7, ns: 8 })
        same((await a.stat('f')).mtime, { s: 7, ns: 8 })
        await a.unlink('f')
        same((await a.stat('g')).nlink, 1)
        same(await a.readFile('g'), 'changed')
        await a.mkdir('dir')
        await a.link('g', 'dir/h')
        same((await a.stat('dir/h')).ino, g.ino)
      },
      'links',
    ),
    scene(
      'replaces nothing',
      async ({ a, fails, same }) => {
        await a.writeFile('f', 'f')
        await a.writeFile('g', 'g')
        await a.mkdir('dir')
        await a.symlink('nowhere', 'dangling')
        for (const name of ['f', 'g', 'dir', 'dangling', '.']) await fails(a.link('f', name), 'EEXIST')
        same(await a.readFile('g'), 'g')
        same((await a.stat('f')).nlink, 1)
      },
      'links',
    ),
    scene(
      'makes no second name for a directory',
      async ({ a, fails }) => {
        await a.mkdir('dir')
        await fails(a.link('dir', 'second'), 'EPERM')
        await fails(a.link('.', 'second'), 'EPERM')
        await fails(a.link('dir', 'dir/inner'), 'EPERM')
      },
      'links',
    ),
    scene(
      'names a symbolic link itself, and with AT_SYMLINK_FOLLOW what it points to',
      async (bed) => {
        const { a, same, fails } = bed
        await a.writeFile('f', 'text')
        await a.symlink('f', 'link')
        await a.link('link', 'second')
        same((await a.lstat('second')).ino, (await a.lstat('link')).ino)
        same((await a.lstat('second')).nlink, 2)
        same(await a.readlink('second'), 'f')
        await a.linkat(AT.FDCWD, 'link', AT.FDCWD, 'third', AT.SYMLINK_FOLLOW)
        same((await a.lstat('third')).ino, (await a.stat('f')).ino)
        await a.symlink('nowhere', 'dangling')
        await fails(a.linkat(AT.FDCWD, 'dangling', AT.FDCWD, 'x', AT.SYMLINK_FOLLOW), 'ENOENT')
      },
      'links',
    ),
    scene(
      'fails for missing files and directories',
      async ({ a, fails }) => {
        await a.writeFile('f', '')
        await fails(a.link('missing', 'g'), 'ENOENT')
        await fails(a.link('f', 'missing/g'), 'ENOENT')
        await fails(a.link('f', 'f/g'), 'ENOTDIR')
        await fails(a.link('f/x', 'g'), 'ENOTDIR')
        await fails(a.link('f/', 'g'), 'ENOTDIR')
        await fails(a.link('f', 'g/'), 'ENOENT', 'ENOTDIR')
        await fails(a.link('', 'g'), 'ENOENT')
        await fails(a.link('f', ''), 'ENOENT')
      },
      'links',
    ),
    scene(
      'does not reach into another file system',
      async ({ a, fails }) => {
        await a.writeFile('f', '')
        await fails(a.link('f', '/dev/shm/posix-link'), 'EXDEV')
      },
      'links',
    ),
    scene(
      'counts many names',
      async ({ a, same }) => {
        await a.writeFile('f', 'text')
        for (let i = 0; i < 200; i++) await a.link('f', `link-${i}`)
        same((await a.stat('f')).nlink, 201)
        same((await a.stat('link-199')).nlink, 201)
        for (let i = 0; i < 100; i++) await a.unlink(`link-${i}`)
        same((await a.stat('f')).nlink, 101)
      },
      'links',
    ),
    scene(
      'keeps an open file that has lost its name from getting one by its descriptor',
      async (bed) => {
        const { a, fails } = bed
        const fd = await a.open('f', O.RDWR | O.CREAT)
        await a.unlink('f')
        const own = `/proc/self/fd/${fd}`
        await fails(a.linkat(AT.FDCWD, own, AT.FDCWD, 'again', AT.SYMLINK_FOLLOW), 'ENOENT')
      },
      'links',
      'unlink-open-files',
    ),
    scene(
      'needs leave to write the directory of the new name',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.mkdir('closed', 0o755)
        await bed.a.mkdir('secret', 0o700)
        await u.writeFile('own', '')
        await bed.a.writeFile('secret/f', '', 0o666)
        await bed.fails(u.link('own', 'closed/own'), 'EACCES')
        await bed.fails(u.link('secret/f', 'f'), 'EACCES')
        await bed.works(u.link('own', 'second'))
      },
      'links',
      'root',
    ),
  ],
}
