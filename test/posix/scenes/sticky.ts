import { alice, bob, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { RENAME } from '../flags.js'

export const stickyTheme: PosixTheme = {
  name: 'sticky directories',
  scenes: [
    scene(
      'keep strangers from removing and moving what is not theirs',
      async (bed) => {
        const { a, fails, works, same } = bed
        const [u, other] = [await bed.agent(alice), await bed.agent(bob)]
        await a.mkdir('sticky', 0o777)
        await a.chmod('sticky', 0o1777)
        await a.mkdir('free', 0o777)
        await u.writeFile('sticky/f', 'alice', 0o666)
        await u.mkdir('sticky/dir', 0o777)
        await u.symlink('t', 'sticky/link')
        await other.writeFile('sticky/own', 'bob')
        await other.writeFile('free/own', 'bob')
        for (const name of ['f', 'link']) {
          await fails(other.unlink(`sticky/${name}`), 'EPERM')
          await fails(other.rename(`sticky/${name}`, 'sticky/new'), 'EPERM')
          await fails(other.rename(`sticky/${name}`, 'free/new'), 'EPERM')
          await fails(other.rename('sticky/own', `sticky/${name}`), 'EPERM')
          await fails(other.rename('free/own', `sticky/${name}`), 'EPERM')
          if (bed.has('rename-exchange')) {
            await fails(other.renameat2('sticky/own', `sticky/${name}`, RENAME.EXCHANGE), 'EPERM')
          }
        }
        await fails(other.rmdir('sticky/dir'), 'EPERM')
        await fails(other.rename('sticky/dir', 'sticky/new'), 'EPERM')
        await works(other.rename('sticky/own', 'sticky/renamed'))
        await works(other.rename('sticky/renamed', 'free/renamed'))
        await works(other.rename('free/own', 'sticky/own'))
        await works(other.unlink('sticky/own'))
        await works(u.unlink('sticky/f'))
        await works(u.rename('sticky/dir', 'sticky/dir2'))
        await works(u.rmdir('sticky/dir2'))
        same(await a.names('sticky'), ['link'])
      },
      'root',
    ),
    scene(
      'let their own owner remove everything, and root too',
      async (bed) => {
        const { a, works } = bed
        const [u, other] = [await bed.agent(alice), await bed.agent(bob)]
        await u.mkdir('sticky', 0o777)
        await u.chmod('sticky', 0o1777)
        for (const name of ['one', 'two', 'three']) await other.writeFile(`sticky/${name}`, '')
        await works(u.unlink('sticky/one'))
        await works(u.rename('sticky/two', 'sticky/moved'))
        await works(a.unlink('sticky/three'))
        await works(a.rename('sticky/moved', 'moved'))
      },
      'root',
    ),
    scene(
      'do not keep members of the group from anything without the bit',
      async (bed) => {
        const [u, other] = [await bed.agent(alice), await bed.agent(bob)]
        await bed.a.mkdir('dir', 0o777)
        await u.writeFile('dir/f', '', 0o600)
        await bed.works(other.rename('dir/f', 'dir/g'))
        await bed.works(other.unlink('dir/g'))
      },
      'root',
    ),
    scene(
      'do not stand in the way of writing files that allow it',
      async (bed) => {
        const [u, other] = [await bed.agent(alice), await bed.agent(bob)]
        await bed.a.mkdir('sticky')
        await bed.a.chmod('sticky', 0o1777)
        await u.writeFile('sticky/f', 'text', 0o666)
        await bed.works(other.truncate('sticky/f', 1))
        bed.same(await other.readFile('sticky/f'), 't')
      },
      'root',
    ),
  ],
}
