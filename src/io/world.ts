import type { Clock } from './clock.js'
import type { Logger } from './logger.js'
import type { Network } from './network.js'
import type { Random } from './random.js'
import type { Checksum, Directory } from './storage.js'

/** Everything ambient, injected as one: the simulator and the real machine each make one. */
export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly logger: Logger
  readonly checksum: Checksum
  /** Opens a directory on this machine's disk, making it (mode 0700) where it is missing. */
  openDirectory(path: string): Promise<Directory>
  /** Whether there is one already. Makes nothing. */
  hasDirectory(path: string): Promise<boolean>
}
