import { alice, bob, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import type { Time } from '../agent/stat-calls.js'
import { AT, O } from '../flags.js'

const [one, two]: readonly [Time, Time] = [
  { s: 1_234_567_890, ns: 123_456_789 },
  { s: 1_300_000_000, ns: 999_999_999 },
]

export const utimensatTheme: PosixTheme = {
  name: 'utimensat',
  scenes: [
    scene(
      'sets both times to the nanosecond',
      async ({ a, same }) => {
        await a.writeFile('f', '')
        await a.mkdir('dir')
        for (const path of ['f', 'dir']) {
          await a.utimensat(path, one, two)
          const { atime, mtime } = await a.stat(path)
          same([atime, mtime], [one, two])
        }
        await a.futimens(await a.open('f', O.RDONLY), two, one)
        const { atime, mtime } = await a.stat('f')
        same([atime, mtime], [two, one])
      },
      'nanoseconds',
    ),
    scene(
      'knows times before 1970 and after 2038',
      async ({ a, same }) => {
        await a.writeFile('f', '')
        for (const s of [0, -1, -86_400, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, 10_000_000_000]) {
          await a.utimensat('f', { s, ns: 5 }, { s, ns: 6 })
          const { atime, mtime } = await a.stat('f')
          same(
            [atime, mtime],
            [
              { s, ns: 5 },
              { s, ns: 6 },
            ],
          )
        }
      },
      'nanoseconds',
    ),
    scene('leaves a time with UTIME_OMIT, and takes the clock with UTIME_NOW', async ({ a, same, holds }) => {
      await a.writeFile('f', '')
      await a.utimensat('f', one, one)
      await a.utimensat('f', 'omit', two)
      same([(await a.stat('f')).atime.s, (await a.stat('f')).mtime.s], [one.s, two.s])
      await a.utimensat('f', two, 'omit')
      same([(await a.stat('f')).atime.s, (await a.stat('f')).mtime.s], [two.s, two.s])
      const { ctime } = await a.stat('f')
      await a.utimensat('f', 'omit', 'omit')
      same((await a.stat('f')).ctime, ctime)
      await a.utimensat('f', one, 'now')
      same((await a.stat('f')).atime.s, one.s)
      holds(Math.abs((await a.stat('f')).mtime.s - Date.now() / 1_000) < 5, 'mtime is now')
      await a.utimensat('f', one, one)
      await a.utimensat('f', null, null)
      const { atime, mtime } = await a.stat('f')
      holds(Math.abs(atime.s - Date.now() / 1_000) < 5, 'atime is now')
      holds(Math.abs(mtime.s - Date.now() / 1_000) < 5, 'mtime is now')
    }),
    scene('marks the change of status with the time of the clock', async ({ a, holds }) => {
      await a.writeFile('f', '')
      await a.utimensat('f', one, two)
      holds(Math.abs((await a.stat('f')).ctime.s - Date.now() / 1_000) < 5, 'ctime is now')
    }),
    scene('follows symbolic links, or not', async ({ a, same, fails }) => {
      await a.writeFile('f', '')
      await a.symlink('f', 'link')
      await a.symlink('nowhere', 'dangling')
      await a.utimensat('f', one, one)
      await a.utimensat('link', two, two, AT.SYMLINK_NOFOLLOW)
      same([(await a.stat('f')).mtime.s, (await a.lstat('link')).mtime.s], [one.s, two.s])
      await a.utimensat('link', { s: 5, ns: 0 }, { s: 6, ns: 0 })
      same([(await a.stat('f')).mtime.s, (await a.lstat('link')).mtime.s], [6, two.s])
      await fails(a.utimensat('dangling', one, one), 'ENOENT')
      await a.utimensat('dangling', one, one, AT.SYMLINK_NOFOLLOW)
      same((await a.lstat('dangling')).mtime.s, one.s)
    }),
    scene('refuses nanoseconds out of range, and unknown flags', async ({ a, fails }) => {
      await a.writeFile('f', '')
      for (const ns of [1_000_000_000, -1, 2_000_000_000]) {
        await fails(a.utimensat('f', { s: 1, ns }, one), 'EINVAL')
        await fails(a.utimensat('f', one, { s: 1, ns }), 'EINVAL')
      }
      await fails(a.utimensat('f', one, one, 0x8000), 'EINVAL')
    }),
    scene(
      'lets the owner set what it likes, even where it may not write',
      async (bed) => {
        const u = await bed.agent(alice)
        await u.writeFile('f', '', 0o400)
        await bed.works(u.utimensat('f', one, two))
        await bed.works(u.utimensat('f', 'now', 'omit'))
        await bed.works(u.utimensat('f', null, null))
        await bed.works(u.utimensat('f', 'now', 'now'))
        await bed.works(u.utimensat('f', 'omit', one))
        await u.chmod('f', 0)
        await bed.works(u.utimensat('f', one, two))
        bed.same((await u.stat('f')).mtime.s, two.s)
      },
      'root',
    ),
    scene(
      'lets who may write the file say "now" for both, and no more: EPERM',
      async (bed) => {
        const { fails, works } = bed
        const other = await bed.agent(bob)
        await bed.a.writeFile('f', '', 0o666)
        const fd = await other.open('f', O.RDWR)
        await works(other.utimensat('f', null, null))
        await works(other.utimensat('f', 'now', 'now'))
        await works(other.futimens(fd, null, null))
        await works(other.utimensat('f', 'omit', 'omit'))
        await fails(other.utimensat('f', one, two), 'EPERM')
        await fails(other.utimensat('f', 'now', 'omit'), 'EPERM')
        await fails(other.utimensat('f', 'omit', 'now'), 'EPERM')
        await fails(other.utimensat('f', 'omit', one), 'EPERM')
        await fails(other.utimensat('f', 'now', one), 'EPERM')
        await fails(other.futimens(fd, one, one), 'EPERM')
      },
      'root',
    ),
    scene(
      'refuses who may not write: EACCES for "now", EPERM for a time',
      async (bed) => {
        const { fails, works } = bed
        const other = await bed.agent(bob)
        await bed.a.writeFile('f', '', 0o644)
        await fails(other.utimensat('f', null, null), 'EACCES')
        await fails(other.utimensat('f', 'now', 'now'), 'EACCES')
        await fails(other.utimensat('f', one, two), 'EPERM')
        await fails(other.utimensat('f', 'now', one), 'EPERM')
        await fails(other.utimensat('f', 'now', 'omit'), 'EPERM')
        await works(other.utimensat('f', 'omit', 'omit'))
        await works(bed.a.utimensat('f', one, two))
      },
      'root',
    ),
  ],
}
