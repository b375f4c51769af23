import { alice, bob, root, scene, team } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import type { Identity } from '../agent/process-calls.js'
import { AT, O, OK } from '../flags.js'

/** Who somebody is to a file of alice and the team, and where in the mode the bits for that are. */
const classes: readonly { readonly name: string; readonly who: Identity; readonly shift: number }[] = [
  { name: 'the owner', who: alice, shift: 6 },
  { name: 'the owner, who is of the group too', who: { ...alice, groups: [team] }, shift: 6 },
  { name: 'the group', who: { ...bob, gid: team }, shift: 3 },
  { name: 'a supplementary group', who: { ...bob, groups: [77, team, 78] }, shift: 3 },
  { name: 'all others', who: bob, shift: 0 },
]

const [readBit, writeBit, searchBit] = [4, 2, 1] as const

export const permissionsTheme: PosixTheme = {
  name: 'permissions',
  scenes: [
    ...classes.flatMap(({ name, who, shift }) => [
      scene(
        `of files are, for ${name}, those bits of the mode alone`,
        async (bed) => {
          const { a, works, fails } = bed
          const u = await bed.agent(who)
          await a.writeFile('f', 'x')
          await a.chown('f', alice.uid, team)
          for (let bits = 0; bits < 8; bits++) {
            // Nobody else's bits are the same, so that taking the wrong ones is seen.
            await a.chmod('f', (0o777 & ~(7 << shift)) | (bits << shift))
            const judge = (call: Promise<unknown>, needed: number): Promise<unknown> =>
              (bits & needed) === needed ? works(call) : fails(call, 'EACCES')
            await judge(u.open('f', O.RDONLY), readBit)
            await judge(u.open('f', O.WRONLY), writeBit)
            await judge(u.open('f', O.RDWR), readBit | writeBit)
            await judge(u.truncate('f', 1), writeBit)
            for (const mode of [OK.R, OK.W, OK.X, OK.R | OK.W, OK.R | OK.W | OK.X]) {
              await judge(u.access('f', mode), mode)
            }
            await works(u.access('f', OK.F))
            await works(u.stat('f'))
          }
        },
        'root',
      ),
      scene(
        `of directories are, for ${name}, to list, to change and to search`,
        async (bed) => {
          const { a, works, fails } = bed
          const u = await bed.agent(who)
          await a.mkdir('dir')
          await a.writeFile('dir/f', 'x', 0o666)
          await a.chown('dir', alice.uid, team)
          const top = await u.open('.', O.PATH)
          for (let bits = 0; bits < 8; bits++) {
            await a.chmod('dir', (0o777 & ~(7 << shift)) | (bits << shift))
            const judge = (call: Promise<unknown>, needed: number): Promise<unknown> =>
              (bits & needed) === needed ? works(call) : fails(call, 'EACCES')
            await judge(u.list('dir'), readBit)
            await judge(u.open('dir', O.RDONLY), readBit)
            await judge(u.stat('dir/f'), searchBit)
            await judge(u.open('dir/f', O.RDONLY), searchBit)
            await judge(u.chdir('dir'), searchBit)
            await u.fchdir(top)
            await judge(u.open('dir/new', O.WRONLY | O.CREAT), writeBit | searchBit)
            await judge(u.mkdir('dir/sub'), writeBit | searchBit)
            await judge(u.rename('dir/f', 'dir/g'), writeBit | searchBit)
            if ((bits & 3) === 3) {
              await works(u.rename('dir/g', 'dir/f'))
              await works(u.unlink('dir/new'))
              await works(u.rmdir('dir/sub'))
            }
          }
        },
        'root',
      ),
    ]),
    scene(
      'do not bind root, except that nobody executes what is no program',
      async ({ a, works, fails }) => {
        await a.writeFile('f', 'x')
        await a.mkdir('dir')
        await a.writeFile('dir/f', 'x')
        await a.chown('f', alice.uid, alice.gid)
        await a.chown('dir', alice.uid, alice.gid)
        await a.chmod('f', 0)
        await a.chmod('dir', 0)
        await works(a.open('f', O.RDWR))
        await works(a.access('f', OK.R | OK.W))
        await fails(a.access('f', OK.X), 'EACCES')
        await works(a.stat('dir/f'))
        await works(a.list('dir'))
        await works(a.writeFile('dir/g', ''))
        await works(a.access('dir', OK.R | OK.W | OK.X))
        for (const mode of [0o100, 0o010, 0o001]) {
          await a.chmod('f', mode)
          await works(a.access('f', OK.X))
        }
      },
      'root',
    ),
    scene(
      'are asked by access for the real user, and by AT_EACCESS for the effective one',
      async (bed) => {
        const { a, works, fails } = bed
        await a.writeFile('f', 'x', 0o600)
        await a.mkdir('dir', 0o700)
        await a.writeFile('dir/f', 'x', 0o666)
        await a.becomeEffectively(alice.uid)
        await works(a.access('f', OK.R | OK.W))
        await fails(a.faccessat(AT.FDCWD, 'f', OK.R, AT.EACCESS), 'EACCES')
        await works(a.faccessat(AT.FDCWD, 'f', OK.R, 0))
        await fails(a.open('f', O.RDONLY), 'EACCES')
        await a.become(root)
        await fails(a.access('f', 8), 'EINVAL')
        await fails(a.faccessat(AT.FDCWD, 'f', OK.R, 0x8000), 'EINVAL')
        await fails(a.faccessat(999, 'f', OK.R, 0), 'EBADF')
        await fails(a.access('missing', OK.F), 'ENOENT')
      },
      'root',
    ),
    scene(
      'change at once for who has the file not open yet',
      async (bed) => {
        const u = await bed.agent(bob)
        await bed.a.writeFile('f', 'x', 0o644)
        await bed.works(u.open('f', O.RDONLY))
        await bed.a.chmod('f', 0o600)
        await bed.fails(u.open('f', O.RDONLY), 'EACCES')
        await bed.a.chown('f', bob.uid, -1)
        await bed.works(u.open('f', O.RDWR))
        await bed.a.mkdir('dir', 0o755)
        await bed.a.writeFile('dir/f', 'x', 0o644)
        await bed.works(u.stat('dir/f'))
        await bed.a.chmod('dir', 0o700)
        await bed.fails(u.stat('dir/f'), 'EACCES')
        await bed.a.chmod('dir', 0o755)
        await bed.works(u.stat('dir/f'))
      },
      'root',
    ),
    scene(
      'of a group are those of the groups that the caller has now',
      async (bed) => {
        const u = await bed.agent({ ...bob, groups: [team] })
        await bed.a.writeFile('f', 'x', 0o640)
        await bed.a.chown('f', 0, team)
        await bed.works(u.open('f', O.RDONLY))
        await u.become(bob)
        await bed.fails(u.open('f', O.RDONLY), 'EACCES')
        await u.become({ ...bob, groups: [team] })
        await bed.works(u.open('f', O.RDONLY))
      },
      'root',
    ),
  ],
}
