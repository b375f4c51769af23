import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LockMode } from '../../src/address/lock-mode.js'
import { presets } from '../../src/address/consistency-vector.js'
import type { ConsistencyPreset } from '../../src/address/consistency-vector.js'
import type { ProtocolDefinition } from '../../src/consistency/contract.js'
import { bounded, release } from '../../src/consistency/copies/copies.js'
import { eventual } from '../../src/consistency/eventual/eventual.js'
import { writeCell } from '../../src/testing/protocol/cells.js'
import { ProtocolWorld } from '../../src/testing/protocol/protocol-world.js'
import { CrewScript } from './crew-script.js'

/*
 * What one small section costs in managers' messages, by a site that is not the home: the table in docs/consistency.md.
 */

interface Costs {
  readonly readHeld: number
  readonly readMissing: number
  readonly writeAlone: number
  /** Two sites in turn, each its own bytes of one page. */
  readonly writeShared: number
}

/** Something that does sections one after the other, each until nothing is on its way, and counts messages. */
interface Runner {
  section(site: 'A' | 'B', mode: LockMode, cell: number): void
  readonly sent: number
}

const rounds = 16

function costsOf(makeRunner: () => Runner, write: LockMode): Costs {
  const cost = (prepare: (runner: Runner) => void, work: (runner: Runner, round: number) => void): number => {
    const runner = makeRunner()
    prepare(runner)
    const before = runner.sent
    for (let round = 0; round < rounds; round++) work(runner, round)
    return (runner.sent - before) / rounds
  }
  const missing = makeRunner()
  missing.section('A', 'read', 0)
  return {
    readHeld: cost(
      (runner) => {
        runner.section('A', 'read', 0)
      },
      (runner) => {
        runner.section('A', 'read', 0)
      },
    ),
    readMissing: missing.sent,
    writeAlone: cost(
      (runner) => {
        runner.section('A', write, 0)
      },
      (runner) => {
        runner.section('A', write, 0)
      },
    ),
    writeShared: cost(
      (runner) => {
        for (const site of ['A', 'B', 'A', 'B'] as const) runner.section(site, write, 0)
      },
      (runner, round) => {
        runner.section(round % 2 === 0 ? 'A' : 'B', write, round % 2)
      },
    ),
  }
}

function crewRunner(): Runner {
  const script = new CrewScript([{ name: 'H' }, { name: 'A', parent: 'H' }, { name: 'B', parent: 'H' }])
  return {
    section(site, mode) {
      const section = script.lock(site, mode, 0)
      script.finish()
      script.unlock(section)
      script.finish()
    },
    get sent() {
      return script.sent.length
    },
  }
}

function runnerOf<M>(protocol: ProtocolDefinition<M>, preset: ConsistencyPreset): () => Runner {
  return () => {
    const world = new ProtocolWorld({
      protocol,
      children: ['A', 'B'],
      attributes: { consistency: presets[preset] },
    })
    let value = 0
    return {
      section(site, mode, cell) {
        const section = world.lock(site, mode, 0)
        world.settle()
        assert.equal(section.state, 'open')
        if (mode !== 'read') writeCell(section, 0, cell, 1 + (value++ % 200))
        world.unlock(section)
        world.settle()
        assert.equal(section.state, 'done')
      },
      get sent() {
        return world.sent.length
      },
    }
  }
}

describe('Messages of one section', () => {
  it('are, for each preset, what docs/consistency.md says', () => {
    assert.deepEqual(costsOf(crewRunner, 'write'), {
      readHeld: 0,
      readMissing: 2,
      writeAlone: 2,
      writeShared: 7,
    })
    assert.deepEqual(costsOf(runnerOf(release, 'release'), 'write-shared'), {
      readHeld: 0,
      readMissing: 2,
      writeAlone: 2,
      writeShared: 4,
    })
    assert.deepEqual(costsOf(runnerOf(bounded, 'bounded'), 'write'), {
      readHeld: 0,
      readMissing: 2,
      writeAlone: 4,
      writeShared: 4,
    })
    assert.deepEqual(costsOf(runnerOf(eventual, 'eventual'), 'write'), {
      readHeld: 0,
      readMissing: 3,
      writeAlone: 2,
      writeShared: 4,
    })
  })
})
