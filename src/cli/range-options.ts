import type { Command } from 'commander'
import type { ByteRange } from '../address/range.js'
import type { Region } from '../client/region.js'
import { sizeArgument } from './arguments.js'

export interface RangeOptions {
  readonly offset?: number
  readonly length?: number
}

/** `--offset` and `--length`, for a part of a region. */
export function withRangeOptions(command: Command): Command {
  return command
    .option('--offset <n>', 'bytes from the start of the region (default: 0)', sizeArgument)
    .option('--length <n>', 'bytes (default: to the end of the region)', sizeArgument)
}

/** The bytes that are meant; the region checks that it has them. */
export function rangeIn(region: Region, { offset = 0, length }: RangeOptions): ByteRange {
  return { offset, length: length ?? Math.max(1, region.size - offset) }
}
