import { describe, it } from 'node:test'
import {
  coordinatorScenes,
  runCoordinatorTests,
} from '../../src/testing/coordinator/run-coordinator-tests.js'
import { playSimulated } from '../../src/testing/coordinator/sim-bed.js'

const seeds = Number(process.env['KHAZANA_SIM_SEEDS'] ?? 10)
const lossRate = 0.05

runCoordinatorTests({ describe, it }, 'simulated', async (play) => {
  for (let seed = 1; seed <= seeds; seed++) await playSimulated({ seed }, play)
})

describe('the simulated coordinator that loses messages', () => {
  for (const { name, standsLosses, play } of coordinatorScenes) {
    if (standsLosses !== true) continue
    it(name, async () => {
      for (let seed = 1; seed <= seeds; seed++) await playSimulated({ seed, lossRate }, play)
    })
  }
})
