import { describe, it } from 'node:test'
import { ServedAccess } from '../../src/coordinator/served-access.js'
import { StoreCoordinator } from '../../src/coordinator/store-coordinator.js'
import { runCoordinatorTests } from '../../src/testing/coordinator/run-coordinator-tests.js'
import type { CoordinatorBed } from '../../src/testing/coordinator/coordinator-bed.js'
import { schedulerClock } from '../../src/testing/coordinator/sim-coordinator.js'
import { Prng } from '../../src/stdx/prng.js'
import { NodeCluster } from './node-cluster.js'

/** The coordinator that the founder keeps, asked by another node of the cluster. */
async function play(seed: number, scene: (bed: CoordinatorBed) => Promise<void>): Promise<void> {
  const cluster = new NodeCluster({ seed, nodes: 2 })
  const clock = schedulerClock(cluster.world.scheduler)
  const clients: StoreCoordinator[] = []
  const clientAt = (number: number): StoreCoordinator => {
    const { coordinatorDesk } = cluster.node(number)
    const access = new ServedAccess((request, wait) => coordinatorDesk.ask(request, wait))
    const client = new StoreCoordinator({ clock, access })
    clients.push(client)
    return client
  }
  await cluster.run(() =>
    scene({
      prefix: 'scene/',
      clock,
      random: Prng.fromSeed(seed),
      // A session with a node that was killed may take a lease of its own to begin anew.
      leaseTtlMs: 5000,
      client: () => clientAt(2),
      freeze: () => Promise.resolve(cluster.freeze(1)),
      restart: async () => {
        cluster.crash(1)
        await cluster.pause(50)
        await cluster.start(1)
      },
      forgetHistory: async () => {
        const host = clientAt(1)
        for (let count = 0; count < 10_001; count++) {
          await host.transact({ puts: [{ key: 'filler', value: new Uint8Array() }] })
        }
      },
    }),
  )
  for (const client of clients) client.close()
}

runCoordinatorTests({ describe, it }, 'kept by the node that founded the cluster', (scene) => play(1, scene))
