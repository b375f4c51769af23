import fs from 'node:fs'
import type { Libc } from './libc.js'

export const blockBytes = 4096
const streamBlockBytes = 2 ** 20

export interface Work {
  readonly operations: number
  readonly seconds: number
}

export interface FilePart {
  readonly path: string
  /** Of the part's first byte, a multiple of `blockBytes`. */
  readonly from: number
  readonly bytes: number
}

/** Reading and writing as fio does it, for machines without; and what prepares for both. */
export interface RawIo {
  /** Writes a file of nothing twice the same, and flushes it. Seconds. */
  writeStream(argument: { readonly path: string; readonly bytes: number }): number
  /** From end to end. Seconds. */
  readStream(path: string): number
  /** Blocks of a part, in random order: each of them once, or again and again for a time. */
  readBlocks(argument: FilePart & { readonly budgetMs: number; readonly each: 'once' | 'again' }): Work
  /** Overwrites blocks in random order for a time, and flushes after each. */
  writeBlocks(argument: FilePart & { readonly budgetMs: number }): Work
  forgetPages(path: string): void
}

export function rawIo(libc: Libc): RawIo {
  return {
    writeStream: ({ path, bytes }) =>
      withFile(path, 'w', (fd) => {
        const block = Buffer.from(Uint8Array.from({ length: streamBlockBytes }, () => Math.random() * 256))
        const start = performance.now()
        for (let offset = 0; offset < bytes; offset += streamBlockBytes) {
          block.writeDoubleLE(Math.random(), 0)
          fs.writeSync(fd, block, 0, Math.min(streamBlockBytes, bytes - offset))
        }
        fs.fsyncSync(fd)
        return secondsSince(start)
      }),
    readStream: (path) =>
      withFile(path, 'r', (fd) => {
        const block = Buffer.alloc(streamBlockBytes)
        const start = performance.now()
        while (fs.readSync(fd, block) > 0);
        return secondsSince(start)
      }),
    readBlocks: ({ path, from, bytes, budgetMs, each }) =>
      withFile(path, 'r', (fd) => {
        const block = Buffer.alloc(blockBytes)
        const order = shuffled(bytes / blockBytes)
        const start = performance.now()
        let operations = 0
        while (performance.now() - start < budgetMs && (each === 'again' || operations < order.length)) {
          const offset = from + (order[operations % order.length] ?? 0) * blockBytes
          if (fs.readSync(fd, block, 0, blockBytes, offset) !== blockBytes) throw new Error('a short read')
          operations += 1
        }
        return { operations, seconds: secondsSince(start) }
      }),
    writeBlocks: ({ path, from, bytes, budgetMs }) =>
      withFile(path, 'r+', (fd) => {
        const block = Buffer.alloc(blockBytes, 7)
        const order = shuffled(bytes / blockBytes)
        const start = performance.now()
        let operations = 0
        while (performance.now() - start < budgetMs) {
          block.writeUInt32LE(operations)
          const offset = from + (order[operations % order.length] ?? 0) * blockBytes
          fs.writeSync(fd, block, 0, blockBytes, offset)
          fs.fsyncSync(fd)
          operations += 1
        }
        return { operations, seconds: secondsSince(start) }
      }),
    forgetPages: (path) => withFile(path, 'r', (fd) => libc.forgetPages(fd)),
  }
}

export function secondsSince(start: number): number {
  return (performance.now() - start) / 1000
}

export function withFile<T>(path: string, flags: string, use: (fd: number) => T): T {
  const fd = fs.openSync(path, flags)
  try {
    return use(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** The numbers below `count`, in random order. */
function shuffled(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index)
  for (let left = count; left > 1; left--) {
    const chosen = Math.floor(Math.random() * left)
    const last = order[left - 1] ?? 0
    order[left - 1] = order[chosen] ?? 0
    order[chosen] = last
  }
  return order
}
