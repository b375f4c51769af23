import { alice, bob, scene, team } from '../bed.js'
import type { PosixBed, PosixTheme } from '../bed.js'
import { O, S } from '../flags.js'
import type { PosixAgent } from '../posix-agent.js'

/** Ways to change a file's bytes. */
const changes: Readonly<Record<string, (a: PosixAgent) => Promise<unknown>>> = {
  write: async (a) => a.write(await a.open('f', O.WRONLY), 'x'),
  pwrite: async (a) => a.pwrite(await a.open('f', O.WRONLY), 'x', 100),
  append: async (a) => a.write(await a.open('f', O.WRONLY | O.APPEND), 'x'),
  truncate: (a) => a.truncate('f', 1),
  'truncate to a longer file': (a) => a.truncate('f', 100),
  ftruncate: async (a) => a.ftruncate(await a.open('f', O.RDWR), 1),
  'open with O_TRUNC': (a) => a.open('f', O.WRONLY | O.TRUNC),
  copy_file_range: async (a) => {
    await a.writeFile('source', 'source')
    await a.copyFileRange(await a.open('source', O.RDONLY), null, await a.open('f', O.WRONLY), null, 6)
  },
}

async function modeAfter(
  bed: PosixBed,
  before: { readonly mode: number; readonly uid: number; readonly gid: number },
  change: () => Promise<unknown>,
): Promise<string> {
  await bed.a.writeFile('f', 'text')
  await bed.a.chown('f', before.uid, before.gid)
  await bed.a.chmod('f', before.mode)
  await change()
  const { mode } = await bed.a.stat('f')
  await bed.a.unlink('f')
  return (mode & 0o7777).toString(8)
}

const own = { uid: alice.uid, gid: alice.gid }

export const setIdTheme: PosixTheme = {
  name: 'set-user-id and set-group-id',
  scenes: [
    ...Object.entries(changes).map(([name, change]) =>
      scene(
        `are taken from a program by ${name}, but not where root does it`,
        async (bed) => {
          const u = await bed.agent(alice)
          const by = async (mode: number): Promise<string> =>
            modeAfter(bed, { mode, ...own }, () => change(u))
          bed.same(await by(0o4755), '755')
          bed.same(await by(0o2755), '755')
          bed.same(await by(0o6755), '755')
          bed.same(await by(0o4644), '644')
          bed.same(await by(0o6777), '777')
          bed.same(await by(0o1755), '1755')
          // A set-group-id bit without the group's right to execute marks mandatory locks; it is no privilege.
          bed.same(await by(0o2745), '2745')
          bed.same(await by(0o2644), '2644')
          bed.same(await by(0o6745), '2745')
          for (const mode of [0o4755, 0o2755, 0o6755]) {
            bed.same(await modeAfter(bed, { mode, ...own }, () => change(bed.a)), mode.toString(8))
          }
        },
        'root',
      ),
    ),
    scene(
      'are taken by a stranger who may write',
      async (bed) => {
        const stranger = await bed.agent(bob)
        const write = async (): Promise<unknown> => stranger.write(await stranger.open('f', O.WRONLY), 'x')
        bed.same(await modeAfter(bed, { mode: 0o4777, ...own }, write), '777')
        bed.same(await modeAfter(bed, { mode: 0o6777, ...own }, write), '777')
      },
      'root',
    ),
    scene(
      'are taken by chown, whoever does it',
      async (bed) => {
        const u = await bed.agent({ ...alice, groups: [team] })
        const toTeam = (): Promise<void> => u.chown('f', -1, team)
        const byRoot = (): Promise<void> => bed.a.chown('f', bob.uid, bob.gid)
        for (const change of [toTeam, byRoot]) {
          bed.same(await modeAfter(bed, { mode: 0o4755, ...own }, change), '755')
          bed.same(await modeAfter(bed, { mode: 0o2755, ...own }, change), '755')
          bed.same(await modeAfter(bed, { mode: 0o6755, ...own }, change), '755')
          bed.same(await modeAfter(bed, { mode: 0o2745, ...own }, change), '2745')
          bed.same(await modeAfter(bed, { mode: 0o6644, ...own }, change), '2644')
          bed.same(await modeAfter(bed, { mode: 0o755, ...own }, change), '755')
          bed.same(await modeAfter(bed, { mode: 0o1755, ...own }, change), '1755')
        }
      },
      'root',
    ),
    scene(
      'stay with directories when these change hands',
      async (bed) => {
        const u = await bed.agent({ ...alice, groups: [team] })
        await bed.a.mkdir('dir')
        await bed.a.chown('dir', alice.uid, alice.gid)
        await bed.a.chmod('dir', 0o6755)
        await u.chown('dir', -1, team)
        bed.same((await bed.a.stat('dir')).mode & 0o7777, 0o6755)
        await bed.a.chown('dir', bob.uid, bob.gid)
        bed.same((await bed.a.stat('dir')).mode & 0o7777, 0o6755)
      },
      'root',
    ),
    scene(
      'of a directory hand the group and the bit on to what is made in it',
      async (bed) => {
        const { a, same } = bed
        const u = await bed.agent(alice)
        await a.mkdir('dir')
        await a.chown('dir', 0, team)
        await a.chmod('dir', 0o2777)
        await u.writeFile('dir/f', '', 0o644)
        await u.mkdir('dir/sub', 0o755)
        await u.symlink('t', 'dir/link')
        await u.mknod('dir/node', S.IFREG | 0o600)
        for (const name of ['f', 'sub', 'link', 'node']) {
          const { uid, gid } = await a.lstat(`dir/${name}`)
          same([uid, gid], [alice.uid, team], name)
        }
        same((await a.stat('dir/sub')).mode, S.IFDIR | 0o2755)
        same((await a.stat('dir/f')).mode, S.IFREG | 0o644)
        await u.writeFile('dir/sub/g', '')
        same((await a.stat('dir/sub/g')).gid, team)
        await u.writeFile('h', '')
        await u.rename('h', 'dir/h')
        same((await a.stat('dir/h')).gid, alice.gid, 'what is moved in keeps its group')
      },
      'root',
    ),
    scene(
      "of a group that is not the caller's are not had by making a program there",
      async (bed) => {
        const { a, same } = bed
        const [u, member] = [await bed.agent(alice), await bed.agent({ ...alice, groups: [team] })]
        await a.mkdir('dir')
        await a.chown('dir', 0, team)
        await a.chmod('dir', 0o2777)
        await u.writeFile('dir/f', '', 0o2775)
        await member.writeFile('dir/g', '', 0o2775)
        same((await a.stat('dir/f')).mode & 0o7777, 0o775)
        same((await a.stat('dir/g')).mode & 0o7777, 0o2775)
      },
      'root',
    ),
  ],
}
