import { unreachable } from '../../src/stdx/assert.js'
import { pause } from '../clock.js'
import type { Cluster } from '../cluster/cluster.js'
import type { Network } from '../cluster/network.js'
import type { NodeProcess } from '../cluster/node-process.js'
import { describeFault } from './fault.js'
import type { Cut, Fault, FaultKind } from './fault.js'
import type { Episode } from './fault-schedule.js'

export interface InjectorOptions {
  readonly cluster: Cluster
  readonly clients: { process(number: number): Stoppable }
  readonly network: Network
  readonly schedule: Iterable<Episode, never>
  /** Told of each fault when it begins. */
  readonly began: (what: string) => void
}

/** A process that hears signals. */
export interface Stoppable {
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

/** Does to real processes what the schedule says. */
export class FaultInjector {
  readonly #options: InjectorOptions
  readonly #counts = new Map<FaultKind, number>()

  constructor(options: InjectorOptions) {
    this.#options = options
  }

  /** How many faults there were of each kind; a kill of several nodes is one for each. */
  get counts(): ReadonlyMap<FaultKind, number> {
    return this.#counts
  }

  /** Until the signal fires. All is put right when it resolves. Throws where a node cannot be started again. */
  async run(signal: AbortSignal): Promise<void> {
    for (const { pauseMs, faults } of this.#options.schedule) {
      await pause(pauseMs, signal)
      if (signal.aborted) return
      // All are put right before the first failure is told.
      const ends = await Promise.allSettled(faults.map((fault) => this.#inject(fault, signal)))
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    }
  }

  async #inject(fault: Fault, signal: AbortSignal): Promise<void> {
    const count = fault.kind === 'kill' ? fault.nodes.length : 1
    this.#counts.set(fault.kind, (this.#counts.get(fault.kind) ?? 0) + count)
    this.#options.began(describeFault(fault))
    const { cluster, clients } = this.#options
    switch (fault.kind) {
      case 'kill':
        return killed(
          fault.nodes.map((node) => cluster.node(node)),
          () => pause(fault.lastsMs, signal),
        )
      case 'stop':
        return stopped(
          fault.target.kind === 'node'
            ? cluster.node(fault.target.number)
            : clients.process(fault.target.number),
          () => pause(fault.lastsMs, signal),
        )
      case 'partition':
        return this.#cut(fault.cuts, () => pause(fault.lastsMs, signal))
      default:
        return unreachable(fault)
    }
  }

  async #cut(cuts: readonly Cut[], lasting: () => Promise<void>): Promise<void> {
    const { network } = this.#options
    try {
      await Promise.all(cuts.map(({ from, to }) => network.cut(from, to)))
      await lasting()
    } finally {
      await Promise.all(cuts.map(({ from, to }) => network.mend(from, to)))
    }
  }
}

async function stopped(process: Stoppable, lasting: () => Promise<void>): Promise<void> {
  process.signal('SIGSTOP')
  try {
    await lasting()
  } finally {
    process.signal('SIGCONT')
  }
}

/** Kills all at one moment, and starts them again at one. Throws where one does not serve again. */
export async function killed(nodes: readonly NodeProcess[], lasting: () => Promise<void>): Promise<void> {
  await Promise.all(nodes.map((node) => node.kill()))
  await lasting()
  await Promise.all(nodes.map((node) => node.start()))
}
