import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { RENAME, S } from '../flags.js'

const { NOREPLACE, EXCHANGE, WHITEOUT } = RENAME

export const renameFlagsTheme: PosixTheme = {
  name: 'renameat2',
  scenes: [
    scene('without flags is rename', async ({ a, same }) => {
      await a.writeFile('f', 'text')
      await a.writeFile('g', 'gone')
      await a.renameat2('f', 'g', 0)
      same(await a.readFile('g'), 'text')
    }),
    scene(
      'with RENAME_NOREPLACE replaces nothing',
      async ({ a, same, fails, works }) => {
        await a.writeFile('f', 'f')
        await a.writeFile('g', 'g')
        await a.mkdir('dir')
        await a.mkdir('other')
        await a.symlink('nowhere', 'dangling')
        for (const name of ['g', 'dir', 'dangling', 'f'])
          await fails(a.renameat2('f', name, NOREPLACE), 'EEXIST')
        await fails(a.renameat2('dir', 'other', NOREPLACE), 'EEXIST')
        await fails(a.renameat2('missing', 'g', NOREPLACE), 'ENOENT')
        same([await a.readFile('f'), await a.readFile('g')], ['f', 'g'])
        await works(a.renameat2('f', 'new', NOREPLACE))
        await works(a.renameat2('dir', 'new-dir', NOREPLACE))
        same(await a.readFile('new'), 'f')
      },
      'rename-noreplace',
    ),
    scene(
      'with RENAME_NOREPLACE has one winner among many',
      async (bed) => {
        const { a, same } = bed
        const agents = [a, await bed.agent(), await bed.agent()]
        let won = 0
        for (let round = 0; round < 10; round++) {
          await Promise.all(
            agents.map(async (agent, index) => {
              await agent.writeFile(`own-${index}`, `${index}`)
              await agent.renameat2(`own-${index}`, `prize-${round}`, NOREPLACE).then(
                () => won++,
                (error: unknown) => same((error as { errno: string }).errno, 'EEXIST'),
              )
            }),
          )
        }
        same(won, 10)
      },
      'rename-noreplace',
    ),
    scene(
      'with RENAME_EXCHANGE swaps files, directories, and one for the other',
      async ({ a, same, fails }) => {
        await a.writeFile('f', 'f')
        await a.writeFile('g', 'g')
        await a.mkdir('dir')
        await a.mkdir('full')
        await a.writeFile('full/inner', 'inner')
        await a.symlink('target', 'link')
        await a.renameat2('f', 'g', EXCHANGE)
        same([await a.readFile('f'), await a.readFile('g')], ['g', 'f'])
        await a.renameat2('dir', 'full', EXCHANGE)
        same([await a.names('dir'), await a.names('full')], [['inner'], []])
        await a.renameat2('f', 'dir', EXCHANGE)
        same(await a.readFile('f/inner'), 'inner')
        same(await a.readFile('dir'), 'g')
        await a.renameat2('link', 'g', EXCHANGE)
        same([await a.readlink('g'), await a.readFile('link')], ['target', 'f'])
        await fails(a.renameat2('missing', 'g', EXCHANGE), 'ENOENT')
        await fails(a.renameat2('g', 'missing', EXCHANGE), 'ENOENT')
      },
      'rename-exchange',
    ),
    scene(
      'with RENAME_EXCHANGE between directories changes .. and counts',
      async ({ a, same, fails }) => {
        await a.mkdir('one')
        await a.mkdir('two')
        await a.mkdir('one/dir')
        await a.writeFile('two/f', 'text')
        const counted = (await a.stat('one')).nlink > 1
        await a.renameat2('one/dir', 'two/f', EXCHANGE)
        same((await a.stat('two/f/..')).ino, (await a.stat('two')).ino)
        same(await a.readFile('one/dir'), 'text')
        same([(await a.stat('one')).nlink, (await a.stat('two')).nlink], counted ? [2, 3] : [1, 1])
        await fails(a.renameat2('two', 'two/f', EXCHANGE), 'EINVAL')
        await fails(a.renameat2('two/f', 'two', EXCHANGE), 'EINVAL')
      },
      'rename-exchange',
    ),
    scene(
      'with RENAME_EXCHANGE does nothing to a file and itself',
      async ({ a, same }) => {
        await a.writeFile('f', 'text')
        await a.link('f', 'g')
        await a.renameat2('f', 'f', EXCHANGE)
        await a.renameat2('f', 'g', EXCHANGE)
        same(await a.names('.'), ['f', 'g'])
        same((await a.stat('f')).nlink, 2)
      },
      'rename-exchange',
      'links',
    ),
    scene(
      'needs leave to write both directories for an exchange',
      async (bed) => {
        const u = await bed.agent(alice)
        await bed.a.mkdir('closed', 0o755)
        await bed.a.writeFile('closed/f', '')
        await u.writeFile('g', '')
        await bed.fails(u.renameat2('g', 'closed/f', EXCHANGE), 'EACCES')
        await bed.fails(u.renameat2('closed/f', 'g', EXCHANGE), 'EACCES')
      },
      'rename-exchange',
      'root',
    ),
    scene(
      'with RENAME_WHITEOUT leaves a device 0:0 in place of what has moved',
      async ({ a, same }) => {
        await a.writeFile('f', 'text')
        await a.renameat2('f', 'g', WHITEOUT)
        same(await a.readFile('g'), 'text')
        const left = await a.lstat('f')
        same([left.mode & S.IFMT, left.rdev], [S.IFCHR, [0, 0]])
      },
      'rename-whiteout',
      'root',
    ),
    scene('refuses flags that exclude one another, or that nobody knows', async ({ a, fails, same }) => {
      await a.writeFile('f', 'f')
      await a.writeFile('g', 'g')
      await fails(a.renameat2('f', 'g', NOREPLACE | EXCHANGE), 'EINVAL')
      await fails(a.renameat2('f', 'g', EXCHANGE | WHITEOUT), 'EINVAL')
      await fails(a.renameat2('f', 'g', 0x100), 'EINVAL')
      same(await a.readFile('g'), 'g')
    }),
  ],
}
