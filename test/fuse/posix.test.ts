import { after, before, describe } from 'node:test'
import { everyCapability } from '../posix/capabilities.js'
import { runPosixTests } from '../posix/run-posix-tests.js'
import { TwoMounts, cannotMount } from './khazana-mounts.js'

describe('a file system at two nodes', { skip: cannotMount }, () => {
  let mounts: TwoMounts
  before(async () => {
    mounts = await TwoMounts.start()
  })
  after(async () => mounts[Symbol.asyncDispose]())
  runPosixTests({
    name: 'a mount of Khazana',
    directory: () => mounts.directories[0],
    otherDirectory: () => mounts.directories[1],
    capabilities: everyCapability,
  })
})
