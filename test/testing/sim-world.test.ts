import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { File } from '../../src/io/storage.js'
import type { World } from '../../src/io/world.js'
import type { SimMachine } from '../../src/testing/sim-machine.js'
import type { SimProcess } from '../../src/testing/sim-process.js'
import { SimWorld } from '../../src/testing/sim-world.js'
import { MemoryDisk } from './memory-disk.js'

function newWorld(seed = 1, sink?: (line: string) => void): SimWorld {
  const options = { seed, makeDisk: () => new MemoryDisk() }
  return new SimWorld(sink === undefined ? options : { ...options, traceSink: sink })
}

/** Runs the function in a new process of the machine and gives what it gives. */
async function within<T>(
  world: SimWorld,
  machine: SimMachine,
  run: (world: World, process: SimProcess) => Promise<T>,
): Promise<T> {
  const result = new Promise<T>((resolve, reject) => {
    machine.install('program', (inside, process) => void run(inside, process).then(resolve, reject)).start()
  })
  return world.scheduler.settle(result, world.scheduler.now() + 1e6)
}

async function openFile(inside: World): Promise<File> {
  return (await inside.openDirectory('/data')).open('log', { create: true })
}

async function contents(world: SimWorld, machine: SimMachine): Promise<number[]> {
  return within(world, machine, async (inside) => {
    const file = await openFile(inside)
    const bytes = new Uint8Array(file.size())
    await file.read(0, bytes)
    return [...bytes]
  })
}

test('clocks differ in origin and rate, and only within the bound', async () => {
  const world = newWorld()
  const clocks = Array.from({ length: 10 }, (_, index) => world.addMachine(`m${index}`).clock)
  const before = clocks.map((clock) => clock.now())
  assert.equal(new Set(before).size, 10)
  await world.scheduler.run(1_000_000)
  const elapsed = clocks.map((clock, index) => clock.now() - (before[index] ?? 0))
  // No two by as much as the protocols allow, which is 1%.
  for (const ms of elapsed) assert.ok(ms >= 995_100 && ms <= 1_004_900, `${ms} ms`)
  assert.ok(Math.max(...elapsed) - Math.min(...elapsed) > 100)
})

test('a timer is never early by its own clock, even when the clock slows down meanwhile', async () => {
  const world = newWorld()
  const machine = world.addMachine('m')
  world.scheduler.schedule(undefined, 400, 'drift', () => machine.clock.setRate(0.5))
  for (const delayMs of [0, 0.001, 1, 999.7]) {
    const overMs = await within(world, machine, (inside) => {
      const deadlineMs = inside.clock.now() + delayMs
      return new Promise<number>((resolve) => {
        inside.clock.after(delayMs, () => resolve(inside.clock.now() - deadlineMs))
      })
    })
    assert.ok(overMs >= 0 && overMs < 5, `${delayMs} ms: late by ${overMs}`)
  }
})

test('a cancelled timer does not fire', async () => {
  const world = newWorld()
  const fired = await within(world, world.addMachine('m'), async (inside, process) => {
    let count = 0
    inside.clock.after(1, () => count++).cancel()
    const twice = inside.clock.after(1, () => count++)
    await process.delay(10, 'wait')
    twice.cancel()
    return count
  })
  assert.equal(fired, 1)
})

test('a killed process leaves what it wrote; power takes what was not synced', async () => {
  const world = newWorld()
  const machine = world.addMachine('m')
  await within(world, machine, async (inside) => {
    const file = await openFile(inside)
    await file.write(0, [Uint8Array.of(1), Uint8Array.of(2)])
    await file.sync()
    await file.write(2, [Uint8Array.of(3)])
  })
  machine.services[0]?.kill()
  assert.deepEqual(await contents(world, machine), [1, 2, 3])
  machine.powerOff()
  machine.powerOn()
  assert.deepEqual(await contents(world, machine), [1, 2])
})

test('a directory that a process locked is free when the process is dead, and not before', async () => {
  for (const death of ['killed', 'power-lost'] as const) {
    const world = newWorld()
    const machine = world.addMachine('m')
    const lock = async (inside: World): Promise<void> => {
      await (await inside.openDirectory('/data')).lock()
    }
    await within(world, machine, lock)
    await assert.rejects(
      within(world, machine, lock),
      (error) => error instanceof KhazanaError && error.code === 'directory-in-use',
    )
    if (death === 'killed') machine.services[0]?.kill()
    else {
      machine.powerOff()
      machine.powerOn()
    }
    await within(world, machine, lock)
  }
})

test('a write in flight when its process is killed happened or not, by the seed, and is never answered', async () => {
  const outcomes = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const world = newWorld(seed)
    const machine = world.addMachine('m')
    let isAnswered = false
    const service = machine.install('writer', async (inside) => {
      const file = await openFile(inside)
      await file.write(0, [new Uint8Array(1_000_000)])
      isAnswered = true
    })
    service.start()
    await world.scheduler.run(1)
    service.kill()
    await world.scheduler.run(100)
    assert.equal(isAnswered, false)
    outcomes.add(`${(await contents(world, machine)).length}`)
  }
  assert.deepEqual([...outcomes].sort(), ['0', '1000000'])
})

test('disk operations take time, more on a slow disk, and a full disk refuses', async () => {
  const world = newWorld()
  const machine = world.addMachine('m')
  const timeOfWrite = (): Promise<number> =>
    within(world, machine, async (inside) => {
      const file = await openFile(inside)
      const startMs = inside.clock.now()
      await file.write(0, [new Uint8Array(500_000)])
      return inside.clock.now() - startMs
    })
  const normalMs = await timeOfWrite()
  assert.ok(normalMs >= 0.9 && normalMs < 3, `${normalMs} ms`)
  machine.pace.slowness = 100
  assert.ok((await timeOfWrite()) > 90)
  machine.disk.limit(machine.disk.usedBytes())
  await assert.rejects(
    within(world, machine, async (inside) => (await openFile(inside)).write(500_000, [new Uint8Array(1)])),
    (error) => error instanceof KhazanaError && error.code === 'no-space',
  )
})

test('a program that fails ends the simulation with its name', async () => {
  const world = newWorld()
  const service = world.addMachine('m').install('node', async (_inside, process) => {
    await process.delay(1, 'wait')
    throw new Error('broken assertion')
  })
  service.start()
  await assert.rejects(world.scheduler.run(10), /m\/node#1.*broken assertion/)
})

test('a service starts again as a new incarnation, with other random numbers, and not without power', async () => {
  const world = newWorld()
  const machine = world.addMachine('m')
  const draws: number[] = []
  const service = machine.install('node', (inside) => void draws.push(inside.random.uint32()))
  service.start()
  service.start()
  await world.scheduler.run(1)
  assert.equal(draws.length, 1)
  machine.powerOff()
  assert.equal(service.isAlive, false)
  service.start()
  assert.equal(service.isAlive, false)
  machine.powerOn()
  service.start()
  await world.scheduler.run(2)
  assert.equal(new Set(draws).size, 2)
  assert.equal(service.process?.name, 'm/node#2')
})

test('checksums are CRC-32', async () => {
  const world = newWorld()
  const { whole, parts } = await within(world, world.addMachine('m'), (inside) => {
    const bytes = new TextEncoder().encode('123456789')
    const head = inside.checksum(bytes.subarray(0, 4), 0)
    return Promise.resolve({
      whole: inside.checksum(bytes, 0),
      parts: inside.checksum(bytes.subarray(4), head),
    })
  })
  assert.equal(whole, 0xcbf43926)
  assert.equal(parts, 0xcbf43926)
})

test('logs go into the trace, with their fields in its text', async () => {
  const lines: string[] = []
  const world = newWorld(1, (line) => lines.push(line))
  await within(world, world.addMachine('m'), (inside) => {
    inside.logger.log('warn', 'a thing happened', { at: 5n, cause: new Error('why') })
    return Promise.resolve()
  })
  const text = lines.join('\n')
  assert.match(text, /m\/program#1 log warn a thing happened/)
  assert.match(text, /\{"at":"5n","cause":"Error: why"\}/)
})
