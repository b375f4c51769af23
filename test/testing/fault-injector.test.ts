import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../../src/stdx/prng.js'
import { FaultInjector } from '../../src/testing/fault-injector.js'
import { faultKinds } from '../../src/testing/faults.js'
import type { FaultKind } from '../../src/testing/faults.js'
import type { SimMachine } from '../../src/testing/sim-machine.js'
import { SimWorld } from '../../src/testing/sim-world.js'
import { MemoryDisk } from './memory-disk.js'

const longMs = 1e9

class Scene {
  readonly world: SimWorld
  readonly machines: readonly SimMachine[]
  readonly injector: FaultInjector

  constructor(kinds: readonly FaultKind[], lastsMs: number, machinesDownMax: number) {
    this.world = new SimWorld({ seed: 1, makeDisk: () => new MemoryDisk() })
    this.machines = ['a', 'b', 'c'].map((name) => this.world.addMachine(name))
    const services = this.machines.map((machine) => machine.install('idle', () => undefined))
    for (const service of services) service.start()
    const rates = Object.fromEntries(kinds.map((kind) => [kind, { gapMs: 100, lastsMs }]))
    const plan = { rates, machinesDownMax, slownessMax: 10 }
    const targets = { machines: this.machines, services }
    this.injector = new FaultInjector(this.world, plan, targets, Prng.fromSeed(2))
  }

  /** What is not as it should be. */
  async troubles(): Promise<string[]> {
    const found: string[] = []
    const { network } = this.world
    for (const machine of this.machines) {
      if (!machine.isPowered) found.push('no power')
      if (machine.services.some((service) => service.process?.state === 'dead')) found.push('dead')
      if (machine.services.some((service) => service.process?.state === 'paused')) found.push('paused')
      if (machine.pace.slowness !== 1) found.push('slow disk')
      const directory = await machine.disk.openDirectory('/')
      const file = await directory.open('file', { create: true })
      await file.resize(file.size() + 1).catch(() => found.push('full disk'))
      for (const other of this.machines) {
        const link = network.link(machine.name, other.name)
        if (link.isBlocked) found.push('blocked link')
        if (link.occupiedMs(1_000_000) > 8) found.push('slow link')
      }
    }
    return [...new Set(found)].sort()
  }
}

const expected: Readonly<Partial<Record<FaultKind, readonly string[]>>> = {
  crash: ['dead'],
  'power-off': ['dead', 'no power'],
  partition: ['blocked link'],
  'one-way': ['blocked link'],
  'slow-link': ['slow link'],
  'slow-disk': ['slow disk'],
  'disk-full': ['full disk'],
  pause: ['paused'],
}

for (const [kind, troubles] of Object.entries(expected) as [FaultKind, readonly string[]][]) {
  test(`${kind} does what its name says, and healing takes it back`, async () => {
    const scene = new Scene([kind], longMs, 3)
    scene.injector.start()
    await scene.world.scheduler.run(2000)
    assert.deepEqual(await scene.troubles(), troubles)
    assert.deepEqual(Object.keys(scene.injector.counts), [kind])
    scene.injector.heal()
    await scene.world.scheduler.run(3000)
    assert.deepEqual(await scene.troubles(), [])
  })
}

test('faults end by themselves, and come again', async () => {
  const scene = new Scene(['pause'], 10, 3)
  scene.injector.start()
  await scene.world.scheduler.run(10_000)
  assert.ok((scene.injector.counts.pause ?? 0) > 50)
})

test('after healing nothing goes wrong any more, whatever was in force', async () => {
  const scene = new Scene(faultKinds, 300, 3)
  scene.injector.start()
  await scene.world.scheduler.run(20_000)
  scene.injector.heal()
  const { counts } = scene.injector
  await scene.world.scheduler.run(40_000)
  assert.deepEqual(scene.injector.counts, counts)
  assert.deepEqual(await scene.troubles(), [])
})

test('no more machines are down at one time than the plan allows', async () => {
  const scene = new Scene(['crash', 'power-off', 'pause'], 500, 1)
  scene.injector.start()
  let most = 0
  for (let ms = 0; ms < 20_000; ms += 50) {
    await scene.world.scheduler.run(ms)
    const down = scene.machines.filter((machine) => {
      return !machine.isPowered || machine.services.some((service) => service.process?.state !== 'running')
    })
    most = Math.max(most, down.length)
  }
  assert.equal(most, 1)
})

test('clocks drift within the bound', async () => {
  const scene = new Scene(['clock-drift'], 1000, 1)
  const before = scene.machines.map((machine) => machine.clock.rate)
  scene.injector.start()
  await scene.world.scheduler.run(5000)
  const after = scene.machines.map((machine) => machine.clock.rate)
  assert.notDeepEqual(after, before)
  for (const rate of after) assert.ok(Math.abs(rate - 1) <= scene.world.clockDriftMax)
})
