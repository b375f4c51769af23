import { write } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { KhazanaError } from '../stdx/errors.js'

const stdout = 1
const retryMs = 5

/** Whoever read our output has stopped: nothing more is wanted, and nothing is wrong. */
class ReaderGone extends Error {}

export function isReaderGone(reason: unknown): boolean {
  return reason instanceof ReaderGone
}

/**
 * Who reads the first lines of a help text, a report or a log, and goes, is no reason to fail: what is written to them through
 * `process` from then on is lost. Called once by a program, before it writes anything.
 */
export function tolerateGoneReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
}

/**
 * Writes all of it to stdout, and waits until it is taken. Not through `process.stdout`, which blocks the process while
 * a pipe is full: a lease would run out behind the back of whoever pipes into a pager.
 */
export async function writeOut(bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await writeSome(bytes.subarray(done))
  }
}

async function writeSome(bytes: Uint8Array): Promise<number> {
  try {
    return await new Promise<number>((resolve, reject) => {
      write(stdout, bytes, (error, written) => (error === null ? resolve(written) : reject(error)))
    })
  } catch (reason) {
    const { code } = reason as NodeJS.ErrnoException
    if (code === 'EPIPE') throw new ReaderGone()
    if (code !== 'EAGAIN')
      throw new KhazanaError('storage-failed', `stdout takes no more: ${String(reason)}`, { cause: reason })
  }
  // A pipe that another process has made non-blocking, and that is full.
  await delay(retryMs)
  return 0
}

export function writeLine(line: string): Promise<void> {
  return writeOut(new TextEncoder().encode(`${line}\n`))
}

/** One document, with addresses and other large numbers as text. */
export function writeJson(document: unknown): Promise<void> {
  return writeLine(
    JSON.stringify(document, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  )
}
