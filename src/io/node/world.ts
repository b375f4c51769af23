import type { Logger } from '../logger.js'
import type { Directory } from '../storage.js'
import type { World } from '../world.js'
import { nodeChecksum } from './checksum.js'
import { nodeClock } from './clock.js'
import { nodeNetwork } from './network.js'
import { nodeRandom } from './random.js'

export interface NodeWorldOptions {
  readonly logger: Logger
  readonly openDirectory: (path: string) => Promise<Directory>
}

/** The real machine. */
export function nodeWorld(options: NodeWorldOptions): World {
  return {
    clock: nodeClock,
    random: nodeRandom,
    network: nodeNetwork,
    checksum: nodeChecksum,
    logger: options.logger,
    openDirectory: options.openDirectory,
  }
}
