import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { judge } from './checks/judgement.js'
import { longestOutages } from './checks/outages.js'
import type { Outage } from './checks/outages.js'
import { Clients } from './client/clients.js'
import { readAll } from './client/final-reads.js'
import type { PlacedRegion } from './client/messages.js'
import { makeRegions } from './client/regions.js'
import { msSince, pause, sharedNow } from './clock.js'
import type { FaultKind } from './faults/fault.js'
import { FaultInjector, killed } from './faults/fault-injector.js'
import { faultSchedule } from './faults/fault-schedule.js'
import { planRegions } from './layout.js'
import { orderOperations } from './record.js'
import type { RecordedOperation, TimedOperation } from './record.js'
import { inSeconds, isClean } from './report.js'
import type { Report } from './report.js'
import { Stage } from './stage.js'
import { Tally } from './tally.js'

export interface TortureOptions {
  readonly seed: number
  readonly minutes: number
  readonly nodes: number
  /** Client processes; one of them more is a node itself. */
  readonly clients: number
  /** A region of each at each node. */
  readonly replicas: readonly number[]
  readonly coordinator: 'embedded' | 'etcd'
  readonly faults: readonly FaultKind[]
  /** Where a directory for everything is made. */
  readonly parent: string
  /** Ends the run early: what was done until then is judged. */
  readonly signal: AbortSignal
  /** One line for people. */
  readonly say: (line: string) => void
}

export interface TortureResult {
  readonly report: Report
  readonly history: readonly RecordedOperation[]
}

/** That of a node that is told nothing else. */
const leaseMs = 3000
const progressMs = 10_000
/** How long a region may need until it can be used again, when all is well. */
const recoveryMsMax = 90_000
const recoveryPollMs = 200

/** One run, from nothing to its report. All that it starts is gone at its end; its directory stays where it found something. */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const folder = await mkdtemp(join(options.parent, 'khz-torture-'))
  options.say(`in ${folder}`)
  let isKept = true
  try {
    const result = await new Run(options, folder).play()
    isKept = !isClean(result.report)
    return result
  } finally {
    if (isKept) options.say(`logs and directories of the nodes are left in ${folder}`)
    else await rm(folder, { recursive: true, force: true })
  }
}

class Run {
  readonly #options: TortureOptions
  readonly #folder: string
  readonly #origin = sharedNow()
  readonly #tally = new Tally()
  readonly #problems: string[] = []
  readonly #skipped: string[] = []
  readonly #faults = new Map<string, number>()
  readonly #now = (): number => msSince(this.#origin)

  constructor(options: TortureOptions, folder: string) {
    this.#options = options
    this.#folder = folder
  }

  async play(): Promise<TortureResult> {
    const { nodes, coordinator, faults } = this.#options
    // Programs cannot name another coordinator in this version.
    const members = coordinator === 'embedded' ? 1 : 0
    const crashed = this.#problem
    await using stage = await Stage.set({
      ...{ nodes, members, coordinator, faults, crashed },
      folder: this.#folder,
    })
    this.#skip(stage.skipped)
    this.#say(`${nodes} nodes serve`)
    const regions = await this.#makeRegions(stage)
    const start = this.#now()
    await this.#use(stage, regions)
    const end = this.#now()
    const final = await this.#readAtEnd(stage, regions)
    return this.#conclude(regions, final, [start, end])
  }

  async #makeRegions({ cluster }: Stage): Promise<readonly PlacedRegion[]> {
    const { nodes, replicas } = this.#options
    const { regions, operations, refused } = await makeRegions({
      plans: planRegions(nodes, replicas),
      socketOf: (node) => cluster.node(node).socket,
      now: this.#now,
    })
    this.#tally.add(operations)
    this.#skip([...refused].map(([count, why]) => `regions of ${count} replicas: ${why}`))
    if (regions.length === 0) throw new Error('there is nothing left to test')
    return regions
  }

  /** Clients at work, while faults happen, and for as long as it takes them to get on everywhere after that. */
  async #use(stage: Stage, regions: readonly PlacedRegion[]): Promise<void> {
    const { seed, clients: count, nodes, coordinator } = this.#options
    await using clients = await Clients.start({
      ...{ stage, count, nodes, seed, regions },
      withMember: coordinator === 'embedded',
      origin: this.#origin,
      folder: this.#folder,
      reported: this.#tally.add,
      crashed: this.#problem,
    })
    this.#say('clients are at work')
    const progress = setInterval(() => this.#say(this.#progress(stage)), progressMs)
    try {
      await this.#injectFaults(stage, clients)
      await this.#recover(regions)
      await clients.stop()
    } catch (reason) {
      this.#problem(messageOf(reason))
    } finally {
      clearInterval(progress)
    }
  }

  async #injectFaults({ cluster, network, machines, faults }: Stage, clients: Clients): Promise<void> {
    const { seed, nodes, minutes, signal } = this.#options
    using time = new TimeLimit(minutes * 60_000, signal)
    const over = time.signal
    if (faults.length === 0) {
      await pause(minutes * 60_000, over)
      return
    }
    const injector = new FaultInjector({
      ...{ cluster, clients, network },
      schedule: faultSchedule({ seed, nodes, clients: clients.count, machines, kinds: faults, leaseMs }),
      began: this.#say,
    })
    try {
      await injector.run(over)
    } finally {
      for (const [kind, faultCount] of injector.counts) this.#faults.set(kind, faultCount)
    }
  }

  async #recover(regions: readonly PlacedRegion[]): Promise<void> {
    const since = this.#now()
    this.#say('all is put right')
    const names = regions.map(({ name }) => name)
    let silent = this.#tally.silentSince(names, since)
    while (silent.length > 0 && this.#now() < since + recoveryMsMax) {
      await pause(recoveryPollMs)
      silent = this.#tally.silentSince(names, since)
    }
    if (silent.length === 0) return
    this.#problem(`not usable ${inSeconds(recoveryMsMax)} after all was put right: ${silent.join(', ')}`)
  }

  /** What each node says, and what is there after all were killed at one moment: the last one is what each key is in the end. */
  async #readAtEnd(
    { cluster }: Stage,
    regions: readonly PlacedRegion[],
  ): Promise<ReadonlyMap<string, string | null>> {
    const final = new Map<string, string | null>()
    const readThrough = async (reader: string): Promise<void> => {
      for (const { name, socket } of cluster.nodes) {
        const operations = await readAll({ process: `${reader} ${name}`, socket, regions, now: this.#now })
        this.#tally.add(operations)
        for (const { key, value } of operations) final.set(key, value)
      }
    }
    try {
      await readThrough('at the end')
      this.#say('all nodes are killed, and started again')
      await killed(cluster.nodes, () => Promise.resolve())
      await readThrough('after the end')
    } catch (reason) {
      this.#problem(messageOf(reason))
    }
    return final
  }

  #conclude(
    regions: readonly PlacedRegion[],
    final: ReadonlyMap<string, string | null>,
    [start, end]: readonly [number, number],
  ): TortureResult {
    const { seed, nodes, coordinator } = this.#options
    const { operations, outcomes, errors, strange } = this.#tally
    for (const [code, message] of strange)
      this.#problem(`an error that makes no sense here: ${code}: ${message}`)
    const history = orderOperations(operations)
    this.#say('judging')
    const report: Report = {
      ...{ seed, nodes, coordinator, skipped: this.#skipped, problems: this.#problems },
      seconds: (end - start) / 1000,
      faults: Object.fromEntries(this.#faults),
      operations: outcomes,
      errors: Object.fromEntries(errors),
      outages: worstOutages(operations, regions, [start, end]),
      findings: judge(history, final),
    }
    return { report, history }
  }

  #progress({ cluster, network }: Stage): string {
    const { acknowledged, failed, unknown } = this.#tally.outcomes
    const cuts = network.canCut ? '' : ', one network'
    return `${acknowledged} acknowledged, ${failed} failed, ${unknown} unknown; ${cluster.running} nodes run${cuts}`
  }

  #skip(what: readonly string[]): void {
    this.#skipped.push(...what)
    for (const each of what) this.#say(`skipped: ${each}`)
  }

  readonly #problem = (what: string): void => {
    this.#problems.push(what)
    this.#say(`problem: ${what}`)
  }

  readonly #say = (line: string): void => {
    this.#options.say(`${inSeconds(this.#now()).padStart(9)}  ${line}`)
  }
}

/**
 * Fires after the time, or with another signal. `AbortSignal.any` of `AbortSignal.timeout` would say the same, but Node 20 may forget
 * such a signal, and then it never fires.
 */
class TimeLimit implements Disposable {
  readonly #over = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #early: AbortSignal
  readonly #end = (): void => this.#over.abort()

  constructor(ms: number, early: AbortSignal) {
    this.#early = early
    this.#timer = setTimeout(this.#end, ms)
    early.addEventListener('abort', this.#end)
    if (early.aborted) this.#end()
  }

  get signal(): AbortSignal {
    return this.#over.signal
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#early.removeEventListener('abort', this.#end)
  }
}

/** For each number of replicas the longest outage of any region. */
function worstOutages(
  operations: readonly TimedOperation[],
  regions: readonly PlacedRegion[],
  during: readonly [number, number],
): readonly Outage[] {
  const names = regions.map(({ name }) => name)
  const worst = new Map<string, Outage>()
  for (const outage of longestOutages(operations, names, during)) {
    const group = outage.region.split('-')[0] ?? ''
    const known = worst.get(group)
    if (known === undefined || outage.until - outage.from > known.until - known.from) worst.set(group, outage)
  }
  return [...worst.values()]
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason)
}
