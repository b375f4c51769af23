import type { Logger } from '../logger.js'
import type { World } from '../world.js'
import { nodeChecksum } from './checksum.js'
import { nodeClock } from './clock.js'
import { hasDirectory, openDirectory } from './directory.js'
import { nodeNetwork } from './network.js'
import { nodeRandom } from './random.js'

/** The real machine. */
export function nodeWorld(logger: Logger): World {
  return {
    clock: nodeClock,
    random: nodeRandom,
    network: nodeNetwork,
    checksum: nodeChecksum,
    logger,
    openDirectory,
    hasDirectory,
  }
}
