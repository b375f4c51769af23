import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O } from '../flags.js'

export const truncateTheme: PosixTheme = {
  name: 'truncate and ftruncate',
  scenes: [
    scene('cut a file, and lengthen it with zeros', async ({ a, same }) => {
      await a.writeFile('f', 'abcdef')
      await a.truncate('f', 3)
      same(await a.readFile('f'), 'abc')
      await a.truncate('f', 6)
      same(await a.readFile('f'), 'abc\0\0\0', 'what was cut off does not come back')
      const fd = await a.open('f', O.RDWR)
      await a.ftruncate(fd, 2)
      same(await a.readFile('f'), 'ab')
      await a.ftruncate(fd, 5_000)
      same(await a.readFile('f'), `ab${'\0'.repeat(4_998)}`)
      await a.ftruncate(fd, 0)
      same((await a.fstat(fd)).size, 0)
    }),
    scene('cut within a block, and leave zeros behind the cut when the file grows again', async (bed) => {
      const { a, same } = bed
      const fd = await a.open('f', O.RDWR | O.CREAT)
      await a.write(fd, 'x'.repeat(20_000))
      for (const cut of [12_345, 8_192, 8_191, 4_097, 1]) {
        await a.ftruncate(fd, cut)
        await a.ftruncate(fd, 20_000)
        same(await a.readFile('f'), `${'x'.repeat(cut)}${'\0'.repeat(20_000 - cut)}`, `cut at ${cut}`)
      }
      await a.ftruncate(fd, 10)
      await a.pwrite(fd, 'end', 100)
      same(await a.readFile('f'), `x${'\0'.repeat(99)}end`)
    }),
    scene('leave the offset where it is', async ({ a, same }) => {
      const fd = await a.open('f', O.RDWR | O.CREAT)
      await a.write(fd, 'abcdef')
      await a.ftruncate(fd, 2)
      same(await a.lseek(fd, 0, 1), 6)
      await a.write(fd, 'g')
      same(await a.readFile('f'), 'ab\0\0\0\0g')
    }),
    scene('refuse what is no regular file, and negative lengths', async ({ a, fails }) => {
      await a.mkdir('dir')
      await a.writeFile('f', 'x')
      await fails(a.truncate('dir', 0), 'EISDIR')
      await fails(a.truncate('f', -1), 'EINVAL')
      await fails(a.ftruncate(await a.open('f', O.RDWR), -1), 'EINVAL')
      await fails(a.ftruncate(await a.open('f', O.RDONLY), 1), 'EINVAL')
      await fails(a.truncate('missing', 0), 'ENOENT')
    }),
    scene('follow symbolic links', async ({ a, same, fails }) => {
      await a.writeFile('f', 'text')
      await a.symlink('f', 'link')
      await a.truncate('link', 2)
      same(await a.readFile('f'), 'te')
      await a.symlink('nowhere', 'dangling')
      await fails(a.truncate('dangling', 0), 'ENOENT')
      await fails(a.lstat('nowhere'), 'ENOENT')
    }),
    scene(
      'need leave to write: by the mode for a path, by the opening for a descriptor',
      async (bed) => {
        const u = await bed.agent(alice)
        await u.writeFile('f', 'text')
        const fd = await u.open('f', O.RDWR)
        await u.chmod('f', 0o444)
        await bed.fails(u.truncate('f', 0), 'EACCES')
        await bed.works(u.ftruncate(fd, 2))
        bed.same(await u.readFile('f'), 'te')
        await bed.a.writeFile('g', 'text', 0o644)
        await bed.fails(u.truncate('g', 0), 'EACCES')
        await bed.works(bed.a.truncate('f', 0))
      },
      'root',
    ),
  ],
}
