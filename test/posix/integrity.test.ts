import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { exerciseIntegrity } from './integrity.js'
import { operationKinds } from './integrity-operation.js'
import { planted } from './planted.js'
import { startAgent } from './posix-agent.js'
import type { PosixAgent } from './posix-agent.js'

const isRoot = process.getuid?.() === 0

describe('the exerciser of data integrity', () => {
  let folder = ''
  let agents: [PosixAgent, PosixAgent]
  before(async () => {
    folder = mkdtempSync('/var/tmp/posix-')
    mkdirSync(`${folder}/one`)
    mkdirSync(`${folder}/two`)
    if (isRoot) spawnSync('mount', ['--bind', `${folder}/one`, `${folder}/two`])
    agents = [await startAgent(), await startAgent()]
    await agents[0].chdir(`${folder}/one`)
    await agents[1].chdir(isRoot ? `${folder}/two` : `${folder}/one`)
  })
  after(async () => {
    for (const agent of agents) await agent.kill()
    if (isRoot) spawnSync('umount', [`${folder}/two`])
    rmSync(folder, { recursive: true })
  })

  const base = { operations: 2_000, path: 'file', kinds: operationKinds, sizeMax: 262_144 }

  it('finds a file of this machine right, by one way', async (context) => {
    const seed = Date.now() % 1_000_000
    const { bytesCompared } = await exerciseIntegrity({ ...base, seed, agents: [agents[0]] })
    context.diagnostic(`seed ${seed}: ${bytesCompared} bytes compared`)
    assert.ok(bytesCompared > 1_000_000)
  })

  it('finds it right by two ways, of two processes and, as root, two mounts', async (context) => {
    const seed = Date.now() % 1_000_000
    const figures = await exerciseIntegrity({ ...base, seed, agents })
    context.diagnostic(`seed ${seed}: ${JSON.stringify(figures)}`)
    assert.deepEqual(Object.keys(figures.operations).sort(), [...operationKinds].sort())
  })

  it('does the same for the same seed', async () => {
    const play = () => exerciseIntegrity({ ...base, operations: 150, seed: 42, agents })
    assert.deepEqual(await play(), await play())
  })

  /** Each a fault of a file system, from some call on. */
  const faults: Readonly<Record<string, (agent: PosixAgent) => Partial<PosixAgent>>> = {
    'a write that is dropped': (agent) => {
      let left = 20
      return {
        pwrite: async (fd, data, offset) => (--left === 0 ? data.length : agent.pwrite(fd, data, offset)),
      }
    },
    'a write through memory that is dropped': (agent) => {
      let left = 20
      return {
        poke: async (map, offset, data) => (--left === 0 ? undefined : agent.poke(map, offset, data)),
      }
    },
    'a hole that is not punched to its end': (agent) => ({
      fallocate: (fd, mode, offset, length) => agent.fallocate(fd, mode, offset, Math.max(1, length - 1)),
    }),
    'a byte that changes on its way': (agent) => {
      let left = 30
      return {
        pwrite: (fd, data, offset) => agent.pwrite(fd, --left === 0 ? `\0${data.slice(1)}` : data, offset),
      }
    },
    'an append that goes where the file ended before': (agent) => {
      let left = 10
      return {
        write: async (fd, data) => {
          if (--left > 0) return agent.write(fd, data)
          const { size } = await agent.fstat(fd)
          return agent.pwrite(await agent.open('file', 1), data, Math.max(0, size - 1))
        },
      }
    },
    'a read that answers what was there before': (agent) => {
      let old: string | undefined
      let left = 30
      return {
        readFile: async (path) => (old ??= await agent.readFile(path)),
        pread: async (fd, length, offset) => {
          const text = await agent.pread(fd, length, offset)
          return --left === 0 ? text.slice(0, -1) : text
        },
      }
    },
  }
  for (const [name, fault] of Object.entries(faults)) {
    it(`catches ${name}, and tells the seed and the last operations`, async () => {
      const faulty = planted(agents[0], fault(agents[0]))
      await assert.rejects(
        exerciseIntegrity({ ...base, seed: 7, agents: [faulty, agents[1]] }),
        (error: Error) => {
          assert.match(error.message, /^seed 7, operation \d+: /)
          assert.match(error.message, /the last operations:\n {2}\d+ \{"view"/)
          return true
        },
      )
    })
  }
})
