import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'
import type { PosixAgent } from '../posix-agent.js'

type PathCall = (a: PosixAgent, path: string) => Promise<unknown>

/** Calls on what is there. */
const finding: Readonly<Record<string, PathCall>> = {
  'open for reading': (a, path) => a.open(path, O.RDONLY),
  'open for writing': (a, path) => a.open(path, O.WRONLY),
  'open of a place': (a, path) => a.open(path, O.PATH),
  stat: (a, path) => a.stat(path),
  lstat: (a, path) => a.lstat(path),
  statfs: (a, path) => a.statfs(path),
  access: (a, path) => a.access(path, 0),
  chmod: (a, path) => a.chmod(path, 0o644),
  chown: (a, path) => a.chown(path, -1, -1),
  lchown: (a, path) => a.lchown(path, -1, -1),
  truncate: (a, path) => a.truncate(path, 0),
  utimensat: (a, path) => a.utimensat(path, 'now', 'now'),
  readlink: (a, path) => a.readlink(path),
  unlink: (a, path) => a.unlink(path),
  rmdir: (a, path) => a.rmdir(path),
  'link from': (a, path) => a.link(path, 'target'),
  'rename from': (a, path) => a.rename(path, 'target'),
  opendir: (a, path) => a.opendir(path),
  chdir: (a, path) => a.chdir(path),
  getxattr: (a, path) => a.getxattr(path, 'user.x'),
  setxattr: (a, path) => a.setxattr(path, 'user.x', 'v'),
  listxattr: (a, path) => a.listxattr(path),
  removexattr: (a, path) => a.removexattr(path, 'user.x'),
  lgetxattr: (a, path) => a.lgetxattr(path, 'user.x'),
}

/** Calls that make something. */
const making: Readonly<Record<string, PathCall>> = {
  'open with O_CREAT': (a, path) => a.open(path, O.WRONLY | O.CREAT),
  'open with O_EXCL': (a, path) => a.open(path, O.WRONLY | O.CREAT | O.EXCL),
  mkdir: (a, path) => a.mkdir(path),
  'mknod of a file': (a, path) => a.mknod(path, S.IFREG | 0o644),
  symlink: (a, path) => a.symlink('target', path),
  'link to': (a, path) => a.link('file', path),
  'rename to': (a, path) => a.rename('file', path),
}

const every = { ...finding, ...making }

/** A directory with what the paths need. */
async function furnish(a: PosixAgent): Promise<void> {
  await a.writeFile('file', '', 0o666)
  await a.mkdir('dir', 0o777)
  await a.symlink('nowhere', 'dangling')
  await a.symlink('self', 'self')
  await a.symlink('file', 'to-file')
}

export const pathResolutionTheme: PosixTheme = {
  name: 'finding a path',
  scenes: [
    ...Object.entries(every).map(([name, call]) =>
      scene(`fails in every known way in ${name}`, async (bed) => {
        const { a, fails } = bed
        await furnish(a)
        const needsAttributes = name.includes('xattr') && !bed.has('user-xattrs')
        await fails(call(a, ''), 'ENOENT')
        await fails(call(a, 'missing/x'), 'ENOENT')
        await fails(call(a, 'missing/x/y/z'), 'ENOENT')
        await fails(call(a, 'dir/missing/../x'), 'ENOENT')
        await fails(call(a, 'dangling/x'), 'ENOENT')
        await fails(call(a, 'file/x'), 'ENOTDIR')
        await fails(call(a, 'file/.'), 'ENOTDIR')
        await fails(call(a, 'file/../x'), 'ENOTDIR')
        await fails(call(a, 'to-file/x'), 'ENOTDIR')
        await fails(call(a, 'self/x'), 'ELOOP')
        await fails(call(a, 'n'.repeat(256)), 'ENAMETOOLONG')
        await fails(call(a, `dir/${'n'.repeat(256)}`), 'ENAMETOOLONG')
        await fails(call(a, `${'n'.repeat(256)}/x`), 'ENAMETOOLONG')
        await fails(call(a, `${'dir/../'.repeat(600)}x`), 'ENAMETOOLONG')
        if (name in finding && !needsAttributes) await fails(call(a, 'missing'), 'ENOENT')
      }),
    ),
    scene(
      'needs leave to search every directory on the way',
      async (bed) => {
        const { a, fails } = bed
        const u = await bed.agent(alice)
        await furnish(a)
        await a.mkdir('closed', 0o766)
        await a.mkdir('closed/inner', 0o777)
        await a.writeFile('closed/inner/x', '', 0o666)
        await a.writeFile('closed/x', '', 0o666)
        await a.symlink('closed/x', 'through')
        await u.writeFile('own', '')
        for (const [name, call] of Object.entries(every)) {
          if (name === 'link to') continue
          await fails(call(u, 'closed/x'), 'EACCES')
          await fails(call(u, 'closed/missing'), 'EACCES')
          await fails(call(u, 'closed/inner/x'), 'EACCES')
          await fails(call(u, 'closed/../x'), 'EACCES')
        }
        await fails(u.link('own', 'closed/new'), 'EACCES')
        await fails(u.stat('through'), 'EACCES')
        await fails(u.open('through', O.RDONLY), 'EACCES')
        bed.same((await u.lstat('through')).mode & S.IFMT, S.IFLNK)
        await a.chmod('closed', 0o711)
        await bed.works(u.stat('closed/x'))
        await bed.works(u.stat('closed/inner/x'))
        await fails(u.opendir('closed'), 'EACCES')
      },
      'root',
    ),
    scene('passes over doubled slashes, . and ..', async ({ a, same, path }) => {
      await a.mkdir('dir')
      await a.mkdir('dir/sub')
      await a.writeFile('dir/f', 'text')
      for (const way of ['dir//f', './dir/f', 'dir/./f', 'dir/sub/../f', './/dir///.//f', `${path}/dir/f`]) {
        same(await a.readFile(way), 'text', way)
      }
      same((await a.stat('dir/')).ino, (await a.stat('dir')).ino)
      same((await a.stat('dir//.')).ino, (await a.stat('dir')).ino)
    }),
    scene('takes paths of up to 4095 bytes', async ({ a, same, fails }) => {
      await a.writeFile('f', 'text')
      const long = `${'./'.repeat(2_046)}./f`
      same(long.length, 4_095)
      same(await a.readFile(long), 'text')
      await fails(a.readFile(`.${'/'.repeat(2)}${long}`), 'ENAMETOOLONG')
    }),
    scene('refuses a trailing slash behind a file', async (bed) => {
      const { a, fails } = bed
      await a.writeFile('file', 'kept')
      for (const call of Object.values(finding)) await fails(call(a, 'file/'), 'ENOTDIR')
      bed.same(await a.readFile('file'), 'kept')
    }),
  ],
}
