import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Prng } from '../../src/stdx/prng.js'
import { Scheduler } from '../../src/testing/scheduler.js'
import { SimProcess } from '../../src/testing/sim-process.js'
import { SimulationError } from '../../src/testing/simulation-error.js'
import type { SimulationErrorKind } from '../../src/testing/simulation-error.js'
import { Trace } from '../../src/testing/trace.js'

function newScheduler(seed = 1, bounds: { stepsMax?: number; wallClockMsMax?: number } = {}): Scheduler {
  return new Scheduler({
    random: Prng.fromSeed(seed),
    trace: new Trace(),
    stepsMax: bounds.stepsMax ?? 1_000_000,
    wallClockMsMax: bounds.wallClockMsMax ?? 30_000,
  })
}

function fails(kind: SimulationErrorKind, text = ''): (error: unknown) => boolean {
  return (error) => error instanceof SimulationError && error.kind === kind && error.message.includes(text)
}

const realSetTimeout = setTimeout
const realClearTimeout = clearTimeout

test('events run in the order of their time, and time stands where the run ends', async () => {
  const scheduler = newScheduler()
  const seen: [string, number][] = []
  for (const delayMs of [5, 1, 3, 11]) {
    scheduler.schedule(undefined, delayMs, 'event', () => seen.push([`${delayMs}`, scheduler.now()]))
  }
  await scheduler.run(10)
  assert.deepEqual(seen, [
    ['1', 1],
    ['3', 3],
    ['5', 5],
  ])
  assert.equal(scheduler.now(), 10)
  await scheduler.run(20)
  assert.equal(seen.length, 4)
})

test('events of one time run in an order drawn from the seed', async () => {
  const orders = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const scheduler = newScheduler(seed)
    const seen: string[] = []
    for (const name of ['a', 'b', 'c']) scheduler.schedule(undefined, 1, 'event', () => seen.push(name))
    await scheduler.run(1)
    orders.add(seen.join(''))
  }
  assert.ok(orders.size >= 5, `only ${[...orders].join(' ')}`)
})

test('a thousand chained promise reactions are over before the next event', async () => {
  const scheduler = newScheduler()
  let turns = 0
  let turnsAtNext = -1
  const chain = async (): Promise<void> => {
    for (; turns < 1000; turns++) await Promise.resolve()
  }
  scheduler.schedule(undefined, 1, 'chain', () => void chain())
  scheduler.schedule(undefined, 1.000001, 'next', () => (turnsAtNext = turns))
  await scheduler.run(2)
  assert.equal(turnsAtNext, 1000)
})

test('a cancelled event does not run', async () => {
  const scheduler = newScheduler()
  let ran = false
  const scheduled = scheduler.schedule(undefined, 1, 'event', () => (ran = true))
  scheduled.cancel()
  await scheduler.run(2)
  assert.equal(ran, false)
})

test('what a dead process waits for never comes', async () => {
  const scheduler = newScheduler()
  const process = new SimProcess('p', scheduler)
  const seen: string[] = []
  const program = async (): Promise<void> => {
    for (;;) {
      await process.delay(1, 'tick')
      seen.push(`tick ${scheduler.now()}`)
    }
  }
  void program()
  scheduler.schedule(undefined, 2.5, 'kill', () => process.die('killed'))
  await scheduler.run(10)
  assert.deepEqual(seen, ['tick 1', 'tick 2'])
})

test('what a process does in the turn it dies in schedules nothing', async () => {
  const scheduler = newScheduler()
  const process = new SimProcess('p', scheduler)
  let ran = false
  process.schedule(1, 'suicide', () => {
    process.die('killed')
    process.schedule(0, 'afterlife', () => (ran = true))
  })
  await scheduler.run(5)
  assert.equal(ran, false)
})

test('the events of a paused process come at once and in order when it goes on', async () => {
  const scheduler = newScheduler()
  const process = new SimProcess('p', scheduler)
  const seen: [number, number][] = []
  for (let index = 0; index < 20; index++) {
    process.schedule(1 + index, 'event', () => seen.push([index, scheduler.now()]))
  }
  const cancelled = process.schedule(3.5, 'event', () => seen.push([99, 0]))
  scheduler.schedule(undefined, 5.5, 'pause', () => process.pause())
  scheduler.schedule(undefined, 5.6, 'cancel', () => cancelled.cancel())
  scheduler.schedule(undefined, 15.5, 'resume', () => process.resume())
  await scheduler.run(30)
  const early = seen.filter(([index]) => index < 5)
  const late = seen.filter(([index]) => index >= 5 && index < 15)
  assert.ok(early.every(([index, time]) => index === 99 || time === index + 1))
  assert.deepEqual(
    late,
    Array.from({ length: 10 }, (_, index) => [index + 5, 15.5]),
  )
})

test('an event that was withheld can still be cancelled', async () => {
  const scheduler = newScheduler()
  const process = new SimProcess('p', scheduler)
  const seen: string[] = []
  process.pause()
  const second = process.schedule(2, 'second', () => seen.push('second'))
  process.schedule(1, 'first', () => {
    seen.push('first')
    second.cancel()
  })
  scheduler.schedule(undefined, 3, 'resume', () => process.resume())
  await scheduler.run(5)
  assert.deepEqual(seen, ['first'])
})

test('a run of nothing but waiting is a deadlock, and says what waits', async () => {
  const scheduler = newScheduler()
  await assert.rejects(scheduler.settle(new Promise(() => {}), 100), fails('deadlock'))
  scheduler.schedule(undefined, 500, 'far away', () => undefined)
  await assert.rejects(
    scheduler.settle(new Promise(() => {}), 100),
    fails('virtual-time-exhausted', '500.000 ms: "far away" of the world'),
  )
})

test('settle gives what the promise gives', async () => {
  const scheduler = newScheduler()
  assert.equal(
    await scheduler.settle(
      scheduler.delay(undefined, 5, 'wait').then(() => 'yes'),
      10,
    ),
    'yes',
  )
  assert.equal(scheduler.now(), 5)
  await assert.rejects(scheduler.settle(Promise.reject(new Error('no')), 10), /^Error: no$/)
})

test('an endless program ends with the step budget, and the pending events are listed', async () => {
  const scheduler = newScheduler(1, { stepsMax: 1000 })
  const process = new SimProcess('spinner', scheduler)
  const spin = (): void => void process.schedule(0.001, 'spin', spin)
  spin()
  await assert.rejects(scheduler.run(1e9), fails('steps-exhausted', '"spin" of spinner'))
  assert.equal(scheduler.steps, 1000)
})

test('a slow program ends with the wall-clock budget', async () => {
  const scheduler = newScheduler(1, { wallClockMsMax: 20 })
  const spin = (): void => void scheduler.schedule(undefined, 0.001, 'spin', spin)
  spin()
  await assert.rejects(scheduler.run(1e9), fails('wall-clock-exhausted', 'spin'))
})

test('an error that an event throws ends the run, with its cause', async () => {
  const scheduler = newScheduler()
  const process = new SimProcess('node-1', scheduler)
  process.schedule(1, 'bad event', () => {
    throw new RangeError('bug')
  })
  await assert.rejects(scheduler.run(2), fails('program-failed', '"bad event" of node-1'))
})

test('a rejection that nobody handles ends the run', async () => {
  const scheduler = newScheduler()
  scheduler.schedule(undefined, 1, 'floating', () => void Promise.reject(new Error('lost')))
  scheduler.schedule(undefined, 2, 'later', () => assert.fail('ran on'))
  await assert.rejects(scheduler.run(3), fails('program-failed', 'lost'))
})

test('an error thrown from a microtask ends the run', async () => {
  const scheduler = newScheduler()
  scheduler.schedule(undefined, 1, 'microtask', () =>
    queueMicrotask(() => {
      throw new Error('deep')
    }),
  )
  await assert.rejects(scheduler.run(3), fails('program-failed', 'deep'))
})

test('a real timer is a leak', async () => {
  const scheduler = newScheduler()
  let timer: NodeJS.Timeout | undefined
  scheduler.schedule(undefined, 1, 'cheat', () => (timer = realSetTimeout(() => undefined, 10_000)))
  await assert.rejects(scheduler.run(3), fails('leak', 'real Timeout'))
  realClearTimeout(timer)
})

test('reading a real file is a leak', async () => {
  const scheduler = newScheduler()
  // Several, since one may be over before anybody looks.
  const cheat = (): void => {
    for (let copy = 0; copy < 50; copy++) void readFile(import.meta.filename)
  }
  scheduler.schedule(undefined, 1, 'cheat', cheat)
  await assert.rejects(scheduler.run(3), fails('leak', 'FSReq'))
})

test('ambient time and randomness throw inside a run and work after it', async () => {
  const uses: Record<string, () => unknown> = {
    'Date.now': () => Date.now(),
    'the current Date': () => new Date(),
    'Math.random': () => Math.random(),
    'performance.now': () => performance.now(),
    'process.hrtime': () => process.hrtime.bigint(),
    'crypto.getRandomValues': () => crypto.getRandomValues(new Uint8Array(4)),
    'crypto.randomUUID': () => crypto.randomUUID(),
    setTimeout: () => setTimeout(() => undefined, 1),
    setInterval: () => setInterval(() => undefined, 1),
    setImmediate: () => setImmediate(() => undefined),
    'AbortSignal.timeout': () => AbortSignal.timeout(1),
    fetch: () => fetch('http://localhost'),
  }
  for (const [name, use] of Object.entries(uses)) {
    const scheduler = newScheduler()
    scheduler.schedule(undefined, 1, 'cheat', use)
    await assert.rejects(scheduler.run(2), fails('ambient', name), name)
  }
  assert.ok(Date.now() > 0 && new Date() instanceof Date && Math.random() < 1 && performance.now() > 0)
  assert.equal(Object.hasOwn(performance, 'now'), false)
  assert.equal(crypto.getRandomValues(new Uint8Array(4)).length, 4)
})

test('dates can still be calculated with inside a run', async () => {
  const scheduler = newScheduler()
  let text = ''
  scheduler.schedule(undefined, 1, 'calculate', () => (text = new Date(0).toISOString()))
  await scheduler.run(2)
  assert.equal(text, '1970-01-01T00:00:00.000Z')
})

test('two runs at once are refused', async () => {
  const scheduler = newScheduler()
  scheduler.schedule(undefined, 1, 'nest', () => void newScheduler().run(1))
  await assert.rejects(scheduler.run(2), fails('nested'))
})

async function hashOf(seed: number, extra: string): Promise<string> {
  const scheduler = newScheduler(seed)
  const random = Prng.fromSeed(seed)
  for (let index = 0; index < 100; index++) {
    scheduler.schedule(undefined, random.int(0, 10), index === 50 ? extra : 'event', () => undefined)
  }
  await scheduler.run(20)
  return scheduler.trace.hash
}

test('the trace hash is the same for the same events and another for others', async () => {
  assert.equal(await hashOf(1, 'event'), await hashOf(1, 'event'))
  assert.notEqual(await hashOf(1, 'event'), await hashOf(2, 'event'))
  assert.notEqual(await hashOf(1, 'event'), await hashOf(1, 'evenu'))
  assert.match(await hashOf(1, 'event'), /^[0-9a-f]{16}$/)
})

test('the text of the trace goes to its sink', async () => {
  const lines: string[] = []
  const scheduler = new Scheduler({
    random: Prng.fromSeed(1),
    trace: new Trace((line) => lines.push(line)),
    stepsMax: 10,
    wallClockMsMax: 1000,
  })
  new SimProcess('node-1', scheduler).schedule(1.5, 'wake', () => undefined)
  await scheduler.run(2)
  assert.deepEqual(lines, ['      1.5000 node-1 wake'])
})

test('100,000 events take less than 3 seconds', async (context) => {
  const scheduler = newScheduler()
  const random = Prng.fromSeed(9)
  let left = 100_000
  const process = new SimProcess('worker', scheduler)
  const work = async (): Promise<void> => {
    while (left-- > 0) await process.delay(random.exponential(1), 'work')
  }
  for (let worker = 0; worker < 50; worker++) void work()
  const startedMs = performance.now()
  await scheduler.run(1e9)
  const tookMs = performance.now() - startedMs
  context.diagnostic(`${scheduler.steps} events in ${tookMs.toFixed(0)} ms`)
  assert.ok(scheduler.steps >= 100_000)
  assert.ok(tookMs < 3000, `${tookMs} ms`)
})
