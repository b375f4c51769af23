import { rest } from '../checks.js'
import { scene } from '../bed.js'
import type { PosixBed, PosixTheme } from '../bed.js'
import type { Time } from '../agent/stat-calls.js'
import { O, PROT, MAP, MS, S } from '../flags.js'

/** Longer than the clock by which kernels stamp files takes for one step. */
const stepMs = 12

/** Long ago, so that relatime lets a read change it. */
const old: Time = { s: 1_000_000_000, ns: 0 }

/**
 * Which times of which paths an action changes: `m`, `c` and `a`. With `?` behind it, a time may be changed or not: the
 * standard leaves it open, or the mount may (noatime, relatime).
 */
async function changes(
  bed: PosixBed,
  expected: Readonly<Record<string, string>>,
  action: () => Promise<unknown>,
): Promise<void> {
  const { a, same } = bed
  for (const path of Object.keys(expected)) await a.utimensat(path, old, old, 0x100)
  const before = new Map<string, Time>()
  for (const path of Object.keys(expected)) before.set(path, (await a.lstat(path)).ctime)
  await rest(stepMs)
  await action()
  for (const [path, which] of Object.entries(expected)) {
    const { atime, mtime, ctime } = await a.lstat(path)
    const changed = {
      a: atime.s !== old.s,
      m: mtime.s !== old.s,
      c: JSON.stringify(ctime) !== JSON.stringify(before.get(path)),
    }
    for (const time of ['a', 'm', 'c'] as const) {
      if (which.includes(`${time}?`)) continue
      same(changed[time], which.includes(time), `whether ${time}time of ${path} changes`)
    }
  }
}

export const timestampsTheme: PosixTheme = {
  name: 'times',
  scenes: [
    scene('of a new file are now, and its directory is marked', async (bed) => {
      const { a, holds } = bed
      await a.mkdir('dir')
      const made = async (path: string, make: () => Promise<unknown>): Promise<void> => {
        const from = Date.now()
        await changes(bed, { dir: 'mc' }, make)
        const { atime, mtime, ctime } = await a.lstat(path)
        for (const { s, ns } of [atime, mtime, ctime]) {
          const ms = s * 1_000 + ns / 1e6
          // Kernels stamp by a clock of some milliseconds; other machines' clocks are not ours to the millisecond.
          holds(ms > from - 2_000 && ms < Date.now() + 2_000, `${path} is of ${ms}, made at ${from}`)
        }
      }
      await made('dir/f', () => a.writeFile('dir/f', ''))
      await made('dir/sub', () => a.mkdir('dir/sub'))
      await made('dir/link', () => a.symlink('f', 'dir/link'))
      await made('dir/node', () => a.mknod('dir/node', S.IFREG | 0o600))
      if (bed.has('fifos')) await made('dir/fifo', () => a.mknod('dir/fifo', S.IFIFO | 0o600))
    }),
    scene('of a file change when it is written: mtime and ctime', async (bed) => {
      const { a } = bed
      await a.writeFile('f', 'text')
      const fd = await a.open('f', O.RDWR)
      await changes(bed, { f: 'mc' }, () => a.write(fd, 'T'))
      await changes(bed, { f: 'mc' }, () => a.pwrite(fd, 'T', 0))
      await changes(bed, { f: 'mc' }, () => a.pwrite(fd, 'T', 9_999))
      await changes(bed, { f: 'mc' }, () => a.truncate('f', 2))
      await changes(bed, { f: 'mc' }, () => a.ftruncate(fd, 20))
      await changes(bed, { f: 'mc' }, () => a.ftruncate(fd, 0))
      await changes(bed, { f: 'mc' }, () => a.open('f', O.WRONLY | O.TRUNC))
      await a.write(fd, 'some')
      await changes(bed, { f: 'mc' }, () => a.open('f', O.WRONLY | O.TRUNC))
      await changes(bed, { f: '' }, () => a.write(fd, ''))
      await changes(bed, { f: '' }, () => a.open('f', O.RDWR | O.CREAT))
      await changes(bed, { f: 'a?' }, () => a.pread(fd, 0, 0))
    }),
    scene('of a file change when it is read: at most atime', async (bed) => {
      const { a } = bed
      await a.writeFile('f', 'text')
      await a.mkdir('dir')
      await a.symlink('f', 'link')
      const fd = await a.open('f', O.RDONLY)
      await changes(bed, { f: 'a?' }, () => a.read(fd, 4))
      await changes(bed, { f: 'a?' }, () => a.pread(fd, 4, 0))
      await changes(bed, { dir: 'a?' }, () => a.list('dir'))
      await changes(bed, { link: 'a?', f: '' }, () => a.readlink('link'))
      await changes(bed, { f: '', dir: '' }, async () => {
        await a.stat('f')
        await a.access('f', 4)
        await a.lseek(fd, 0, 0)
        await a.stat('dir/.')
      })
    }),
    scene('of a file change with what is known of it: ctime', async (bed) => {
      const { a } = bed
      await a.writeFile('f', 'text')
      await a.mkdir('dir')
      const fd = await a.open('f', O.RDWR)
      await changes(bed, { f: 'c' }, () => a.chmod('f', 0o600))
      await changes(bed, { f: 'c' }, () => a.chmod('f', 0o600))
      await changes(bed, { f: 'c' }, () => a.fchmod(fd, 0o640))
      await changes(bed, { dir: 'c' }, () => a.chmod('dir', 0o700))
      if (bed.has('root')) {
        await changes(bed, { f: 'c' }, () => a.chown('f', 5, 6))
        await changes(bed, { f: 'c' }, () => a.chown('f', 5, 6))
        await changes(bed, { f: 'c' }, () => a.fchown(fd, 7, 8))
        await a.symlink('f', 'link')
        await changes(bed, { f: '', link: 'c' }, () => a.lchown('link', 1, 2))
      }
      if (bed.has('user-xattrs')) {
        await changes(bed, { f: 'c' }, () => a.setxattr('f', 'user.x', 'v'))
        await changes(bed, { f: '' }, () => a.getxattr('f', 'user.x'))
        await changes(bed, { f: 'c' }, () => a.removexattr('f', 'user.x'))
        await changes(bed, { dir: 'c' }, () => a.setxattr('dir', 'user.x', 'v'))
      }
      if (bed.has('links')) await changes(bed, { f: 'c', dir: 'mc' }, () => a.link('f', 'dir/g'))
      if (bed.has('links')) await changes(bed, { f: 'c', dir: 'mc' }, () => a.unlink('dir/g'))
    }),
    scene('of directories change with the names in them: mtime and ctime', async (bed) => {
      const { a } = bed
      await a.mkdir('one')
      await a.mkdir('two')
      await a.writeFile('one/f', '')
      await a.mkdir('one/dir')
      await changes(bed, { one: 'mc', two: 'mc', 'one/dir': '' }, () => a.rename('one/f', 'two/f'))
      await changes(bed, { two: 'mc', one: '' }, () => a.rename('two/f', 'two/g'))
      await changes(bed, { one: 'mc', two: 'mc' }, () => a.rename('one/dir', 'two/dir'))
      await changes(bed, { two: 'mc' }, () => a.unlink('two/g'))
      await changes(bed, { two: 'mc' }, () => a.rmdir('two/dir'))
      await a.writeFile('one/f', '')
      await changes(bed, { one: '' }, () => a.writeFile('one/f', 'text'))
      await a.writeFile('one/g', '')
      await changes(bed, { one: 'mc' }, () => a.rename('one/g', 'one/f'))
    }),
    scene('are left by calls that fail', async (bed) => {
      const { a, fails } = bed
      await a.mkdir('dir')
      await a.mkdir('dir/sub')
      await a.writeFile('dir/f', '')
      await changes(bed, { dir: '', 'dir/f': '', 'dir/sub': '' }, async () => {
        await fails(a.mkdir('dir/f'), 'EEXIST')
        await fails(a.unlink('dir/missing'), 'ENOENT')
        await fails(a.unlink('dir/sub'), 'EISDIR')
        await fails(a.rmdir('dir/f'), 'ENOTDIR')
        await fails(a.symlink('t', 'dir/f'), 'EEXIST')
        await fails(a.rename('dir/f', 'dir/sub'), 'EISDIR')
        await fails(a.rename('dir', 'dir/sub/x'), 'EINVAL')
        await fails(a.open('dir/f', O.WRONLY | O.CREAT | O.EXCL), 'EEXIST')
        await fails(a.truncate('dir/f', -1), 'EINVAL')
      })
    }),
    scene(
      'of a file that is written through memory change by msync at the latest',
      async (bed) => {
        const { a } = bed
        await a.writeFile('f', 'x'.repeat(4096))
        const map = await a.mmap(await a.open('f', O.RDWR), 4096, PROT.READ | PROT.WRITE, MAP.SHARED)
        await changes(bed, { f: 'mca?' }, async () => {
          await a.poke(map, 0, 'y')
          await a.msync(map, MS.SYNC)
        })
      },
      'shared-mappings',
      'mappings-mark-times',
    ),
    scene('never go back as a file changes', async ({ a, holds }) => {
      await a.writeFile('f', '')
      const fd = await a.open('f', O.RDWR)
      let last = 0n
      for (let i = 0; i < 30; i++) {
        await a.pwrite(fd, `${i}`, 0)
        const { mtime, ctime } = await a.fstat(fd)
        const now = BigInt(mtime.s) * 1_000_000_000n + BigInt(mtime.ns)
        holds(now >= last, `mtime went back to ${now} from ${last}`)
        holds(mtime.s === ctime.s && mtime.ns === ctime.ns, 'a write marks both times alike')
        last = now
      }
    }),
  ],
}
