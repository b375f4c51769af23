import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { S } from '../flags.js'

export const mkdirTheme: PosixTheme = {
  name: 'mkdir and rmdir',
  scenes: [
    scene('make directories with the mode less the mask, with no set-id bits', async ({ a, same }) => {
      for (const [mode, mask, result] of [
        [0o777, 0o022, 0o755],
        [0o777, 0o000, 0o777],
        [0o700, 0o077, 0o700],
        [0o000, 0o000, 0o000],
        [0o1777, 0o022, 0o1755],
        [0o7777, 0o000, 0o1777],
      ] as const) {
        await a.umask(mask)
        const name = `d${mode}-${mask}`
        await a.mkdir(name, mode)
        same((await a.stat(name)).mode, S.IFDIR | result, `${mode.toString(8)} less ${mask.toString(8)}`)
      }
    }),
    scene('make an empty directory with . and .., and take it away', async ({ a, same, fails, works }) => {
      await a.mkdir('dir')
      const entries = await a.list('dir')
      same(entries.map(({ name }) => name).sort(), ['.', '..'])
      same((await a.stat('dir/.')).ino, (await a.stat('dir')).ino)
      same((await a.stat('dir/..')).ino, (await a.stat('.')).ino)
      await works(a.mkdir('slash/', 0o755))
      await works(a.rmdir('slash/'))
      await a.rmdir('dir')
      await fails(a.stat('dir'), 'ENOENT')
      await fails(a.rmdir('dir'), 'ENOENT')
    }),
    scene('fail with EEXIST whatever has the name', async ({ a, fails }) => {
      await a.mkdir('dir')
      await a.writeFile('f', '')
      await a.symlink('dir', 'link')
      await a.symlink('nowhere', 'dangling')
      await a.symlink('self', 'self')
      for (const name of [
        'dir',
        'f',
        'link',
        'dangling',
        'self',
        '.',
        '..',
        'dir/.',
        'dir/..',
        'dir/',
        '/',
      ]) {
        await fails(a.mkdir(name), 'EEXIST')
      }
      await fails(a.mkdir('link/'), 'EEXIST')
      await fails(a.mkdir('f/x'), 'ENOTDIR')
      await fails(a.mkdir('missing/x'), 'ENOENT')
      await fails(a.mkdir(''), 'ENOENT')
    }),
    scene('count links: two and one for each directory within, or always one', async ({ a, same }) => {
      await a.mkdir('dir')
      const { nlink } = await a.stat('dir')
      same(nlink === 1 || nlink === 2, true, `an empty directory has ${nlink} links`)
      const counted = nlink === 2
      for (let i = 1; i <= 5; i++) {
        await a.mkdir(`dir/sub-${i}`)
        await a.writeFile(`dir/file-${i}`, '')
        same((await a.stat('dir')).nlink, counted ? 2 + i : 1)
      }
      await a.rmdir('dir/sub-3')
      same((await a.stat('dir')).nlink, counted ? 6 : 1)
    }),
    scene('take away nothing that is not empty', async ({ a, fails, works }) => {
      await a.mkdir('dir')
      await a.writeFile('dir/f', '')
      await fails(a.rmdir('dir'), 'ENOTEMPTY', 'EEXIST')
      await a.unlink('dir/f')
      await a.mkdir('dir/sub')
      await fails(a.rmdir('dir'), 'ENOTEMPTY', 'EEXIST')
      await a.rmdir('dir/sub')
      await a.symlink('nowhere', 'dir/link')
      await fails(a.rmdir('dir'), 'ENOTEMPTY', 'EEXIST')
      await a.rename('dir/link', 'link')
      await works(a.rmdir('dir'))
    }),
    scene('take away no file, no link, no . and no ..', async ({ a, fails }) => {
      await a.writeFile('f', '')
      await a.mkdir('dir')
      await a.mkdir('dir/sub')
      await a.symlink('dir', 'link')
      await fails(a.rmdir('f'), 'ENOTDIR')
      await fails(a.rmdir('f/'), 'ENOTDIR')
      await fails(a.rmdir('link'), 'ENOTDIR')
      await fails(a.rmdir('link/'), 'ENOTDIR')
      await fails(a.rmdir('.'), 'EINVAL')
      await fails(a.rmdir('dir/.'), 'EINVAL')
      await fails(a.rmdir('dir/sub/..'), 'ENOTEMPTY', 'EEXIST')
      await fails(a.rmdir('..'), 'ENOTEMPTY', 'EEXIST')
      await fails(a.rmdir(''), 'ENOENT')
      await fails(a.rmdir('/'), 'EBUSY')
    }),
    scene(
      'need leave to write the parent; that of the directory itself does not count',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.mkdir('closed', 0o755)
        await bed.a.mkdir('closed/dir', 0o777)
        await bed.a.mkdir('open', 0o777)
        await bed.a.mkdir('open/dir', 0)
        await bed.fails(u.mkdir('closed/new'), 'EACCES')
        await bed.fails(u.mkdir('closed/dir'), 'EEXIST')
        await bed.fails(u.rmdir('closed/dir'), 'EACCES')
        await bed.works(u.rmdir('open/dir'))
        await u.mkdir('open/own', 0o700)
        const { uid, gid } = await bed.a.stat('open/own')
        bed.same([uid, gid], [alice.uid, alice.gid])
      },
      'root',
    ),
    scene(
      'leave alone what is mounted upon',
      async ({ a, fails, works, path }) => {
        await a.mkdir('mounted')
        await a.mkdir('other')
        await a.writeFile('file', '')
        await a.writeFile('other/file', '')
        await a.mount('none', `${path}/mounted`, 'tmpfs', 0)
        try {
          await fails(a.rmdir('mounted'), 'EBUSY')
          await fails(a.rename('mounted', 'moved'), 'EBUSY')
          await fails(a.rename('other', 'mounted'), 'EBUSY')
          await fails(a.rename('file', 'mounted/file'), 'EXDEV')
          await fails(a.link('file', 'mounted/file'), 'EXDEV')
          await fails(a.rename('mounted', 'other/mounted'), 'EBUSY')
        } finally {
          await a.umount(`${path}/mounted`)
        }
        await works(a.rmdir('mounted'))
      },
      'root',
    ),
    scene('go as deep as one likes', async ({ a, same, works }) => {
      const depth = 60
      for (let i = 0; i < depth; i++) await a.mkdir('deep/'.repeat(i) + 'deep')
      await works(a.writeFile(`${'deep/'.repeat(depth)}f`, 'bottom'))
      same(await a.readFile(`${'deep/'.repeat(depth)}f`), 'bottom')
      same((await a.stat(`${'deep/'.repeat(depth)}${'../'.repeat(depth)}`)).ino, (await a.stat('.')).ino)
    }),
  ],
}
