import { setImmediate } from 'node:timers/promises'
import type { Address } from '../../src/index.js'
import { homeRegion } from '../parts/home-region.js'
import { pageAt, pageBytes } from '../parts/working-set.js'
import type { Part } from '../process/part.js'
import type { Row } from '../row.js'

/** Increments of each side in one go. */
const turns = 100

interface Actions {
  take(turns: { readonly count: number; readonly parity: 0 | 1 }): Promise<void>
}

export const pingPongPart: Part<Address, Actions> = {
  name: 'remote-ping-pong-write',
  create: async (host, address) => {
    const region = await host.site.region(address)
    const page = pageAt(0)
    const counter = new Uint8Array(4)
    const view = new DataView(counter.buffer)
    return {
      take: async ({ count, parity }) => {
        for (let taken = 0; taken < count;) {
          const lock = await region.lock('write', page)
          lock.read(0, 4, counter)
          const value = view.getUint32(0, true)
          if (value % 2 !== parity) {
            lock.discard()
            // The right may still be here: the other side's request for it must be heard.
            await setImmediate()
            continue
          }
          view.setUint32(0, value + 1, true)
          lock.write(0, counter)
          await lock.unlock()
          taken += 1
        }
      },
    }
  },
}

/** Two nodes increment the same page in turns, each durably; for each increment. */
export const remotePingPongWrite: Row = {
  name: 'remote-ping-pong-write',
  unit: 'us',
  limit: 'tcp-pingpong-4k',
  open: async (stage) => {
    const { home, other } = await stage.pair()
    const region = await (await home.create(homeRegion, undefined)).call('reserveZeros', pageBytes)
    const sides = [await home.create(pingPongPart, region), await other.create(pingPongPart, region)] as const
    return {
      round: async (budgetMs) => {
        let increments = 0
        const start = performance.now()
        while (performance.now() < start + budgetMs) {
          await Promise.all([
            sides[0].call('take', { count: turns, parity: 0 }),
            sides[1].call('take', { count: turns, parity: 1 }),
          ])
          increments += 2 * turns
        }
        return { value: ((performance.now() - start) * 1000) / increments }
      },
    }
  },
}
