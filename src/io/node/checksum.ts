import { crc32 } from 'node:zlib'
import type { Checksum } from '../storage.js'

export const nodeChecksum: Checksum = (bytes, seed) => crc32(bytes, seed)
