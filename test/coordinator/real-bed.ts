import type { Coordinator } from '../../src/coordinator/coordinator.js'
import { nodeClock } from '../../src/io/node/clock.js'
import { Prng } from '../../src/stdx/prng.js'
import type { CoordinatorBed } from '../../src/testing/coordinator/coordinator-bed.js'

export interface RealStore {
  readonly leaseTtlMs: number
  readonly connect: () => Coordinator
  /** Resolves when it stands still. */
  readonly stop: () => Promise<void>
  readonly goOn: () => void
  readonly killAndRestart: () => Promise<void>
  readonly forgetHistory: () => Promise<void>
}

let scenes = 0

/** Plays a scene with a store in a process, in real time. */
export async function playReal(
  store: RealStore,
  play: (bed: CoordinatorBed) => Promise<void>,
): Promise<void> {
  const clients: Coordinator[] = []
  scenes++
  const bed: CoordinatorBed = {
    prefix: `scene${scenes}/`,
    clock: nodeClock,
    random: Prng.fromSeed(scenes),
    leaseTtlMs: store.leaseTtlMs,
    client: () => {
      const client = store.connect()
      clients.push(client)
      return client
    },
    freeze: async () => {
      await store.stop()
      return store.goOn
    },
    restart: store.killAndRestart,
    forgetHistory: store.forgetHistory,
  }
  // The clock of the machine keeps no process alive.
  const alive = setInterval(() => undefined, 1_000)
  try {
    await play(bed)
  } finally {
    clearInterval(alive)
    store.goOn()
    for (const client of clients) client.close()
  }
}
