import { alice, bob, scene, team } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'

export const chmodTheme: PosixTheme = {
  name: 'chmod',
  scenes: [
    scene(
      'sets every bit of files and directories',
      async ({ a, same }) => {
        await a.writeFile('f', '')
        await a.mkdir('dir')
        const fd = await a.open('f', O.RDONLY)
        for (const mode of [
          0, 0o1, 0o10, 0o100, 0o644, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o7777, 0o4000,
        ]) {
          await a.chmod('f', mode)
          same((await a.stat('f')).mode, S.IFREG | mode)
          await a.chmod('dir', mode)
          same((await a.stat('dir')).mode, S.IFDIR | mode)
        }
        await a.fchmod(fd, 0o751)
        same((await a.fstat(fd)).mode, S.IFREG | 0o751)
        same((await a.stat('f')).mode, S.IFREG | 0o751)
      },
      'root',
    ),
    scene('follows symbolic links', async ({ a, same }) => {
      await a.writeFile('f', '')
      await a.symlink('f', 'link')
      await a.chmod('link', 0o612)
      same((await a.stat('f')).mode, S.IFREG | 0o612)
      same((await a.lstat('link')).mode, S.IFLNK | 0o777)
    }),
    scene(
      'is for the owner and root: all others get EPERM',
      async (bed) => {
        const { a, fails, works, same } = bed
        const [u, other] = [await bed.agent(alice), await bed.agent(bob)]
        const member = await bed.agent({ ...bob, groups: [alice.gid] })
        await u.writeFile('f', '', 0o666)
        const fd = await other.open('f', O.RDWR)
        await fails(other.chmod('f', 0o777), 'EPERM')
        await fails(member.chmod('f', 0o777), 'EPERM')
        await fails(other.fchmod(fd, 0o777), 'EPERM')
        await fails(other.chmod('f', 0o666), 'EPERM')
        await works(u.chmod('f', 0o600))
        await works(a.chmod('f', 0o640))
        same((await a.stat('f')).mode, S.IFREG | 0o640)
      },
      'root',
    ),
    scene(
      'drops the set-group-id bit for an owner who is not of the group',
      async (bed) => {
        const { a, same } = bed
        const u = await bed.agent({ ...alice, groups: [team] })
        await a.writeFile('f', '')
        await a.mkdir('dir')
        for (const name of ['f', 'dir']) {
          await a.chown(name, alice.uid, 0)
          await u.chmod(name, 0o2755)
          same((await a.stat(name)).mode & 0o7777, 0o755, `${name} of a foreign group`)
          await u.chmod(name, 0o2644)
          same((await a.stat(name)).mode & 0o7777, 0o644)
          await u.chmod(name, 0o4755)
          same((await a.stat(name)).mode & 0o7777, 0o4755)
          await a.chown(name, alice.uid, team)
          await u.chmod(name, 0o2755)
          same((await a.stat(name)).mode & 0o7777, 0o2755, `${name} of a supplementary group`)
          await a.chown(name, alice.uid, alice.gid)
          await u.chmod(name, 0o6755)
          same((await a.stat(name)).mode & 0o7777, 0o6755, `${name} of the own group`)
          await a.chmod(name, 0o2755)
          same((await a.stat(name)).mode & 0o7777, 0o2755, `${name} by root`)
        }
      },
      'root',
    ),
    scene(
      'lets anybody set the sticky bit of an own file, as Linux does',
      async (bed) => {
        const u = await bed.agent(alice)
        await u.writeFile('f', '')
        await u.mkdir('dir')
        await u.chmod('f', 0o1644)
        await u.chmod('dir', 0o1777)
        bed.same((await u.stat('f')).mode & 0o7777, 0o1644)
        bed.same((await u.stat('dir')).mode & 0o7777, 0o1777)
      },
      'root',
    ),
  ],
}
