import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { AT, O, SEEK } from '../flags.js'

/** `won`, or the errno. */
function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'won',
    (error: unknown) => (error as { readonly errno?: string }).errno ?? 'failed',
  )
}

export const mountSharingTheme: PosixTheme = {
  name: 'two mounts that share everything',
  scenes: [
    scene(
      'lose no byte when both write to the same blocks, each to its own bytes',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        await a.writeFile('f', '.'.repeat(6_000))
        await Promise.all([a.stripe('f', 'a', 0, 3, 2_000), b.stripe('f', 'b', 1, 3, 2_000)])
        for (const reader of [a, b]) same((await reader.readFile('f')) === 'ab.'.repeat(2_000), true)
      },
      'coherent-mounts',
    ),
    scene(
      'see the data before the sign that it is there',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        for (let round = 0; round < 15; round++) {
          const seeing = b.await(`sign-${round}`, 200_000)
          await a.writeFile(`data-${round}`, `data of round ${round}`)
          await a.makeMany('sign-', round, 1)
          await seeing
          same(await b.readFile(`data-${round}`), `data of round ${round}`)
        }
      },
      'coherent-mounts',
    ),
    scene(
      'let one win who makes a directory, removes a file or moves it',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        const race = async (
          first: () => Promise<unknown>,
          second: () => Promise<unknown>,
          loses: string,
        ): Promise<void> => {
          const outcomes = await Promise.all([outcome(first()), outcome(second())])
          same(outcomes.sort(), [loses, 'won'].sort())
        }
        for (let round = 0; round < 15; round++) {
          const [dir, file] = [`dir-${round}`, `file-${round}`]
          await race(
            () => a.mkdir(dir),
            () => b.mkdir(dir),
            'EEXIST',
          )
          await race(
            () => a.rmdir(dir),
            () => b.rmdir(dir),
            'ENOENT',
          )
          await a.writeFile(file, '')
          await race(
            () => a.unlink(file),
            () => b.unlink(file),
            'ENOENT',
          )
          await a.writeFile(file, '')
          await race(
            () => a.rename(file, `${file}-a`),
            () => b.rename(file, `${file}-b`),
            'ENOENT',
          )
          await race(
            () => a.symlink('a', dir),
            () => b.symlink('b', dir),
            'EEXIST',
          )
        }
        same((await a.names('.')).length, 30)
        same(await a.names('.'), await b.names('.'))
      },
      'coherent-mounts',
    ),
    scene(
      'never leave a directory that is removed with something in it',
      async (bed) => {
        const { a, holds } = bed
        const b = await bed.across()
        for (let round = 0; round < 15; round++) {
          const dir = `dir-${round}`
          await a.mkdir(dir)
          const [made, removed] = await Promise.all([
            outcome(a.open(`${dir}/f`, O.WRONLY | O.CREAT)),
            outcome(b.rmdir(dir)),
          ])
          const fits =
            (made === 'won' && (removed === 'ENOTEMPTY' || removed === 'EEXIST')) ||
            (made === 'ENOENT' && removed === 'won')
          holds(fits, `making: ${made}, removing: ${removed}`)
        }
      },
      'coherent-mounts',
    ),
    scene(
      'never make a circle of directories that are moved into each other',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        for (let round = 0; round < 15; round++) {
          const [x, y] = [`x-${round}`, `y-${round}`]
          await a.mkdir(x)
          await a.mkdir(y)
          const outcomes = await Promise.all([
            outcome(a.rename(x, `${y}/inner`)),
            outcome(b.rename(y, `${x}/inner`)),
          ])
          same(outcomes.filter((each) => each === 'won').length, 1, JSON.stringify(outcomes))
          same((await a.names('.')).length, round + 1)
        }
      },
      'coherent-mounts',
    ),
    scene(
      'refuse at once what the other has forbidden',
      async (bed) => {
        const { a, works, fails } = bed
        const u = await bed.across(alice)
        await a.mkdir('dir', 0o755)
        await a.writeFile('dir/f', 'text', 0o644)
        await works(u.open('dir/f', O.RDONLY))
        await a.chmod('dir/f', 0o600)
        await fails(u.open('dir/f', O.RDONLY), 'EACCES')
        await fails(u.access('dir/f', 4), 'EACCES')
        await a.chown('dir/f', alice.uid, alice.gid)
        await works(u.open('dir/f', O.RDWR))
        await a.chmod('dir', 0o700)
        await fails(u.stat('dir/f'), 'EACCES')
        await a.chmod('dir', 0o755)
        await works(u.stat('dir/f'))
        await fails(u.unlink('dir/f'), 'EACCES')
        await a.chmod('dir', 0o777)
        await works(u.unlink('dir/f'))
        await fails(a.stat('dir/f'), 'ENOENT')
      },
      'coherent-mounts',
      'root',
    ),
    scene(
      'keep descriptors, directories and places valid across what the other does',
      async (bed) => {
        const { a, same, fails } = bed
        const b = await bed.across()
        await a.mkdir('dir')
        await a.writeFile('dir/f', 'text')
        const fd = await b.open('dir/f', O.RDWR)
        const dir = await b.open('dir', O.RDONLY)
        await b.chdir('dir')
        await a.rename('dir', 'moved')
        await a.rename('moved/f', 'moved/g')
        same(await b.pread(fd, 9, 0), 'text')
        same(await b.readFile('g'), 'text')
        same(await b.read(await b.openat(dir, 'g', O.RDONLY), 9), 'text')
        await fails(b.stat('f'), 'ENOENT')
        await b.pwrite(fd, 'T', 0)
        same(await a.readFile('moved/g'), 'Text')
        await a.unlink('moved/g')
        await a.rmdir('moved')
        await fails(b.writeFile('new', ''), 'ENOENT')
        same((await b.fstat(fd)).nlink, 0)
      },
      'coherent-mounts',
      'unlinked-across-mounts',
    ),
    scene(
      'go through a directory that the other changes, and see once what stays',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        await a.mkdir('dir')
        await a.makeMany('dir/stays-', 0, 120)
        await a.makeMany('dir/goes-', 0, 120)
        const stream = await b.opendir('dir')
        const seen: string[] = []
        for (let name = await b.readdir(stream); name !== null; name = await b.readdir(stream)) {
          seen.push(name)
          if (seen.length % 10 !== 0 || seen.length > 100) continue
          await a.unlinkMany('dir/goes-', seen.length - 10, 10)
          await a.makeMany('dir/comes-', seen.length - 10, 10)
        }
        const stays = seen.filter((name) => name.startsWith('stays-'))
        same([stays.length, new Set(stays).size], [120, 120])
        same(new Set(seen).size, seen.length)
      },
      'coherent-mounts',
    ),
    scene(
      'see a file that gets its first name',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        const fd = await a.open('.', O.TMPFILE | O.RDWR)
        await a.write(fd, 'unnamed')
        same(await b.names('.'), [])
        await a.linkat(AT.FDCWD, `/proc/self/fd/${fd}`, AT.FDCWD, 'named', AT.SYMLINK_FOLLOW)
        same(await b.readFile('named'), 'unnamed')
      },
      'coherent-mounts',
      'unnamed-files',
    ),
    scene(
      'agree on the ends and holes of large files',
      async (bed) => {
        const { a, same } = bed
        const b = await bed.across()
        const [one, two] = [await a.open('f', O.RDWR | O.CREAT), await b.open('f', O.RDWR)]
        const far = 2 ** 40
        await a.pwrite(one, 'far', far)
        same(await b.lseek(two, 0, SEEK.END), far + 3)
        same(await b.pread(two, 10, far - 2), '\0\0far')
        await b.ftruncate(two, 10)
        same((await a.fstat(one)).size, 10)
      },
      'coherent-mounts',
      'sparse-terabytes',
    ),
  ],
}
