import { after, before, describe, it } from 'node:test'
import { ServedAccess } from '../../src/coordinator/served-access.js'
import { StoreCoordinator } from '../../src/coordinator/store-coordinator.js'
import { nodeClock } from '../../src/io/node/clock.js'
import { runCoordinatorTests } from '../../src/testing/coordinator/run-coordinator-tests.js'
import { TemporaryFolder } from '../cli/daemon.js'
import { EmbeddedProcess } from './embedded-process.js'
import { playReal } from './real-bed.js'

describe('in a process of its own', () => {
  let folder: TemporaryFolder
  let served: EmbeddedProcess
  before(async () => {
    folder = await TemporaryFolder.make()
    served = await EmbeddedProcess.start(folder.in('coordinator'))
  })
  after(async () => {
    await served[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  runCoordinatorTests({ describe, it }, 'embedded', (play) =>
    playReal(
      {
        leaseTtlMs: 1_500,
        connect: () => {
          const access = new ServedAccess((request, wait) => served.ask(request, wait))
          return new StoreCoordinator({ clock: nodeClock, access, attemptMs: 500, silenceMs: 1_000 })
        },
        stop: () => served.stop(),
        goOn: () => served.goOn(),
        killAndRestart: () => served.killAndRestart(),
        // A restart does.
        forgetHistory: () => served.killAndRestart(),
      },
      play,
    ),
  )
})
