import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { everyCapability } from '../posix/capabilities.js'
import type { Capabilities } from '../posix/capabilities.js'
import { exerciseIntegrity } from '../posix/integrity.js'
import { operationKinds } from '../posix/integrity-operation.js'
import { startAgent } from '../posix/posix-agent.js'
import type { PosixAgent } from '../posix/posix-agent.js'
import { runPosixTests } from '../posix/run-posix-tests.js'
import { TwoMounts, cannotMount } from './khazana-mounts.js'

const shifts = 'no part of a file is moved within it: EOPNOTSUPP, as of most file systems'
const processes = 'FUSE says of no lock whether a process has it, or an open file'

const capabilities: Capabilities = {
  ...everyCapability,
  'description-locks-have-no-process': processes,
  'collapse-range': shifts,
  'insert-range': shifts,
}

describe('a file system at two nodes', { skip: cannotMount }, () => {
  let mounts: TwoMounts
  let agents: readonly PosixAgent[] = []
  before(async () => {
    mounts = await TwoMounts.start()
    agents = await Promise.all(
      mounts.directories.map(async (directory) => {
        const agent = await startAgent()
        await agent.chdir(directory)
        return agent
      }),
    )
  })
  after(async () => {
    for (const agent of agents) await agent.kill()
    await mounts[Symbol.asyncDispose]()
  })

  runPosixTests({
    name: 'Khazana',
    directory: () => mounts.directories[0],
    otherDirectory: () => mounts.directories[1],
    capabilities,
  })

  const base = { path: 'file', operations: 500, sizeMax: 262_144 }
  it('keeps the bytes of a file right at one mount, mapped too', async (context) => {
    const seed = Date.now() % 1_000_000
    const one = agents.slice(0, 1)
    const figures = await exerciseIntegrity({ ...base, seed, kinds: operationKinds, agents: one })
    context.diagnostic(`seed ${seed}: ${JSON.stringify(figures)}`)
    assert.ok(figures.bytesCompared > 500_000)
  })

  it('keeps them right at two, mapped too', async (context) => {
    const seed = Date.now() % 1_000_000
    const figures = await exerciseIntegrity({ ...base, seed, kinds: operationKinds, agents })
    context.diagnostic(`seed ${seed}: ${JSON.stringify(figures)}`)
    assert.ok(figures.bytesCompared > 500_000)
  })
})
