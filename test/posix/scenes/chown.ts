import { alice, bob, scene, team } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O } from '../flags.js'
import type { PosixAgent } from '../posix-agent.js'

async function owners(a: PosixAgent, path: string): Promise<[number, number]> {
  const { uid, gid } = await a.lstat(path)
  return [uid, gid]
}

export const chownTheme: PosixTheme = {
  name: 'chown',
  scenes: [
    scene(
      'lets root give anything to anybody, and leaves ids of -1',
      async ({ a, same }) => {
        await a.writeFile('f', '')
        await a.chown('f', 123, 456)
        same(await owners(a, 'f'), [123, 456])
        await a.chown('f', -1, 789)
        same(await owners(a, 'f'), [123, 789])
        await a.chown('f', 321, -1)
        same(await owners(a, 'f'), [321, 789])
        await a.chown('f', -1, -1)
        same(await owners(a, 'f'), [321, 789])
        await a.fchown(await a.open('f', O.RDONLY), 1, 2)
        same(await owners(a, 'f'), [1, 2])
        await a.chown('f', 0xffff_fffe - 1, 0x7fff_ffff)
        same(await owners(a, 'f'), [0xffff_fffe - 1, 0x7fff_ffff], 'ids have 32 bits')
      },
      'root',
    ),
    scene(
      'follows symbolic links, and lchown does not',
      async ({ a, same, fails, works }) => {
        await a.writeFile('f', '')
        await a.symlink('f', 'link')
        await a.symlink('nowhere', 'dangling')
        await a.chown('link', 11, 12)
        same(
          [await owners(a, 'f'), await owners(a, 'link')],
          [
            [11, 12],
            [0, 0],
          ],
        )
        await a.lchown('link', 13, 14)
        same(
          [await owners(a, 'f'), await owners(a, 'link')],
          [
            [11, 12],
            [13, 14],
          ],
        )
        await fails(a.chown('dangling', 1, 1), 'ENOENT')
        await works(a.lchown('dangling', 1, 2))
        same(await owners(a, 'dangling'), [1, 2])
      },
      'root',
    ),
    scene(
      'lets owners change the group to one of theirs, and nothing else',
      async (bed) => {
        const { a, same, fails, works } = bed
        const u = await bed.agent({ ...alice, groups: [team] })
        await u.writeFile('f', '')
        const fd = await u.open('f', O.RDONLY)
        await works(u.chown('f', -1, team))
        same(await owners(a, 'f'), [alice.uid, team])
        await works(u.chown('f', alice.uid, alice.gid))
        same(await owners(a, 'f'), [alice.uid, alice.gid])
        await works(u.fchown(fd, -1, team))
        await fails(u.chown('f', -1, bob.gid), 'EPERM')
        await fails(u.chown('f', bob.uid, -1), 'EPERM')
        await fails(u.chown('f', bob.uid, alice.gid), 'EPERM')
        await fails(u.chown('f', 0, 0), 'EPERM')
        await fails(u.fchown(fd, bob.uid, -1), 'EPERM')
        await fails(u.fchown(fd, -1, 0), 'EPERM')
        same(await owners(a, 'f'), [alice.uid, team])
        await u.symlink('f', 'link')
        await works(u.lchown('link', -1, team))
        await fails(u.lchown('link', bob.uid, -1), 'EPERM')
        same(await owners(a, 'link'), [alice.uid, team])
      },
      'root',
    ),
    scene(
      'is not for those who do not own the file, whatever the mode',
      async (bed) => {
        const u = await bed.agent({ ...alice, groups: [team, 0] })
        await bed.a.writeFile('f', '', 0o777)
        await bed.fails(u.chown('f', alice.uid, -1), 'EPERM')
        await bed.fails(u.chown('f', -1, alice.gid), 'EPERM')
        await bed.fails(u.chown('f', -1, team), 'EPERM')
        await bed.fails(u.chown('f', -1, 0), 'EPERM')
        await bed.fails(u.fchown(await u.open('f', O.RDWR), alice.uid, -1), 'EPERM')
        bed.same(await owners(bed.a, 'f'), [0, 0])
      },
      'root',
    ),
    scene(
      "makes new files the caller's, with the effective ids",
      async (bed) => {
        const u = await bed.agent(alice)
        await u.writeFile('f', '')
        await u.mkdir('dir')
        await u.symlink('t', 'link')
        for (const name of ['f', 'dir', 'link']) bed.same(await owners(bed.a, name), [alice.uid, alice.gid])
        await bed.a.chown('f', bob.uid, bob.gid)
        await u.unlink('f')
        await bed.a.becomeEffectively(bob.uid)
        await bed.a.writeFile('g', '')
        bed.same(await owners(bed.a, 'g'), [bob.uid, 0])
      },
      'root',
    ),
  ],
}
