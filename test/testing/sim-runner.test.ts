import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KhazanaError } from '../../src/stdx/errors.js'
import { Prng } from '../../src/stdx/prng.js'
import { drawFaults, faultKinds, noFaults } from '../../src/testing/faults.js'
import type { FaultKind } from '../../src/testing/faults.js'
import { checkLinearizability } from '../../src/testing/linearizability.js'
import { readHistory, writeHistory } from '../../src/testing/history.js'
import { simulate } from '../../src/testing/sim-runner.js'
import type { SimOptions, SimReport } from '../../src/testing/sim-runner.js'
import { MemoryDisk } from './memory-disk.js'
import { ToyRegister } from './toy-register.js'
import type { Bug } from './toy-register.js'

function run(seed: number, bug: Bug, more: Partial<SimOptions> = {}): Promise<SimReport> {
  return simulate({
    seed,
    operations: 200,
    workload: new ToyRegister(bug),
    makeDisk: () => new MemoryDisk(),
    ...more,
  })
}

/** The first failing seed from 0 on. */
async function firstFailure(bug: Bug, seeds: number): Promise<SimReport> {
  for (let seed = 0; seed < seeds; seed++) {
    const report = await run(seed, bug)
    if (!report.ok) return report
  }
  assert.fail(`no failure within ${seeds} seeds`)
}

test('a right program is right under all seeds, and does nearly all of its work', async (context) => {
  const faults = new Map<string, number>()
  let acknowledged = 0
  for (let seed = 0; seed < 40; seed++) {
    const report = await run(seed, 'none')
    assert.equal(report.ok, true, `seed ${seed}: ${report.failure?.message}`)
    assert.equal(report.operations, 200)
    acknowledged += report.acknowledged
    for (const [kind, count] of Object.entries(report.faults))
      faults.set(kind, (faults.get(kind) ?? 0) + count)
  }
  context.diagnostic(
    `${acknowledged} writes acknowledged; faults: ${JSON.stringify(Object.fromEntries(faults))}`,
  )
  assert.ok(acknowledged > 1500)
  // What of a disk may be damaged the workload does not say.
  const possible = faultKinds.filter((kind) => kind !== 'bit-rot')
  assert.deepEqual([...faults.keys()].sort(), possible.toSorted())
})

test('the same seed twice gives the same trace hash and report', async () => {
  for (const seed of [0, 1, 2, 3, 4]) {
    const [first, second] = [await run(seed, 'none'), await run(seed, 'none')]
    assert.deepEqual(first, second)
  }
})

test('different seeds, and different amounts of work, give different traces', async () => {
  const hashes = new Set<string>()
  for (let seed = 0; seed < 10; seed++) hashes.add((await run(seed, 'none')).traceHash)
  hashes.add((await run(0, 'none', { operations: 201 })).traceHash)
  assert.equal(hashes.size, 11)
})

test('stale reads are found within 5 seeds, and explained', async (context) => {
  const report = await firstFailure('read-the-mirror', 5)
  context.diagnostic(`seed ${report.seed}: ${report.failure?.message}`)
  assert.equal(report.failure?.kind, 'linearizability')
  assert.match(report.failure.message, /client-\d read .* from [xy]: asked/)
})

test('answers before the disk has synced are found within 30 seeds', async (context) => {
  const report = await firstFailure('answer-before-sync', 30)
  context.diagnostic(`seed ${report.seed}: ${report.failure?.message}`)
  assert.ok(report.failure?.kind === 'linearizability' || report.failure?.kind === 'check')
  assert.ok((report.faults['power-off'] ?? 0) > 0)
})

test('a program that throws is reported with its process', async () => {
  const report = await run(0, 'throw', { faults: noFaults })
  assert.equal(report.failure?.kind, 'program-failed')
  assert.match(report.failure.message, /server\/primary#1.*planted/)
})

test('the history of a report is enough to judge it again', async () => {
  const report = await firstFailure('read-the-mirror', 5)
  const history = readHistory(writeHistory(report.history))
  assert.equal(checkLinearizability(history).kind, 'violation')
})

test('clients that wait for ever after the faults are healed are a failure that lists them', async () => {
  const report = await simulate({
    seed: 1,
    operations: 1,
    makeDisk: () => new MemoryDisk(),
    progressMsMax: 10_000,
    safetyMsMax: 1000,
    workload: {
      name: 'waits for ever',
      setUp: () => Promise.resolve({ machines: [], services: [] }),
      run: async ({ history, world }) => {
        history.write('c1', 'x', 'a')
        for (;;) await world.scheduler.delay(undefined, 100, 'poll')
      },
      settle: () => Promise.resolve(),
      check: () => [],
    },
  })
  assert.equal(report.failure?.kind, 'virtual-time-exhausted')
  assert.match(report.failure.message, /operations without an answer:\n {2}c1 wrote "a" to x/)
  assert.ok(report.virtualMs >= 11_000)
})

test('a workload that fails, or finds fault, is reported and not thrown', async () => {
  const base = {
    name: 'complains',
    setUp: () => Promise.resolve({ machines: [], services: [] }),
    run: () => Promise.resolve(),
    settle: () => Promise.resolve(),
    check: (): readonly string[] => ['this', 'that'],
  }
  assert.deepEqual((await run(0, 'none', { workload: base })).failure, {
    kind: 'check',
    message: 'this\nthat',
  })
  const failing = { ...base, run: () => Promise.reject(new Error('cannot')) }
  const { failure } = await run(0, 'none', { workload: failing })
  assert.equal(failure?.kind, 'workload-failed')
  assert.match(failure.message, /cannot/)
})

test('a number of operations below 1 is refused', async () => {
  for (const operations of [0, 1.5, NaN]) {
    await assert.rejects(
      run(0, 'none', { operations }),
      (error) => error instanceof KhazanaError && error.code === 'invalid-argument',
    )
  }
})

test('about half of the fault kinds are off in a seed, and each is on in some', () => {
  const on = new Map<FaultKind, number>()
  for (let seed = 0; seed < 200; seed++) {
    const plan = drawFaults(Prng.fromSeed(seed), 1)
    for (const kind of faultKinds) if (plan.rates[kind] !== undefined) on.set(kind, (on.get(kind) ?? 0) + 1)
  }
  for (const kind of faultKinds) {
    const count = on.get(kind) ?? 0
    assert.ok(count > 70 && count < 130, `${kind}: ${count} of 200`)
  }
})
