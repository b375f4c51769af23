import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O } from '../flags.js'

export const statfsTheme: PosixTheme = {
  name: 'statfs and the fields of stat',
  scenes: [
    scene('tell sizes that fit together', async ({ a, same, holds, fails }) => {
      await a.writeFile('f', '')
      const found = await a.statfs('f')
      holds(found.bsize > 0 && found.bsize <= 1 << 26, `blocks of ${found.bsize}`)
      holds(found.frsize > 0, `fragments of ${found.frsize}`)
      holds(found.blocks > 0, `${found.blocks} blocks`)
      holds(found.bfree <= found.blocks, 'no more is free than there is')
      holds(found.bavail <= found.bfree, 'no more is to be had than is free')
      holds(found.ffree <= found.files, 'no more files are free than there can be')
      same(found.namelen, 255)
      const { type, bsize, blocks, namelen } = await a.fstatfs(await a.open('f', O.RDONLY))
      same([type, bsize, blocks, namelen], [found.type, found.bsize, found.blocks, 255])
      await fails(a.statfs('missing'), 'ENOENT')
    }),
    scene('give each file a number of its own, and all one device', async ({ a, same }) => {
      const names = Array.from({ length: 20 }, (_, index) => `f${index}`)
      const inodes = new Set<number>()
      const { dev } = await a.stat('.')
      for (const name of names) {
        await a.writeFile(name, '')
        const found = await a.stat(name)
        inodes.add(found.ino)
        same(found.dev, dev)
      }
      same(inodes.size, 20)
      await a.mkdir('dir')
      same((await a.stat('dir')).dev, dev)
    }),
    scene(
      'count blocks as they are used',
      async ({ a, same, holds }) => {
        const fd = await a.open('f', O.RDWR | O.CREAT)
        same((await a.fstat(fd)).blocks, 0)
        await a.write(fd, 'x'.repeat(1_000_000))
        await a.fsync(fd)
        const { blocks, blksize } = await a.fstat(fd)
        holds(blocks * 512 >= 1_000_000, `${blocks} blocks for 1000000 bytes`)
        holds(blocks * 512 < 2_000_000, `${blocks} blocks for 1000000 bytes`)
        holds(blksize >= 512, `blksize ${blksize}`)
        await a.ftruncate(fd, 0)
        same((await a.fstat(fd)).blocks, 0)
      },
      'counts-blocks',
    ),
    scene('keep the number of a file as long as it lives', async ({ a, same }) => {
      await a.writeFile('f', '')
      const { ino } = await a.stat('f')
      await a.writeFile('f', 'x'.repeat(100_000))
      await a.chmod('f', 0o600)
      await a.rename('f', 'g')
      await a.truncate('g', 0)
      same((await a.stat('g')).ino, ino)
      await a.mkdir('dir')
      const dir = (await a.stat('dir')).ino
      await a.rename('g', 'dir/g')
      await a.rename('dir', 'dir2')
      same([(await a.stat('dir2')).ino, (await a.stat('dir2/g')).ino], [dir, ino])
    }),
  ],
}
