import { randomBytes } from 'node:crypto'
import type { FsEnvironment } from '../fs/environment.js'

/** The real world, for a file system. */
export function fsEnvironment(): FsEnvironment {
  return {
    now: () => {
      const ms = performance.timeOrigin + performance.now()
      const seconds = Math.floor(ms / 1000)
      return { seconds, nanoseconds: Math.floor((ms - seconds * 1000) * 1_000_000) }
    },
    after: (ms, callback) => {
      const timer = setTimeout(callback, ms)
      return () => {
        clearTimeout(timer)
      }
    },
    randomBytes: (count) => new Uint8Array(randomBytes(count)),
    warn: (message, reason) => {
      process.stderr.write(
        `khazana: ${message}: ${reason instanceof Error ? reason.message : String(reason)}\n`,
      )
    },
  }
}
