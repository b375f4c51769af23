import { randomBytes } from 'node:crypto'
import type { Random } from '../random.js'

export const nodeRandom: Random = {
  uint32: () => randomBytes(4).readUInt32LE(0),
  bytes: (length) => new Uint8Array(randomBytes(length)),
}
