import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Khazana, KhazanaError } from '../../src/index.js'
import type { Address, Region } from '../../src/index.js'
import { msSince, pause, sharedNow } from '../clock.js'
import { Cluster } from '../cluster/cluster.js'
import { Etcd } from '../cluster/etcd.js'
import { Loopback } from '../cluster/network.js'

/** A home and a backup, one that takes a place that is free, and one for the client. */
const nodeCount = 4
/** Larger than what any takeover should take: what is not done by then counts as a failure. */
const writeMsMax = 60_000
const healedMsMax = 120_000
const pollMs = 50
/** An etcd gives no lease that is shorter than one and a half of its election timeouts, in whole seconds: 2 s unless told. */
const etcdTimesForShortLeases = ['--heartbeat-interval', '50', '--election-timeout', '500']
const etcdLeaseMsMin = 2000
const pageBytes = 4096

export interface FailoverOptions {
  readonly leaseMs: number
  readonly times: number
  readonly replicas: number
  /** Where everything is kept meanwhile. */
  readonly parent: string
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

export interface Failovers {
  readonly leaseMs: number
  /** Of each kill, in order: from `kill -9` of the home until a write that was begun after it was acknowledged. */
  readonly writtenMs: readonly number[]
  /** What became of the write that was under way, by code; `done`: it was acknowledged. */
  readonly underWay: Readonly<Record<string, number>>
}

/**
 * Kills the home of a region with replicas, again and again, while a client of another node writes without a pause. Each time the killed node is started again, and has
 * all that it missed, before the next. Throws where there is no etcd, or a region is not written or whole again in time.
 */
export async function measureFailovers(options: FailoverOptions): Promise<Failovers> {
  const { leaseMs, times, replicas, parent, say, signal } = options
  const folder = await mkdtemp(join(parent, 'khz-failover-'))
  await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
  const network = new Loopback()
  const files = { dir: join(folder, 'etcd'), logFile: join(folder, 'etcd.log') }
  const args = leaseMs < etcdLeaseMsMin ? etcdTimesForShortLeases : []
  await using etcd = await Etcd.start({ ...files, network, machine: 0, args })
  await using cluster = await Cluster.start({
    ...{ nodes: nodeCount, folder, network, coordinator: etcd.coordinator, leaseMs },
    crashed: (how) => say(how),
  })
  const address = await reserve(cluster, replicas)
  const writtenMs: number[] = []
  const underWay: Record<string, number> = {}
  while (writtenMs.length < times && !signal.aborted) {
    const home = await wholeAgain(cluster, address, replicas)
    // Not at a backup: what counts is what the others go through.
    const at = cluster.nodes.findIndex((_, index) => !home.group.includes(index + 1)) + 1
    await using khazana = await Khazana.connect(cluster.node(at).socket)
    const writer = new Writer(await khazana.region(address))
    await writer.write()
    const running = writer.run()
    // Not always at the same point of a renewal.
    await pause(leaseMs * (0.5 + Math.random()), signal)
    const killedAt = sharedNow()
    await cluster.node(home.node).kill()
    writer.killed()
    await running
    const tookMs = msSince(killedAt)
    writtenMs.push(tookMs)
    underWay[writer.outcome] = (underWay[writer.outcome] ?? 0) + 1
    say(`${writtenMs.length}: written after ${tookMs.toFixed(0)} ms; the write under way: ${writer.outcome}`)
    await cluster.node(home.node).start()
  }
  return { leaseMs, writtenMs, underWay }
}

/** Writes one after the other, until one that was begun after the kill is acknowledged. */
class Writer {
  readonly #region: Region
  #isKilled = false
  #count = 0
  /** Of the write that was under way at the kill. */
  outcome = 'none'

  constructor(region: Region) {
    this.#region = region
  }

  killed(): void {
    this.#isKilled = true
  }

  /** Throws where nothing can be written in time. */
  async run(): Promise<void> {
    const endBy = Date.now() + writeMsMax
    let isJudged = false
    for (;;) {
      const isAfter = this.#isKilled
      const outcome = await this.write().then(
        () => 'done',
        (reason: unknown) => KhazanaError.from(reason).code,
      )
      if (this.#isKilled && !isAfter) {
        this.outcome = outcome
        isJudged = true
      }
      if (isAfter && outcome === 'done' && isJudged) return
      if (Date.now() > endBy && this.#isKilled)
        throw new Error(`nothing was written within ${writeMsMax} ms: ${outcome}`)
    }
  }

  async write(): Promise<void> {
    this.#count += 1
    const lock = await this.#region.lock('write', { offset: 0, length: pageBytes }, { timeoutMs: writeMsMax })
    lock.write(0, new Uint8Array(pageBytes).fill(this.#count))
    await lock.unlock()
  }
}

async function reserve(cluster: Cluster, replicas: number): Promise<Address> {
  await using khazana = await Khazana.connect(cluster.node(2).socket)
  const region = await khazana.reserve(pageBytes, { pageSize: pageBytes, minReplicas: replicas })
  await region.allocate()
  return region.address
}

/** Who has the region when it has all its replicas, and all of them all there is. */
async function wholeAgain(
  cluster: Cluster,
  address: Address,
  replicas: number,
): Promise<{ readonly node: number; readonly group: readonly number[] }> {
  const begun = sharedNow()
  for (;;) {
    const found = await wholeNow(cluster, address, replicas)
    if (found !== undefined) return found
    if (msSince(begun) > healedMsMax) throw new Error(`the region lacks replicas after ${healedMsMax} ms`)
    await pause(pollMs)
  }
}

async function wholeNow(
  cluster: Cluster,
  address: Address,
  replicas: number,
): Promise<{ readonly node: number; readonly group: readonly number[] } | undefined> {
  try {
    await using khazana = await Khazana.connect(cluster.node(1).socket)
    const region = await khazana.region(address)
    const { group, descriptor, restoring } = await region.stat({ offset: 0, length: pageBytes })
    const isWhole = group.length === replicas && restoring.length === 0
    return isWhole ? { node: descriptor.home, group } : undefined
  } catch (reason) {
    if (reason instanceof KhazanaError) return undefined
    throw reason
  }
}
