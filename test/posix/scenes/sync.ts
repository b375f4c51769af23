import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'

export const syncTheme: PosixTheme = {
  name: 'fsync and fdatasync',
  scenes: [
    scene('take files and directories, open for whatever', async ({ a, works, same }) => {
      await a.writeFile('f', 'text')
      await a.mkdir('dir')
      for (const flags of [O.RDONLY, O.WRONLY, O.RDWR, O.RDWR | O.APPEND]) {
        const fd = await a.open('f', flags)
        await works(a.fsync(fd))
        await works(a.fdatasync(fd))
      }
      const dir = await a.open('dir', O.RDONLY | O.DIRECTORY)
      await a.writeFile('dir/g', '')
      await works(a.fsync(dir))
      await works(a.fdatasync(dir))
      await works(a.syncfs(dir))
      same(await a.readFile('f'), 'text')
    }),
    scene(
      'take a file that has lost its name',
      async ({ a, works, same }) => {
        const fd = await a.open('f', O.RDWR | O.CREAT)
        await a.write(fd, 'text')
        await a.unlink('f')
        await works(a.fsync(fd))
        await works(a.fdatasync(fd))
        same(await a.pread(fd, 9, 0), 'text')
      },
      'unlink-open-files',
    ),
    scene(
      'refuse what cannot be synced',
      async ({ a, fails }) => {
        await a.mknod('fifo', S.IFIFO | 0o666)
        const fd = await a.open('fifo', O.RDWR)
        await fails(a.fsync(fd), 'EINVAL')
        await fails(a.fdatasync(fd), 'EINVAL')
      },
      'fifos',
    ),
  ],
}
