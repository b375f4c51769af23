import { scene } from '../bed.js'
import type { PosixBed, PosixTheme } from '../bed.js'
import { FALLOC, O, S, SEEK } from '../flags.js'
import type { PosixAgent } from '../posix-agent.js'

/** The two ways: what `a` does is seen by `b`, and the other way round. */
async function bothWays(
  bed: PosixBed,
  play: (doer: PosixAgent, seer: PosixAgent, prefix: string) => Promise<void>,
): Promise<void> {
  const b = await bed.across()
  await play(bed.a, b, 'one')
  await play(b, bed.a, 'two')
}

export const mountVisibilityTheme: PosixTheme = {
  name: 'what is done on one mount, on the other',
  scenes: [
    scene(
      'a file is there once it is made, and gone once it is removed',
      async (bed) => {
        const { same, fails } = bed
        await bothWays(bed, async (doer, seer, f) => {
          // Asked before, so that a memory of its absence would show.
          await fails(seer.stat(f), 'ENOENT')
          await doer.writeFile(f, 'text', 0o640)
          same(await seer.readFile(f), 'text')
          same((await seer.names('.')).includes(f), true)
          const [here, there] = [await doer.stat(f), await seer.stat(f)]
          same(
            [there.ino, there.mode, there.size, there.mtime, there.ctime, there.nlink],
            [here.ino, here.mode, here.size, here.mtime, here.ctime, here.nlink],
          )
          await seer.unlink(f)
          await fails(doer.stat(f), 'ENOENT')
          await fails(doer.open(f, O.RDONLY), 'ENOENT')
          same((await doer.names('.')).includes(f), false)
          await doer.writeFile(f, 'again')
          same(await seer.readFile(f), 'again')
        })
      },
      'coherent-mounts',
    ),
    scene(
      'what is written is read, when the file was closed between and when it was not',
      async (bed) => {
        const { same } = bed
        await bothWays(bed, async (doer, seer, f) => {
          await doer.writeFile(f, 'first')
          same(await seer.readFile(f), 'first')
          await doer.writeFile(f, 'second, longer')
          same(await seer.readFile(f), 'second, longer')
          const writing = await doer.open(f, O.RDWR)
          const reading = await seer.open(f, O.RDWR)
          for (let round = 0; round < 20; round++) {
            const text = `round ${String(round).padStart(2, '0')} of twenty`
            await doer.pwrite(writing, text, round * 300)
            same(await seer.pread(reading, text.length, round * 300), text)
            await seer.pwrite(reading, 'answer', round * 300)
            same(await doer.pread(writing, 8, round * 300), `answer${text.slice(6, 8)}`)
            same((await seer.fstat(reading)).size, (await doer.fstat(writing)).size)
          }
        })
      },
      'coherent-mounts',
    ),
    scene(
      'long writes over borders of blocks and pages are read whole',
      async (bed) => {
        const { same } = bed
        await bothWays(bed, async (doer, seer, f) => {
          const writing = await doer.open(f, O.RDWR | O.CREAT)
          const reading = await seer.open(f, O.RDONLY)
          for (const [offset, letter] of [
            [0, 'a'],
            [100_001, 'b'],
            [65_530, 'c'],
            [4_095, 'd'],
          ] as const) {
            const text = letter.repeat(200_000)
            await doer.pwrite(writing, text, offset)
            same((await seer.pread(reading, 200_000, offset)) === text, true, `${letter} at ${offset}`)
          }
          same((await seer.pread(reading, 400_000, 0)) === (await doer.pread(writing, 400_000, 0)), true)
        })
      },
      'coherent-mounts',
    ),
    scene(
      'a file that is cut or lengthened is so for all, even while it is open',
      async (bed) => {
        const { same } = bed
        await bothWays(bed, async (doer, seer, f) => {
          await doer.writeFile(f, 'x'.repeat(20_000))
          const reading = await seer.open(f, O.RDONLY)
          same((await seer.pread(reading, 30_000, 0)).length, 20_000)
          await doer.truncate(f, 5_000)
          same((await seer.fstat(reading)).size, 5_000)
          same((await seer.pread(reading, 30_000, 0)).length, 5_000)
          await doer.truncate(f, 10_000)
          same(await seer.pread(reading, 30_000, 4_999), `x${'\0'.repeat(5_000)}`)
          await doer.close(await doer.open(f, O.WRONLY | O.TRUNC))
          same(await seer.pread(reading, 10, 0), '')
          same(await seer.lseek(reading, 0, SEEK.END), 0)
          if (!bed.has('punch-hole')) return
          const fd = await doer.open(f, O.RDWR)
          await doer.pwrite(fd, 'y'.repeat(9_000), 0)
          same((await seer.pread(reading, 9_000, 0)).length, 9_000)
          await doer.fallocate(fd, FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE, 1_000, 5_000)
          same(
            await seer.pread(reading, 9_000, 0),
            `${'y'.repeat(1_000)}${'\0'.repeat(5_000)}${'y'.repeat(3_000)}`,
          )
        })
      },
      'coherent-mounts',
    ),
    scene(
      'names move at once',
      async (bed) => {
        const { same, fails } = bed
        await bothWays(bed, async (doer, seer, f) => {
          await doer.mkdir(`${f}-dir`)
          await doer.writeFile(f, 'text')
          same(await seer.readFile(f), 'text')
          await doer.rename(f, `${f}-dir/g`)
          await fails(seer.stat(f), 'ENOENT')
          same(await seer.readFile(`${f}-dir/g`), 'text')
          await seer.rename(`${f}-dir`, `${f}-moved`)
          await fails(doer.stat(`${f}-dir/g`), 'ENOENT')
          same(await doer.names(`${f}-moved`), ['g'])
          await doer.writeFile(f, 'replacing')
          await doer.rename(f, `${f}-moved/g`)
          same(await seer.readFile(`${f}-moved/g`), 'replacing')
          await seer.unlink(`${f}-moved/g`)
          await seer.rmdir(`${f}-moved`)
          await fails(doer.stat(`${f}-moved`), 'ENOENT')
          await fails(doer.rmdir(`${f}-moved`), 'ENOENT')
        })
      },
      'coherent-mounts',
    ),
    scene(
      'links, symbolic links and directories are seen, with their counts',
      async (bed) => {
        const { same, fails } = bed
        await bothWays(bed, async (doer, seer, f) => {
          await doer.writeFile(f, 'text')
          same((await seer.stat(f)).nlink, 1)
          if (bed.has('links')) {
            await doer.link(f, `${f}-link`)
            same((await seer.stat(f)).nlink, 2)
            await seer.unlink(f)
            same((await doer.stat(`${f}-link`)).nlink, 1)
          }
          await doer.symlink('first', `${f}-sym`)
          same(await seer.readlink(`${f}-sym`), 'first')
          await doer.unlink(`${f}-sym`)
          await doer.symlink('second', `${f}-sym`)
          same(await seer.readlink(`${f}-sym`), 'second')
          await doer.mkdir(`${f}-dir`)
          await fails(seer.mkdir(`${f}-dir`), 'EEXIST')
          await seer.writeFile(`${f}-dir/f`, '')
          await fails(doer.rmdir(`${f}-dir`), 'ENOTEMPTY', 'EEXIST')
          await seer.unlink(`${f}-dir/f`)
          await bed.works(doer.rmdir(`${f}-dir`))
        })
      },
      'coherent-mounts',
    ),
    scene(
      'modes, times and attributes are seen at once',
      async (bed) => {
        const { same } = bed
        await bothWays(bed, async (doer, seer, f) => {
          await doer.writeFile(f, 'text', 0o644)
          const fd = await seer.open(f, O.RDONLY)
          for (const mode of [0o600, 0o755, 0o444]) {
            await doer.chmod(f, mode)
            same((await seer.stat(f)).mode, S.IFREG | mode)
            same((await seer.fstat(fd)).mode, S.IFREG | mode)
          }
          await doer.utimensat(f, { s: 111, ns: 222 }, { s: 333, ns: 444 })
          same((await seer.stat(f)).mtime, { s: 333, ns: 444 })
          same((await seer.fstat(fd)).mtime, { s: 333, ns: 444 })
          if (bed.has('user-xattrs')) {
            await doer.setxattr(f, 'user.x', 'v')
            same(await seer.getxattr(f, 'user.x'), 'v')
            await doer.setxattr(f, 'user.x', 'w')
            same(await seer.fgetxattr(fd, 'user.x'), 'w')
            await doer.removexattr(f, 'user.x')
            await bed.fails(seer.getxattr(f, 'user.x'), 'ENODATA')
          }
          if (!bed.has('root')) return
          await doer.chown(f, 5, 6)
          same([(await seer.stat(f)).uid, (await seer.fstat(fd)).gid], [5, 6])
        })
      },
      'coherent-mounts',
    ),
    scene(
      'a file removed on one is kept by who has it open on the other',
      async (bed) => {
        const { same, fails } = bed
        await bothWays(bed, async (doer, seer, f) => {
          await seer.writeFile(f, 'text')
          const fd = await seer.open(f, O.RDWR)
          await doer.unlink(f)
          await fails(seer.stat(f), 'ENOENT')
          same(await seer.pread(fd, 9, 0), 'text')
          same(await seer.pwrite(fd, ' more', 4), 5)
          same(await seer.pread(fd, 20, 0), 'text more')
          same((await seer.fstat(fd)).nlink, 0)
          await doer.writeFile(f, 'new')
          same(await seer.pread(fd, 20, 0), 'text more')
          await doer.writeFile(`${f}-by`, 'replacing')
          const replaced = await seer.open(f, O.RDONLY)
          await doer.rename(`${f}-by`, f)
          same(await seer.read(replaced, 9), 'new')
          same(await seer.readFile(f), 'replacing')
        })
      },
      'unlinked-across-mounts',
    ),
    scene(
      'neither names nor links go from one mount to the other, though both are of one file system',
      async (bed) => {
        const { a, fails, same } = bed
        const b = await bed.across()
        await a.writeFile('f', '')
        const there = `${await b.getcwd()}/g`
        await fails(a.link('f', there), 'EXDEV')
        await fails(a.rename('f', there), 'EXDEV')
        same(await b.names('.'), ['f'])
      },
    ),
  ],
}
