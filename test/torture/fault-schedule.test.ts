import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { faultKinds } from '../../torture/faults/fault.js'
import type { Fault, FaultKind } from '../../torture/faults/fault.js'
import { faultSchedule } from '../../torture/faults/fault-schedule.js'
import type { Episode } from '../../torture/faults/fault-schedule.js'

const leaseMs = 3000
const nodes = 5
const machines = 6
const clients = 3

function episodes(seed: number, kinds: readonly FaultKind[] = faultKinds, count = 500): readonly Episode[] {
  const schedule = faultSchedule({ seed, nodes, clients, machines, kinds, leaseMs })
  return Array.from({ length: count }, () => schedule.next().value)
}

function faultsOf(drawn: readonly Episode[]): readonly Fault[] {
  return drawn.flatMap(({ faults }) => faults)
}

describe('a schedule of faults', () => {
  test('is the same for the same seed, and another one for another', () => {
    assert.deepEqual(episodes(7), episodes(7))
    assert.notDeepEqual(episodes(7), episodes(8))
  })

  test('has all kinds that are asked for, and no other', () => {
    const kindsIn = (drawn: readonly Episode[]): readonly string[] => [
      ...new Set(faultsOf(drawn).map(({ kind }) => kind)),
    ]
    assert.deepEqual([...kindsIn(episodes(1))].sort(), [...faultKinds].sort())
    assert.deepEqual(kindsIn(episodes(1, ['stop'])), ['stop'])
  })

  test('stops nodes mostly for longer than their lease', () => {
    const stops = faultsOf(episodes(2, ['stop'])).map(({ lastsMs }) => lastsMs)
    const long = stops.filter((ms) => ms > leaseMs)
    assert.ok(
      long.length > stops.length / 2 && long.length < stops.length,
      `${long.length} of ${stops.length}`,
    )
  })

  test('stops nodes, and now and then a client', () => {
    const stopped = new Set<string>()
    for (const fault of faultsOf(episodes(6, ['stop']))) {
      if (fault.kind === 'stop') stopped.add(`${fault.target.kind} ${fault.target.number}`)
    }
    const all = (kind: string, count: number): readonly string[] =>
      Array.from({ length: count }, (_, index) => `${kind} ${index + 1}`)
    assert.deepEqual([...stopped].sort(), [...all('client', clients), ...all('node', nodes)])
  })

  test('kills one node, some, and now and then all at one moment', () => {
    const counts = new Set<number>()
    for (const fault of faultsOf(episodes(3, ['kill'])))
      if (fault.kind === 'kill') counts.add(fault.nodes.length)
    assert.deepEqual([...counts].sort(), [1, 2, nodes])
  })

  test('cuts in one direction and in both, and touches no machine that there is not', () => {
    const shapes = new Set<string>()
    for (const fault of faultsOf(episodes(4, ['partition']))) {
      if (fault.kind !== 'partition') continue
      const has = (from: number, to: number): boolean =>
        fault.cuts.some((cut) => cut.from === from && cut.to === to)
      assert.ok(fault.cuts.length > 0, fault.shape)
      for (const { from, to } of fault.cuts) {
        assert.ok(from !== to && from >= 1 && from <= machines && to >= 1 && to <= machines, fault.shape)
        shapes.add(has(to, from) ? 'both' : 'one')
      }
    }
    assert.deepEqual([...shapes].sort(), ['both', 'one'])
  })

  test('never does two things to the same process at once', () => {
    let together = 0
    for (const { faults } of episodes(5)) {
      const hit = faults.flatMap((fault) =>
        fault.kind === 'partition'
          ? []
          : fault.kind === 'kill'
            ? fault.nodes.map((node) => `node ${node}`)
            : [`${fault.target.kind} ${fault.target.number}`],
      )
      assert.equal(new Set(hit).size, hit.length)
      if (faults.length > 1) together += 1
    }
    assert.ok(together > 0)
  })

  test('can be drawn for two machines, and for one node alone', () => {
    const small = faultSchedule({ seed: 1, nodes: 1, clients: 0, machines: 2, kinds: faultKinds, leaseMs })
    for (let count = 0; count < 200; count++) {
      for (const fault of small.next().value.faults) {
        if (fault.kind === 'kill') assert.deepEqual(fault.nodes, [1])
        if (fault.kind === 'stop') assert.deepEqual(fault.target, { kind: 'node', number: 1 })
        if (fault.kind === 'partition') assert.ok(fault.cuts.length > 0, fault.shape)
      }
    }
  })
})
