import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { PosixError } from './agent/posix-error.js'
import { AgentPool } from './agent-pool.js'
import { makeBed } from './bed.js'
import type { PosixScene, PosixTheme } from './bed.js'
import { everyCapability } from './capabilities.js'
import { Checks } from './checks.js'
import { O, S } from './flags.js'
import { planted } from './planted.js'
import { startAgent } from './posix-agent.js'
import type { PosixAgent } from './posix-agent.js'
import { directoriesTheme } from './scenes/directories.js'
import { flockTheme } from './scenes/flock.js'
import { linkTheme } from './scenes/link.js'
import { mmapTheme } from './scenes/mmap.js'
import { mountRacesTheme } from './scenes/mount-races.js'
import { mountVisibilityTheme } from './scenes/mount-visibility.js'
import { namesTheme } from './scenes/names.js'
import { openTheme } from './scenes/open.js'
import { readingWritingTheme } from './scenes/reading-writing.js'
import { recordLocksTheme } from './scenes/record-locks.js'
import { renameFlagsTheme } from './scenes/rename-flags.js'
import { renameTheme } from './scenes/rename.js'
import { setIdTheme } from './scenes/set-id.js'
import { timestampsTheme } from './scenes/timestamps.js'
import { truncateTheme } from './scenes/truncate.js'
import { unlinkTheme } from './scenes/unlink.js'
import { utimensatTheme } from './scenes/utimensat.js'

interface Fault {
  readonly name: string
  /** One of these must notice. */
  readonly themes: readonly PosixTheme[]
  readonly calls: (agent: PosixAgent) => Partial<PosixAgent>
}

/** Answers once what is right, and then the same again. */
function remembering<Args extends readonly unknown[], Result>(
  call: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  const known = new Map<string, Promise<Result>>()
  return (...args) => {
    const key = JSON.stringify(args)
    const found = known.get(key) ?? call(...args)
    known.set(key, found)
    return found
  }
}

const faults: readonly Fault[] = [
  {
    name: 'O_EXCL is not heeded',
    themes: [openTheme],
    calls: (agent) => ({ open: (path, flags, mode = 0o666) => agent.open(path, flags & ~O.EXCL, mode) }),
  },
  {
    name: 'O_APPEND is not heeded',
    themes: [readingWritingTheme],
    calls: (agent) => ({ open: (path, flags, mode = 0o666) => agent.open(path, flags & ~O.APPEND, mode) }),
  },
  {
    name: 'O_TRUNC is not heeded',
    themes: [openTheme],
    calls: (agent) => ({ open: (path, flags, mode = 0o666) => agent.open(path, flags & ~O.TRUNC, mode) }),
  },
  {
    name: 'what is cut off comes back',
    themes: [truncateTheme],
    calls: (agent) => ({
      truncate: async (path, length) => {
        const { size } = await agent.stat(path)
        await agent.truncate(path, length)
        if (length >= size + 3) await agent.pwrite(await agent.open(path, O.WRONLY), 'old', size)
      },
    }),
  },
  {
    name: 'rename replaces a directory that is not empty',
    themes: [renameTheme],
    calls: (agent) => ({
      rename: async (from, to) => {
        await agent.rename(from, to).catch(async (error: unknown) => {
          if ((error as { readonly errno?: string }).errno !== 'ENOTEMPTY') throw error
          await agent.renameat2(from, to, 2)
        })
      },
    }),
  },
  {
    name: 'RENAME_NOREPLACE replaces',
    themes: [renameFlagsTheme],
    calls: (agent) => ({ renameat2: (from, to, flags) => agent.renameat2(from, to, flags & ~1) }),
  },
  {
    name: 'a link is a copy',
    themes: [linkTheme],
    calls: (agent) => ({ link: async (from, to) => agent.writeFile(to, await agent.readFile(from)) }),
  },
  {
    name: 'a file that is removed is empty to those who have it open',
    themes: [unlinkTheme],
    calls: (agent) => ({
      unlink: async (path) => {
        if (((await agent.lstat(path)).mode & S.IFMT) === S.IFREG) await agent.truncate(path, 0)
        await agent.unlink(path)
      },
    }),
  },
  {
    name: 'the wrong errno for removing a directory',
    themes: [unlinkTheme],
    calls: (agent) => ({ unlink: (path) => agent.unlinkat(-100, path, 0x200) }),
  },
  {
    name: 'chown keeps the set-user-id bit',
    themes: [setIdTheme],
    calls: (agent) => ({
      chown: async (path, uid, gid) => {
        const { mode } = await agent.stat(path)
        await agent.chown(path, uid, gid)
        await agent.chmod(path, mode & 0o7777)
      },
    }),
  },
  {
    name: 'times are kept to the microsecond',
    themes: [utimensatTheme],
    calls: (agent) => ({
      stat: async (path) => {
        const found = await agent.stat(path)
        const rounded = (ns: number): number => ns - (ns % 1_000)
        return { ...found, mtime: { s: found.mtime.s, ns: rounded(found.mtime.ns) } }
      },
    }),
  },
  {
    name: 'chmod marks mtime',
    themes: [timestampsTheme],
    calls: (agent) => ({
      chmod: async (path, mode) => {
        await agent.chmod(path, mode)
        await agent.utimensat(path, 'omit', 'now')
      },
    }),
  },
  {
    name: 'a listing that goes on after changes begins one entry too late',
    themes: [directoriesTheme],
    calls: (agent) => ({
      getdents: async (fd, size) => {
        const entries = await agent.getdents(fd, size)
        return size === 400 ? entries.slice(entries.length > 3 ? 1 : 0) : entries
      },
    }),
  },
  {
    name: 'names are of UTF-8',
    themes: [namesTheme],
    calls: (agent) => ({
      names: async (path) =>
        (await agent.names(path)).map((name) =>
          Buffer.from(Buffer.from(name, 'latin1').toString('utf8'), 'utf8').toString('latin1'),
        ),
    }),
  },
  {
    name: 'flock is had by everybody',
    themes: [flockTheme],
    calls: () => ({ flock: async () => undefined }),
  },
  {
    name: 'record locks are of whole files',
    themes: [recordLocksTheme],
    calls: (agent) => ({
      setLock: (fd, lock, owner = 'process') =>
        agent.setLock(fd, { type: lock.type, start: 0, length: 0 }, owner),
    }),
  },
  {
    name: 'shared mappings are private',
    themes: [mmapTheme],
    calls: (agent) => ({
      mmap: (fd, length, prot, flags, offset = 0) => agent.mmap(fd, length, prot, (flags & ~1) | 2, offset),
    }),
  },
  {
    name: 'what was read once is not read again',
    themes: [mountVisibilityTheme],
    calls: (agent) => ({ pread: remembering((fd, length, offset) => agent.pread(fd, length, offset)) }),
  },
  {
    name: 'sizes and modes are asked for once',
    themes: [mountVisibilityTheme],
    calls: (agent) => ({ stat: remembering((path) => agent.stat(path)) }),
  },
  {
    name: 'appending is done at the end that was known before',
    themes: [mountRacesTheme],
    calls: (agent) => ({
      appendLines: async (path, label, count) => {
        const fd = await agent.open(path, O.WRONLY)
        for (let line = 0; line < count; line++) {
          const { size } = await agent.fstat(fd)
          await agent.pwrite(fd, `${label} ${line}\n`, size)
        }
      },
    }),
  },
]

describe('a faulty file system', () => {
  let folder = ''
  let count = 0
  before(() => {
    folder = mkdtempSync('/var/tmp/posix-')
  })
  after(() => {
    rmSync(folder, { recursive: true })
  })

  const skip = process.getuid?.() === 0 ? false : 'many scenes need root'

  /** Whether the scene notices. */
  async function notices(scene: PosixScene, pool: AgentPool): Promise<boolean> {
    const path = `${folder}/${++count}`
    mkdirSync(path)
    const checks = new Checks()
    try {
      const bed = await makeBed({ checks, pool, capabilities: everyCapability, path, otherPath: path })
      await bed.a.chmod(path, 0o777)
      await scene.play(bed)
      return false
    } catch (error) {
      if (error instanceof assert.AssertionError || error instanceof PosixError) return true
      throw error
    } finally {
      await pool.takeBack()
    }
  }

  for (const { name, themes, calls } of faults) {
    it(`is found out: ${name}`, { skip }, async (context) => {
      const sound = new AgentPool()
      const faulty = new AgentPool(async () => {
        const agent = await startAgent()
        return planted(agent, calls(agent))
      })
      try {
        for (const scene of themes.flatMap(({ scenes }) => scenes)) {
          if (!(await notices(scene, faulty))) continue
          // The scene must fail for the fault's sake, not for a reason of its own.
          assert.equal(await notices(scene, sound), false, scene.name)
          context.diagnostic(`"${scene.name}"`)
          return
        }
      } finally {
        await faulty[Symbol.asyncDispose]()
        await sound[Symbol.asyncDispose]()
      }
      assert.fail('no scene has noticed')
    })
  }
})
