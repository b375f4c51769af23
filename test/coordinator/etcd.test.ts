import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Coordinator } from '../../src/coordinator/coordinator.js'
import { EtcdAccess } from '../../src/coordinator/etcd/etcd-access.js'
import { StoreCoordinator } from '../../src/coordinator/store-coordinator.js'
import { nodeClock } from '../../src/io/node/clock.js'
import { nodeHttp } from '../../src/io/node/http.js'
import { runCoordinatorTests } from '../../src/testing/coordinator/run-coordinator-tests.js'
import {
  after as revisionAfter,
  nextChanges,
  put,
  putSurely,
  read,
} from '../../src/testing/coordinator/scene-tools.js'
import { TemporaryFolder } from '../cli/daemon.js'
import { EtcdCluster, findEtcd } from './etcd-process.js'
import { playReal } from './real-bed.js'

function connect(endpoints: readonly string[]): Coordinator {
  const access = new EtcdAccess({ clock: nodeClock, http: nodeHttp(), endpoints })
  return new StoreCoordinator({ clock: nodeClock, access, attemptMs: 1_000, silenceMs: 1_000 })
}

function testOneMember(program: string): void {
  let folder: TemporaryFolder
  let cluster: EtcdCluster
  before(async () => {
    folder = await TemporaryFolder.make()
    cluster = await EtcdCluster.start(program, folder.path, 1)
  })
  after(async () => {
    await cluster[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  runCoordinatorTests({ describe, it }, 'etcd', (play) =>
    playReal(
      {
        // Etcd grants 2 s, but a busy machine may need longer to keep it alive.
        leaseTtlMs: 3_000,
        connect: () => connect(cluster.endpoints),
        stop: () => cluster.member(0).stop(),
        goOn: () => cluster.member(0).goOn(),
        killAndRestart: async () => {
          await cluster.member(0).kill()
          await cluster.member(0).start()
        },
        forgetHistory: async () => {
          const coordinator = connect(cluster.endpoints)
          const { revision } = await coordinator.list('')
          await cluster.member(0).post('/v3/kv/compaction', { revision: String(revision) })
          coordinator.close()
        },
      },
      play,
    ),
  )
}

function testThreeMembers(program: string): void {
  let folder: TemporaryFolder
  let cluster: EtcdCluster
  before(async () => {
    folder = await TemporaryFolder.make()
    cluster = await EtcdCluster.start(program, folder.path, 3)
  })
  after(async () => {
    await cluster[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('a client goes on with another member when the one that it used is killed, or stopped', async () => {
    const coordinator = connect(cluster.endpoints)
    const key = 'failover/key'
    const watch = coordinator.watch(key, revisionAfter(await put(coordinator, key, '0')))
    const lease = await coordinator.grantLease(60_000)
    const disturbances = [
      { begin: () => cluster.member(0).kill(), end: () => cluster.member(0).start() },
      {
        begin: () => cluster.member(1).stop(),
        end: async () => cluster.member(1).goOn(),
      },
    ]
    for (const [index, { begin, end }] of disturbances.entries()) {
      await begin()
      const value = `during ${index}`
      const revision = await putSurely(coordinator, key, value)
      assert.deepEqual(await nextChanges(watch), { revision, said: [`+${key} ${value}`] })
      assert.equal(await coordinator.keepAlive(lease.id), 'alive')
      await end()
      assert.equal(await read(coordinator, key), value)
    }
    coordinator.close()
  })
}

const program = findEtcd()
if (program === undefined) {
  const skip = 'there is no etcd on this machine: install etcd-server, or run "node scripts/etcd.mjs"'
  it('the etcd coordinator passes the suite', { skip })
} else {
  describe('with an etcd of one member', () => testOneMember(program))
  describe('with an etcd of three members', () => testThreeMembers(program))
}
