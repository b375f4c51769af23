import type { World } from '../../src/io/world.js'
import type { Endpoint } from '../../src/io/network.js'
import type { Prng } from '../../src/stdx/prng.js'
import { lostWrites } from '../../src/testing/acknowledged-writes.js'
import type { FaultTargets } from '../../src/testing/fault-injector.js'
import type { SimProcess } from '../../src/testing/sim-process.js'
import type { Stage, Workload } from '../../src/testing/workload.js'
import { linesOf } from './line-connection.js'
import type { Lines } from './line-connection.js'

/** What is wrong with the toy: reads may come from a copy that lags, answers may come before the disk has synced. */
export type Bug = 'none' | 'read-the-mirror' | 'answer-before-sync' | 'throw'

const clients = 4
const keys = ['x', 'y']
const primaryAt: Endpoint = { kind: 'tcp', host: 'server', port: 7000 }
const mirrorAt: Endpoint = { kind: 'tcp', host: 'mirror', port: 7001 }
const endMark = '.'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * A register for each key on one server that logs to disk, with a mirror that it feeds without waiting. Enough to try
 * the simulator on: it is right, unless a bug is asked for.
 */
export class ToyRegister implements Workload {
  readonly name = 'toy register'
  readonly #bug: Bug
  #state: ReadonlyMap<string, string> = new Map()

  constructor(bug: Bug) {
    this.#bug = bug
  }

  async setUp({ world }: Stage): Promise<FaultTargets> {
    const server = world.addMachine('server')
    const mirror = world.addMachine('mirror')
    const services = [
      server.install('primary', (inside) => this.#serve(inside)),
      mirror.install('mirror', (inside) => serveMirror(inside)),
    ]
    for (const service of services) service.start()
    await world.scheduler.delay(undefined, 100, 'set up')
    return { machines: [server, mirror], services }
  }

  async run(stage: Stage): Promise<void> {
    const each = Math.ceil(stage.operations / clients)
    const runs = Array.from({ length: clients }, (_, index) => {
      const name = `client-${index}`
      return new Promise<void>((resolve, reject) => {
        stage.world
          .addMachine(name)
          .install('client', (inside, process) => {
            const random = stage.random.fork(name)
            runClient(stage, inside, process, { name, random, operations: each, bug: this.#bug }).then(
              resolve,
              reject,
            )
          })
          .start()
      })
    })
    await Promise.all(runs)
  }

  settle({ world }: Stage): Promise<void> {
    return world.scheduler.delay(undefined, 1000, 'settle')
  }

  check({ history }: Stage): readonly string[] {
    return lostWrites(history.operations(), this.#state).map((loss) => loss.explanation)
  }

  async #serve(inside: World): Promise<void> {
    const directory = await inside.openDirectory('/data')
    await directory.lock()
    const file = await directory.open('log', { create: true })
    const bytes = new Uint8Array(file.size())
    await file.read(0, bytes)
    const state = new Map<string, string>()
    let end = 0
    for (const line of decoder.decode(bytes).split('\n')) {
      const [key = '', value = '', mark] = line.split(' ')
      // The rest was being written when the power failed.
      if (mark !== endMark) break
      state.set(key, value)
      end += line.length + 1
    }
    await file.resize(end)
    // What a killed process wrote may not be synced yet: nobody may see it before it is.
    await file.sync()
    await directory.sync()
    this.#state = state
    const mirror = new MirrorFeed(inside, state)
    const write = async (key: string, value: string): Promise<void> => {
      const record = encoder.encode(`${key} ${value} ${endMark}\n`)
      await file.write(end, [record])
      end += record.length
      if (this.#bug === 'throw') throw new Error('planted')
      if (this.#bug !== 'answer-before-sync') await file.sync()
      state.set(key, value)
      mirror.feed(key, value)
    }
    // One at a time, in the order of arrival: a read waits for the writes before it.
    let last = Promise.resolve()
    await inside.network.listen(primaryAt, (connection) => {
      const lines: Lines = linesOf(
        connection,
        (line) => {
          const [key = '', value] = line.split(' ')
          last = last.then(async () => {
            if (value !== undefined) await write(key, value)
            lines.send(value ?? state.get(key) ?? '-')
          })
          if (this.#bug !== 'throw') {
            // The disk is full: nothing was written, and this client gets no answer.
            last = last.catch(() => lines.close())
          }
        },
        () => undefined,
      )
    })
  }
}

/** Sends all there is, then each change; starts again when the connection is lost. */
class MirrorFeed {
  readonly #inside: World
  readonly #state: ReadonlyMap<string, string>
  #lines: Lines | undefined

  constructor(inside: World, state: ReadonlyMap<string, string>) {
    this.#inside = inside
    this.#state = state
    this.#connect()
  }

  feed(key: string, value: string): void {
    this.#lines?.send(`${key} ${value}`)
  }

  #connect(): void {
    const again = (): void => {
      this.#lines = undefined
      this.#inside.clock.after(100, () => this.#connect())
    }
    this.#inside.network.connect(mirrorAt, { timeoutMs: 1000 }).then((connection) => {
      this.#lines = linesOf(connection, () => undefined, again)
      for (const [key, value] of this.#state) this.feed(key, value)
    }, again)
  }
}

async function serveMirror(inside: World): Promise<void> {
  const state = new Map<string, string>()
  await inside.network.listen(mirrorAt, (connection) => {
    const lines: Lines = linesOf(
      connection,
      (line) => {
        const [key = '', value] = line.split(' ')
        if (value === undefined) lines.send(state.get(key) ?? '-')
        else state.set(key, value)
      },
      () => undefined,
    )
  })
}

async function runClient(
  { history }: Stage,
  inside: World,
  process: SimProcess,
  client: { readonly name: string; readonly random: Prng; readonly operations: number; readonly bug: Bug },
): Promise<void> {
  const { name, random, bug } = client
  for (let count = 0; count < client.operations; count++) {
    await process.delay(random.exponential(20), 'think')
    const key = random.pick(keys)
    if (random.chance(0.5)) {
      const value = `${name}:${count}`
      const write = history.write(name, key, value)
      const answer = await ask(inside, primaryAt, `${key} ${value}`)
      if (answer.kind === 'answer') write.wrote()
      else if (answer.kind === 'unknown') write.unknown()
      else write.failed()
    } else {
      const read = history.read(name, key)
      const answer = await ask(inside, bug === 'read-the-mirror' ? mirrorAt : primaryAt, key)
      if (answer.kind === 'answer') read.read(answer.line === '-' ? null : answer.line)
      else read.failed()
    }
  }
}

type Answer =
  | { readonly kind: 'answer'; readonly line: string }
  | { readonly kind: 'unknown' }
  /** It never left. */
  | { readonly kind: 'failed' }

/** One request on a connection of its own, answered within two seconds or lost. */
async function ask(inside: World, endpoint: Endpoint, request: string): Promise<Answer> {
  let connection
  try {
    connection = await inside.network.connect(endpoint, { timeoutMs: 1000 })
  } catch {
    return { kind: 'failed' }
  }
  const opened = connection
  return new Promise((resolve) => {
    const timer = inside.clock.after(2000, () => {
      opened.destroy()
      resolve({ kind: 'unknown' })
    })
    const lines = linesOf(
      opened,
      (line) => {
        timer.cancel()
        lines.close()
        resolve({ kind: 'answer', line })
      },
      () => {
        timer.cancel()
        resolve({ kind: 'unknown' })
      },
    )
    lines.send(request)
  })
}
