import { crc32 } from 'node:zlib'
import type { Checksum } from '../storage.js'

/** CRC-32 by zlib: some 0.85 us for 4 KiB. */
export const checksum: Checksum = (bytes, seed) => crc32(bytes, seed)
