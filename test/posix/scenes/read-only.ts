import { scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, OK, S } from '../flags.js'

/** Flags of mount(2). */
const readOnly = 1
const remount = 32
const bind = 4_096

export const readOnlyTheme: PosixTheme = {
  name: 'a read-only mount',
  scenes: [
    scene(
      'refuses all that changes something with EROFS, and lets all else be',
      async ({ a, path, works, fails, same }) => {
        await a.mkdir('dir')
        await a.mkdir('dir/sub')
        await a.writeFile('dir/f', 'text', 0o755)
        await a.symlink('f', 'dir/link')
        await a.mkdir('mounted')
        await a.mount(`${path}/dir`, `${path}/mounted`, 'none', bind)
        try {
          await a.mount('none', `${path}/mounted`, 'none', bind | remount | readOnly)
          same(await a.readFile('mounted/f'), 'text')
          same(await a.readlink('mounted/link'), 'f')
          same(await a.names('mounted'), ['f', 'link', 'sub'])
          await works(a.access('mounted/f', OK.R | OK.X))
          await works(a.open('mounted/f', O.RDONLY | O.CREAT))
          await works(a.fsync(await a.open('mounted/f', O.RDONLY)))
          await fails(a.access('mounted/f', OK.W), 'EROFS')
          await fails(a.open('mounted/f', O.WRONLY), 'EROFS')
          await fails(a.open('mounted/f', O.RDWR), 'EROFS')
          await fails(a.open('mounted/f', O.RDONLY | O.TRUNC), 'EROFS')
          await fails(a.open('mounted/new', O.WRONLY | O.CREAT), 'EROFS')
          await fails(a.open('mounted/f', O.WRONLY | O.CREAT | O.EXCL), 'EEXIST')
          await fails(a.truncate('mounted/f', 0), 'EROFS')
          await fails(a.chmod('mounted/f', 0o600), 'EROFS')
          await fails(a.chown('mounted/f', 1, 1), 'EROFS')
          await fails(a.lchown('mounted/link', 1, 1), 'EROFS')
          await fails(a.fchmod(await a.open('mounted/f', O.RDONLY), 0o600), 'EROFS')
          await fails(a.utimensat('mounted/f', 'now', 'now'), 'EROFS')
          await fails(a.unlink('mounted/f'), 'EROFS')
          await fails(a.rmdir('mounted/sub'), 'EROFS')
          await fails(a.mkdir('mounted/new'), 'EROFS')
          await fails(a.mkdir('mounted/sub'), 'EEXIST')
          await fails(a.mknod('mounted/new', S.IFREG | 0o600), 'EROFS')
          await fails(a.symlink('t', 'mounted/new'), 'EROFS')
          await fails(a.link('mounted/f', 'mounted/new'), 'EROFS')
          await fails(a.rename('mounted/f', 'mounted/new'), 'EROFS')
          await fails(a.setxattr('mounted/f', 'user.x', 'v'), 'EROFS')
          await fails(a.removexattr('mounted/f', 'user.x'), 'EROFS')
          await fails(a.stat('mounted/missing'), 'ENOENT')
          await fails(a.open('mounted/missing', O.WRONLY), 'ENOENT')
        } finally {
          await a.umount(`${path}/mounted`)
        }
        same(await a.readFile('dir/f'), 'text')
      },
      'root',
    ),
  ],
}
