import { alice, scene } from '../bed.js'
import type { PosixTheme } from '../bed.js'
import { O } from '../flags.js'

const script = '#!/bin/sh\necho ran\n'

export const executeTheme: PosixTheme = {
  name: 'programs',
  scenes: [
    scene(
      'run where the mode says so, for each class of users',
      async (bed) => {
        const { a, same, fails } = bed
        await a.writeFile('f', script, 0o755)
        same(await a.execute('./f'), 'ran\n')
        await a.chmod('f', 0o644)
        await fails(a.execute('./f'), 'EACCES')
        await a.mkdir('dir')
        await fails(a.execute('./dir'), 'EACCES')
        await fails(a.execute('./missing'), 'ENOENT')
        await fails(a.execute('./f/x'), 'ENOTDIR')
        if (!bed.has('root')) return
        const u = await bed.agent(alice)
        await a.chmod('f', 0o755)
        same(await u.execute('./f'), 'ran\n')
        await a.chmod('f', 0o754)
        await fails(u.execute('./f'), 'EACCES')
        await a.chmod('f', 0o645)
        same(await u.execute('./f'), 'ran\n')
        same(await a.execute('./f'), 'ran\n', 'root runs what anybody may run')
        await a.chmod('f', 0o666)
        await fails(a.execute('./f'), 'EACCES')
      },
      'execute',
    ),
    scene(
      'are not written while they run: ETXTBSY',
      async ({ a, fails, works, same }) => {
        await a.writeFile('sleep', await a.readFile('/bin/sleep'), 0o755)
        await a.writeFile('other', '')
        const running = await a.start('./sleep', '600')
        await fails(a.open('sleep', O.WRONLY), 'ETXTBSY')
        await fails(a.open('sleep', O.RDWR), 'ETXTBSY')
        await fails(a.open('sleep', O.WRONLY | O.TRUNC), 'ETXTBSY')
        await fails(a.truncate('sleep', 0), 'ETXTBSY')
        await works(a.open('sleep', O.RDONLY))
        await works(a.chmod('sleep', 0o700))
        await works(a.rename('sleep', 'moved'))
        await works(a.rename('other', 'moved'))
        same(await a.readFile('moved'), '')
        await a.stop(running)
      },
      'execute',
      'text-busy',
    ),
    scene(
      'do not start while somebody may write them: ETXTBSY',
      async ({ a, fails, same }) => {
        await a.writeFile('f', script, 0o755)
        const fd = await a.open('f', O.WRONLY)
        await fails(a.execute('./f'), 'ETXTBSY')
        await a.close(fd)
        same(await a.execute('./f'), 'ran\n')
      },
      'execute',
      'text-busy',
    ),
  ],
}
