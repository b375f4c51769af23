import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { DT, O, SEEK, S } from '../flags.js'
import type { DirectoryEntry } from '../agent/directory-calls.js'
import type { PosixAgent } from '../posix-agent.js'

/** The entries that are left, in small pieces. */
async function drain(a: PosixAgent, fd: number, size: number): Promise<DirectoryEntry[]> {
  const entries: DirectoryEntry[] = []
  for (let more = await a.getdents(fd, size); more.length > 0; more = await a.getdents(fd, size))
    entries.push(...more)
  return entries
}

const numbered = (prefix: string, first: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${first + index}`)

export const directoriesTheme: PosixTheme = {
  name: 'reading directories',
  scenes: [
    scene('finds each entry once, however small the pieces', async ({ a, same }) => {
      await a.mkdir('dir')
      await a.makeMany('dir/file-', 0, 500)
      const expected = ['.', '..', ...numbered('file-', 0, 500)].sort()
      for (const size of [64, 300, 4_096, 65_536]) {
        const fd = await a.open('dir', O.RDONLY | O.DIRECTORY)
        same((await drain(a, fd, size)).map(({ name }) => name).sort(), expected, `in pieces of ${size}`)
        same(await a.getdents(fd, size), [], 'and then it is at the end')
        await a.close(fd)
      }
    }),
    scene('tells the number of each file', async ({ a, same }) => {
      await a.mkdir('dir')
      await a.makeMany('dir/f', 0, 10)
      await a.mkdir('dir/sub')
      for (const { name, ino } of await a.list('dir')) same(ino, (await a.lstat(`dir/${name}`)).ino, name)
    }),
    scene(
      'tells the type of each file',
      async (bed) => {
        const { a, same } = bed
        await a.mkdir('dir')
        await a.writeFile('dir/file', '')
        await a.mkdir('dir/sub')
        await a.symlink('file', 'dir/link')
        const expected: Record<string, number> = {
          file: DT.REG,
          sub: DT.DIR,
          link: DT.LNK,
          '.': DT.DIR,
          '..': DT.DIR,
        }
        if (bed.has('fifos')) {
          await a.mknod('dir/fifo', S.IFIFO | 0o600)
          expected['fifo'] = DT.FIFO
        }
        if (bed.has('sockets')) {
          await a.mknod('dir/sock', S.IFSOCK | 0o600)
          expected['sock'] = DT.SOCK
        }
        if (bed.has('devices')) {
          await a.mknod('dir/char', S.IFCHR | 0o600, 1, 3)
          await a.mknod('dir/block', S.IFBLK | 0o600, 7, 0)
          expected['char'] = DT.CHR
          expected['block'] = DT.BLK
        }
        for (const { name, type } of await a.list('dir')) same(type, expected[name], name)
      },
      'entry-types',
    ),
    scene('starts again when rewound, and then sees what is new', async ({ a, same }) => {
      await a.mkdir('dir')
      await a.makeMany('dir/old-', 0, 5)
      const fd = await a.open('dir', O.RDONLY)
      same((await drain(a, fd, 4_096)).length, 7)
      await a.writeFile('dir/new', '')
      await a.unlink('dir/old-0')
      await a.lseek(fd, 0, SEEK.SET)
      same(
        (await drain(a, fd, 4_096)).map(({ name }) => name).sort(),
        ['.', '..', 'new', ...numbered('old-', 1, 4)].sort(),
      )
    }),
    scene('goes on where telldir was, as seekdir says', async ({ a, same }) => {
      await a.mkdir('dir')
      await a.makeMany('dir/f', 0, 200)
      const stream = await a.opendir('dir')
      const order: string[] = []
      const places: string[] = []
      for (;;) {
        places.push(await a.telldir(stream))
        const name = await a.readdir(stream)
        if (name === null) break
        order.push(name)
      }
      same(order.length, 202)
      same(new Set(order).size, 202)
      for (const index of [0, 1, 50, 201, 117, 3]) {
        await a.seekdir(stream, places[index] ?? '')
        same(await a.readdir(stream), order[index], `entry ${index}`)
        same(await a.readdir(stream), order[index + 1] ?? null)
      }
      await a.rewinddir(stream)
      same(await a.readdir(stream), order[0])
      await a.closedir(stream)
    }),
    scene('shows once what neither comes nor goes while others do', async ({ a, same }) => {
      await a.mkdir('dir')
      await a.makeMany('dir/stays-', 0, 150)
      await a.makeMany('dir/goes-', 0, 150)
      const fd = await a.open('dir', O.RDONLY)
      const seen: string[] = []
      for (let round = 0; ; round++) {
        const entries = await a.getdents(fd, 400)
        if (entries.length === 0) break
        seen.push(...entries.map(({ name }) => name))
        if (round < 30) {
          await a.unlinkMany('dir/goes-', 5 * round, 5)
          await a.makeMany('dir/comes-', 5 * round, 5)
        }
        if (round > 2_000) throw new Error('reading the directory does not end')
      }
      same(seen.filter((name) => name.startsWith('stays-')).sort(), numbered('stays-', 0, 150).sort())
      same(seen.filter((name) => name === '.' || name === '..').length, 2)
      same(seen.length, new Set(seen).size, 'nothing is seen twice')
    }),
    scene('can empty a directory as it goes', async ({ a, same, works }) => {
      await a.mkdir('dir')
      await a.makeMany('dir/f', 0, 300)
      const stream = await a.opendir('dir')
      let removed = 0
      for (let name = await a.readdir(stream); name !== null; name = await a.readdir(stream)) {
        if (name === '.' || name === '..') continue
        await a.unlink(`dir/${name}`)
        removed += 1
      }
      same(removed, 300)
      await works(a.rmdir('dir'))
    }),
    scene('keeps a place while entries before and behind it come and go', async ({ a, same }) => {
      await a.mkdir('dir')
      await a.makeMany('dir/stays-', 0, 100)
      const fd = await a.open('dir', O.RDONLY)
      const first = await a.getdents(fd, 1_000)
      const place = first.at(-1)?.next ?? ''
      const left = (await drain(a, fd, 1_000)).map(({ name }) => name)
      await a.makeMany('dir/new-', 0, 100)
      const before = first.map(({ name }) => name).filter((name) => name.startsWith('stays-'))
      for (const name of before) await a.unlink(`dir/${name}`)
      await a.seekTo(fd, place)
      const again = (await drain(a, fd, 1_000)).map(({ name }) => name)
      same(
        again.filter((name) => name.startsWith('stays-')).sort(),
        left.filter((name) => name.startsWith('stays-')).sort(),
      )
      same(new Set(again).size, again.length)
    }),
    scene('of one that was removed finds nothing', async ({ a, same }) => {
      await a.mkdir('dir')
      const fd = await a.open('dir', O.RDONLY)
      await a.rmdir('dir')
      const outcome = await a.getdents(fd, 4_096).then(
        (entries) => entries.map(({ name }) => name).filter((name) => name !== '.' && name !== '..'),
        (error: unknown) => (error as { readonly errno: string }).errno,
      )
      same(outcome === 'ENOENT' || outcome.length === 0, true, JSON.stringify(outcome))
      same((await a.fstat(fd)).nlink < 2, true)
    }),
    scene('refuses files, and rooms that are too small', async ({ a, fails }) => {
      await a.writeFile('f', '')
      await a.mkdir('dir')
      await fails(a.opendir('f'), 'ENOTDIR')
      await fails(a.opendir('missing'), 'ENOENT')
      await fails(a.opendir(''), 'ENOENT')
      await fails(a.getdents(await a.open('f', O.RDONLY), 4_096), 'ENOTDIR')
      await a.writeFile(`dir/${'n'.repeat(200)}`, '')
      const fd = await a.open('dir', O.RDONLY)
      await fails(a.getdents(fd, 8), 'EINVAL')
    }),
    scene('of many files finds them all', async ({ a, same }) => {
      await a.mkdir('dir')
      await a.makeMany('dir/some-longer-name-', 0, 3_000)
      const names = await a.names('dir')
      same(names.length, 3_000)
      same(new Set(names).size, 3_000)
      await a.unlinkMany('dir/some-longer-name-', 0, 3_000)
      same(await a.names('dir'), [])
      await a.rmdir('dir')
    }),
  ],
}
