import { KhazanaError } from '../stdx/errors.js'
import { Prng } from '../stdx/prng.js'
import { FaultInjector } from './fault-injector.js'
import { drawFaults } from './faults.js'
import type { FaultKind, FaultPlan } from './faults.js'
import { HistoryRecorder, describeOperation } from './history.js'
import type { Operation } from './history.js'
import { checkLinearizability } from './linearizability.js'
import type { SimDisk } from './sim-disk.js'
import { SimWorld } from './sim-world.js'
import type { NetworkOptions } from './sim-network.js'
import { SimulationError } from './simulation-error.js'
import type { SimulationErrorKind } from './simulation-error.js'
import type { TraceSink } from './trace.js'
import type { Stage, Workload } from './workload.js'

export interface SimOptions {
  /** A whole number from 0 to 2^53 - 1. */
  readonly seed: number
  /** Client operations in all, at least 1. */
  readonly operations: number
  readonly workload: Workload
  /** A new, empty disk for a machine. */
  readonly makeDisk: (machine: string) => SimDisk
  /** What goes wrong; drawn from the seed where it is not given. */
  readonly faults?: FaultPlan
  /** For drawn faults: machines down at one time; 1 unless told. */
  readonly machinesDownMax?: number
  readonly network?: NetworkOptions
  /** Virtual ms after which faults are healed even if clients are not through; 60,000 unless told. */
  readonly safetyMsMax?: number
  /** Virtual ms that the healed system has to let all clients finish, and to come to rest; 600,000 and 100 for each operation unless told. */
  readonly progressMsMax?: number
  readonly stepsMax?: number
  /** Real ms; 60,000 and 60 for each operation unless told. */
  readonly wallClockMsMax?: number
  readonly traceSink?: TraceSink
}

export interface SimFailure {
  /** `consistency`: by the workload's own judgement. `check`: what else it found wrong. `undecided`: a history that the checker cannot judge counts as a failure. */
  readonly kind:
    SimulationErrorKind | 'linearizability' | 'consistency' | 'undecided' | 'check' | 'workload-failed'
  readonly message: string
}

/** What came of one seed. Plain data: it can be printed as JSON. */
export interface SimReport {
  readonly seed: number
  readonly workload: string
  readonly ok: boolean
  readonly failure: SimFailure | undefined
  /** The same for every run of this seed with the same options and code. */
  readonly traceHash: string
  /** Client operations that began. */
  readonly operations: number
  /** Writes that were acknowledged. */
  readonly acknowledged: number
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  /** What else came about, by the workload's own count. */
  readonly counts: Readonly<Record<string, number>>
  readonly virtualMs: number
  readonly steps: number
  readonly history: readonly Operation[]
}

const safetyMsMaxDefault = 60_000
/** Without faults. Nodes that programs close and open again and again wait for leases most of the time. */
const progressMsBase = 600_000
const progressMsPerOperation = 100
const setUpMsMax = 60_000
/** Of real time, which machines that do something else besides have less of. */
const wallClockMsBase = 60_000
const wallClockMsPerOperation = 60

/**
 * Runs one seed: the workload sets itself up, does its operations under faults, is healed, and must then make progress;
 * after that its history and its state are judged. Never throws for what the simulated code does.
 */
export async function simulate(options: SimOptions): Promise<SimReport> {
  if (!Number.isInteger(options.operations) || options.operations < 1) {
    throw new KhazanaError('invalid-argument', `operations: a whole number from 1, not ${options.operations}`)
  }
  const random = Prng.fromSeed(options.seed)
  const wallClockMsMax =
    options.wallClockMsMax ?? wallClockMsBase + options.operations * wallClockMsPerOperation
  const progressMsMax = options.progressMsMax ?? progressMsBase + options.operations * progressMsPerOperation
  const world = new SimWorld({ ...options, wallClockMsMax })
  const history = new HistoryRecorder(() => world.scheduler.now())
  const stage: Stage = { world, history, random: random.fork('workload'), operations: options.operations }
  const plan = options.faults ?? drawFaults(random.fork('fault plan'), options.machinesDownMax ?? 1)
  let injector: FaultInjector | undefined
  const failure = await failureOf(async () => {
    const { scheduler } = world
    const targets = await scheduler.settle(options.workload.setUp(stage), setUpMsMax)
    injector = new FaultInjector(world, plan, targets, random.fork('faults'))
    injector.start()
    const done = options.workload.run(stage)
    await runWhilePending(world, done, scheduler.now() + (options.safetyMsMax ?? safetyMsMaxDefault))
    injector.heal()
    const untilMs = scheduler.now() + progressMsMax
    await scheduler.settle(done, untilMs)
    await scheduler.settle(options.workload.settle(stage), untilMs)
    return judge(options.workload, stage)
  }, history)
  const operations = history.operations()
  return {
    seed: options.seed,
    workload: options.workload.name,
    ok: failure === undefined,
    failure,
    traceHash: world.scheduler.trace.hash,
    operations: operations.length,
    acknowledged: history.acknowledged,
    faults: injector?.counts ?? {},
    counts: options.workload.counts?.() ?? {},
    virtualMs: world.scheduler.now(),
    steps: world.scheduler.steps,
    history: operations,
  }
}

/** The safety phase: until the clients are through, or its time is over. */
async function runWhilePending(world: SimWorld, done: Promise<void>, untilMs: number): Promise<void> {
  const over = world.scheduler.delay(undefined, untilMs - world.scheduler.now(), 'end of the safety phase')
  // A little longer, since the sum may be rounded up.
  await world.scheduler.settle(Promise.race([done, over]), untilMs + 1)
}

function judge(workload: Workload, stage: Stage): SimFailure | undefined {
  const verdict = workload.judge?.(stage) ?? checkLinearizability(stage.history.operations())
  const kind = workload.judge === undefined ? 'linearizability' : 'consistency'
  if (verdict.kind === 'violation') return { kind, message: verdict.explanation }
  const complaints = workload.check(stage)
  if (complaints.length > 0) return { kind: 'check', message: complaints.join('\n') }
  return verdict.kind === 'undecided' ? { kind: 'undecided', message: verdict.explanation } : undefined
}

const openListedMax = 10

async function failureOf(
  run: () => Promise<SimFailure | undefined>,
  history: HistoryRecorder,
): Promise<SimFailure | undefined> {
  try {
    return await run()
  } catch (reason) {
    if (!(reason instanceof SimulationError)) {
      const message = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
      return { kind: 'workload-failed', message }
    }
    const open = history
      .open()
      .slice(0, openListedMax)
      .map((one) => `  ${describeOperation(one)}`)
    const waiting = open.length === 0 ? [] : ['operations without an answer:', ...open]
    return { kind: reason.kind, message: [reason.message, ...waiting].join('\n') }
  }
}
