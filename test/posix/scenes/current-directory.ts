import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O } from '../flags.js'

export const currentDirectoryTheme: PosixTheme = {
  name: 'the current directory',
  scenes: [
    scene('is where names are found, and follows when it is moved', async ({ a, same, path }) => {
      await a.mkdir('dir')
      await a.mkdir('other')
      await a.writeFile('dir/f', 'text')
      await a.chdir('dir')
      same(await a.getcwd(), `${path}/dir`)
      same(await a.readFile('f'), 'text')
      await a.rename('../dir', '../other/moved')
      same(await a.getcwd(), `${path}/other/moved`)
      same(await a.readFile('f'), 'text')
      same((await a.stat('..')).ino, (await a.stat(`${path}/other`)).ino)
      await a.chdir('..')
      same(await a.getcwd(), `${path}/other`)
    }),
    scene('may be removed: it stays, without a name, and nothing can be made in it', async (bed) => {
      const { a, same, fails, works, path } = bed
      await a.mkdir('dir')
      const before = (await a.stat('dir')).ino
      await a.chdir('dir')
      await works(a.rmdir(`${path}/dir`))
      same((await a.stat('.')).ino, before)
      same((await a.stat('.')).nlink < 2, true)
      await fails(a.getcwd(), 'ENOENT')
      await fails(a.open('f', O.WRONLY | O.CREAT), 'ENOENT')
      await fails(a.mkdir('sub'), 'ENOENT')
      await fails(a.symlink('t', 'link'), 'ENOENT')
      await fails(a.mknod('node', 0o600), 'ENOENT')
      await fails(a.link(`${path}/x`, 'y'), 'ENOENT')
      await fails(a.rename('x', 'y'), 'ENOENT')
      await fails(a.stat('f'), 'ENOENT')
      await fails(a.rmdir('.'), 'EINVAL')
      await works(a.open('.', O.RDONLY))
      await works(a.chmod('.', 0o700))
      same((await a.stat('..')).ino, (await a.stat(path)).ino)
      await works(a.chdir('..'))
      await fails(a.chdir('dir'), 'ENOENT')
      same(await a.names('.'), [])
    }),
    scene('may be removed by another process', async (bed) => {
      const { a, fails, works, path } = bed
      const b = await bed.agent()
      await a.mkdir('dir')
      await b.chdir('dir')
      await works(a.rmdir('dir'))
      await a.mkdir('dir')
      await fails(b.writeFile('f', ''), 'ENOENT')
      await fails(b.getcwd(), 'ENOENT')
      await works(b.chdir(path))
      await works(b.writeFile('dir/f', ''))
    }),
    scene('is a directory that may be searched', async (bed) => {
      const { a, fails, works } = bed
      await a.writeFile('f', '')
      await fails(a.chdir('f'), 'ENOTDIR')
      await fails(a.fchdir(await a.open('f', O.RDONLY)), 'ENOTDIR')
      await a.mkdir('dir', 0o744)
      await works(a.fchdir(await a.open('dir', O.RDONLY)))
      await a.chdir('..')
      if (!bed.has('root')) return
      const u = await bed.agent(alice)
      await fails(u.chdir('dir'), 'EACCES')
      await fails(u.fchdir(await u.open('dir', O.RDONLY)), 'EACCES')
    }),
  ],
}
