import { alice, bob, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S, XATTR } from '../flags.js'

export const xattrTheme: PosixTheme = {
  name: 'extended attributes',
  scenes: [
    scene(
      'are set, read, listed, replaced and removed',
      async ({ a, same, fails }) => {
        await a.writeFile('f', '')
        await a.mkdir('dir')
        for (const path of ['f', 'dir']) {
          const user = async (): Promise<string[]> =>
            (await a.listxattr(path)).filter((name) => name.startsWith('user.')).sort()
          same(await user(), [])
          await a.setxattr(path, 'user.one', 'first')
          await a.setxattr(path, 'user.two', '')
          await a.setxattr(path, 'user.\xff odd', '\0\xff\0')
          same(await a.getxattr(path, 'user.one'), 'first')
          same(await a.getxattr(path, 'user.two'), '')
          same(await a.getxattr(path, 'user.\xff odd'), '\0\xff\0')
          same(await user(), ['user.one', 'user.two', 'user.\xff odd'])
          await a.setxattr(path, 'user.one', 'longer than before')
          same(await a.getxattr(path, 'user.one'), 'longer than before')
          await a.removexattr(path, 'user.one')
          await fails(a.getxattr(path, 'user.one'), 'ENODATA')
          await fails(a.removexattr(path, 'user.one'), 'ENODATA')
          same(await user(), ['user.two', 'user.\xff odd'])
        }
      },
      'user-xattrs',
    ),
    scene(
      'are the same by path and by descriptor, and by every name',
      async ({ a, same }) => {
        await a.writeFile('f', '')
        await a.link('f', 'g')
        await a.symlink('f', 'link')
        const fd = await a.open('f', O.RDONLY)
        await a.setxattr('g', 'user.x', 'v')
        same(await a.fgetxattr(fd, 'user.x'), 'v')
        same(await a.getxattr('link', 'user.x'), 'v')
        await a.fsetxattr(fd, 'user.y', 'w')
        same(await a.lgetxattr('f', 'user.y'), 'w')
        await a.fremovexattr(fd, 'user.x')
        same(
          (await a.flistxattr(fd)).filter((name) => name.startsWith('user.')),
          ['user.y'],
        )
        await a.rename('f', 'h')
        same(await a.getxattr('h', 'user.y'), 'w')
      },
      'user-xattrs',
      'links',
    ),
    scene(
      'obey XATTR_CREATE and XATTR_REPLACE',
      async ({ a, same, fails, works }) => {
        await a.writeFile('f', '')
        await fails(a.setxattr('f', 'user.x', 'v', XATTR.REPLACE), 'ENODATA')
        await works(a.setxattr('f', 'user.x', 'v', XATTR.CREATE))
        await fails(a.setxattr('f', 'user.x', 'w', XATTR.CREATE), 'EEXIST')
        same(await a.getxattr('f', 'user.x'), 'v')
        await works(a.setxattr('f', 'user.x', 'w', XATTR.REPLACE))
        same(await a.getxattr('f', 'user.x'), 'w')
        await fails(a.setxattr('f', 'user.x', 'w', 4), 'EINVAL')
        const fd = await a.open('f', O.RDONLY)
        await fails(a.fsetxattr(fd, 'user.x', 'z', XATTR.CREATE), 'EEXIST')
      },
      'user-xattrs',
    ),
    scene(
      'tell their size, and ERANGE where the room is too small',
      async ({ a, same, fails }) => {
        await a.writeFile('f', '')
        await a.setxattr('f', 'user.x', 'value')
        same(await a.getxattrSize('f', 'user.x'), 5)
        same(await a.getxattr('f', 'user.x', 5), 'value')
        await fails(a.getxattr('f', 'user.x', 4), 'ERANGE')
        const size = await a.listxattrSize('f')
        same((await a.listxattr('f', size)).includes('user.x'), true)
        await fails(a.listxattr('f', size - 1), 'ERANGE')
      },
      'user-xattrs',
    ),
    scene(
      'have bounds: of names 255 bytes, of values 64 KiB',
      async ({ a, same, fails }) => {
        await a.writeFile('f', '')
        const name = `user.${'n'.repeat(250)}`
        await a.setxattr('f', name, 'v')
        same(await a.getxattr('f', name), 'v')
        await fails(a.setxattr('f', `${name}n`, 'v'), 'ERANGE')
        await fails(a.getxattr('f', `${name}n`), 'ERANGE')
        await fails(a.setxattr('f', 'user.x', 'v'.repeat(65_537)), 'E2BIG')
        same((await a.listxattr('f')).includes('user.x'), false)
        const value = 'v'.repeat(500)
        await a.setxattr('f', 'user.long', value)
        same(await a.getxattr('f', 'user.long'), value)
      },
      'user-xattrs',
    ),
    scene(
      'take values of up to 64 KiB or say that there is no room',
      async ({ a, same }) => {
        await a.writeFile('f', '')
        const outcome = await a.setxattr('f', 'user.x', 'v'.repeat(65_536)).then(
          () => 'set',
          (error: unknown) => (error as { readonly errno: string }).errno,
        )
        same(['set', 'ENOSPC', 'E2BIG'].includes(outcome), true, outcome)
        if (outcome === 'set') same((await a.getxattr('f', 'user.x', 65_536)).length, 65_536)
        else same((await a.listxattr('f')).includes('user.x'), false)
      },
      'user-xattrs',
    ),
    scene(
      'go with the file: one made anew has none',
      async ({ a, fails }) => {
        await a.writeFile('f', '')
        await a.setxattr('f', 'user.x', 'v')
        await a.unlink('f')
        await a.writeFile('f', '')
        await fails(a.getxattr('f', 'user.x'), 'ENODATA')
      },
      'user-xattrs',
    ),
    scene(
      'of users are for files and directories alone',
      async (bed) => {
        const { a, fails } = bed
        await a.writeFile('f', '')
        await a.symlink('f', 'link')
        await fails(a.lsetxattr('link', 'user.x', 'v'), 'EPERM')
        await fails(a.lgetxattr('link', 'user.x'), 'ENODATA')
        await fails(a.lremovexattr('link', 'user.x'), 'EPERM')
        bed.same(
          (await a.llistxattr('link')).filter((name) => name.startsWith('user.')),
          [],
        )
        if (bed.has('fifos')) {
          await a.mknod('fifo', S.IFIFO | 0o666)
          await fails(a.setxattr('fifo', 'user.x', 'v'), 'EPERM')
          await fails(a.getxattr('fifo', 'user.x'), 'ENODATA')
          await fails(a.removexattr('fifo', 'user.x'), 'EPERM')
        }
        if (bed.has('sockets')) {
          await a.bind('sock')
          await fails(a.setxattr('sock', 'user.x', 'v'), 'EPERM')
        }
        if (bed.has('devices')) {
          await a.mknod('null', S.IFCHR | 0o666, 1, 3)
          await fails(a.setxattr('null', 'user.x', 'v'), 'EPERM')
        }
      },
      'user-xattrs',
    ),
    scene(
      'of users are read by who may read, and written by who may write',
      async (bed) => {
        const { a, fails, works, same } = bed
        const [u, other] = [await bed.agent(alice), await bed.agent(bob)]
        await u.writeFile('f', '', 0o644)
        await u.setxattr('f', 'user.x', 'v')
        same(await other.getxattr('f', 'user.x'), 'v')
        await fails(other.setxattr('f', 'user.x', 'w'), 'EACCES')
        await fails(other.removexattr('f', 'user.x'), 'EACCES')
        await u.chmod('f', 0o622)
        await fails(other.getxattr('f', 'user.x'), 'EACCES')
        await works(other.setxattr('f', 'user.y', 'w'))
        await works(other.removexattr('f', 'user.x'))
        await u.chmod('f', 0)
        await fails(u.getxattr('f', 'user.y'), 'EACCES')
        same(await a.getxattr('f', 'user.y'), 'w')
        await a.mkdir('sticky')
        await a.chmod('sticky', 0o1777)
        await fails(other.setxattr('sticky', 'user.x', 'v'), 'EPERM')
        await works(a.setxattr('sticky', 'user.x', 'v'))
      },
      'user-xattrs',
      'root',
    ),
    scene(
      'in the namespace trusted are for root',
      async (bed) => {
        const { a, fails, same } = bed
        const u = await bed.agent(alice)
        await u.writeFile('f', '', 0o666)
        await a.setxattr('f', 'trusted.x', 'v')
        same(await a.getxattr('f', 'trusted.x'), 'v')
        same((await a.listxattr('f')).includes('trusted.x'), true)
        await fails(u.getxattr('f', 'trusted.x'), 'ENODATA')
        await fails(u.setxattr('f', 'trusted.x', 'w'), 'EPERM')
        await fails(u.removexattr('f', 'trusted.x'), 'EPERM')
        same((await u.listxattr('f')).includes('trusted.x'), false)
        await a.symlink('f', 'link')
        await a.lsetxattr('link', 'trusted.y', 'of the link')
        same(await a.lgetxattr('link', 'trusted.y'), 'of the link')
        await fails(a.getxattr('link', 'trusted.y'), 'ENODATA')
      },
      'trusted-xattrs',
      'root',
    ),
    scene(
      'have names with a namespace that is known',
      async ({ a, fails }) => {
        await a.writeFile('f', '')
        await fails(a.setxattr('f', 'nonsense.x', 'v'), 'EOPNOTSUPP')
        await fails(a.setxattr('f', 'noprefix', 'v'), 'EOPNOTSUPP')
        await fails(a.getxattr('f', 'nonsense.x'), 'EOPNOTSUPP', 'ENODATA')
        await fails(a.setxattr('f', '', 'v'), 'ERANGE')
        await fails(a.setxattr('f', 'user.', 'v'), 'EINVAL')
        await fails(a.getxattr('missing', 'user.x'), 'ENOENT')
      },
      'user-xattrs',
    ),
  ],
}
