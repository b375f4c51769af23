import type { Coordinator } from '../../coordinator/coordinator.js'
import type { StateBug } from '../../coordinator/state-bug.js'
import { Prng } from '../../stdx/prng.js'
import { Scheduler } from '../scheduler.js'
import { Trace } from '../trace.js'
import type { CoordinatorBed } from './coordinator-bed.js'
import { SimCoordinator, schedulerClock } from './sim-coordinator.js'

export interface SimBedOptions {
  readonly seed: number
  readonly bug?: StateBug
  /** The share of messages that get lost; 0 unless told. */
  readonly lossRate?: number
}

const playMsMax = 600_000
const historyRevisionsMax = 1_000
const leaseTtlMs = 500

/** Plays a scene with a simulated coordinator, from one seed. */
export async function playSimulated(
  { seed, bug, lossRate = 0 }: SimBedOptions,
  play: (bed: CoordinatorBed) => Promise<void>,
): Promise<void> {
  const random = Prng.fromSeed(seed)
  const scheduler = new Scheduler({
    random: random.fork('scheduler'),
    trace: new Trace(),
    stepsMax: 1_000_000,
    wallClockMsMax: 60_000,
  })
  const clock = schedulerClock(scheduler)
  const coordinator = new SimCoordinator({
    scheduler,
    random: random.fork('coordinator'),
    lossRate,
    limits: { historyRevisionsMax },
    bug,
  })
  const clients: Coordinator[] = []
  const bed: CoordinatorBed = {
    prefix: 'scene/',
    clock,
    random: random.fork('scene'),
    leaseTtlMs,
    client: () => {
      const client = coordinator.clientOf(undefined, clock)
      clients.push(client)
      return client
    },
    freeze: () => Promise.resolve(coordinator.cutOff()),
    restart: async () => {
      coordinator.stop()
      await scheduler.delay(undefined, 50, 'coordinator is down')
      coordinator.start()
    },
    forgetHistory: async () => {
      const client = coordinator.clientOf(undefined, clock)
      for (let count = 0; count < historyRevisionsMax; count++) {
        await client.transact({ puts: [{ key: 'filler', value: new Uint8Array() }] })
      }
    },
  }
  await scheduler.settle(play(bed), playMsMax)
  for (const client of clients) client.close()
}
