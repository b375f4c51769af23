import fs from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import { KhazanaError } from '../stdx/errors.js'
import { interruptible } from './source.js'
import { spool } from './spool.js'
import { chunkBytesMax } from './transfer.js'

/** A file whose length is known before it is read. */
export interface InputFile extends AsyncDisposable {
  /** Undefined for what came from stdin. */
  readonly name: string | undefined
  readonly bytes: number
  /** All of it, from its start. Throws `storage-failed`, also where the file has changed its length meanwhile. */
  read(): AsyncIterable<Uint8Array>
}

/** `-` is stdin. Throws `invalid-argument` for what is no file, `storage-failed`, `no-space`, `aborted`. */
export async function openInput(path: string, signal: AbortSignal): Promise<InputFile> {
  if (path === '-') return inputFrom(await spool(interruptible(process.stdin, signal)), undefined)
  let file: FileHandle
  try {
    file = await fs.open(path)
  } catch (reason) {
    throw new KhazanaError('invalid-argument', messageOf(reason), { cause: reason })
  }
  const stat = await file.stat()
  if (stat.isFile()) return inputFrom(file, basename(path))
  await using _opened = file
  if (stat.isDirectory()) throw new KhazanaError('invalid-argument', `${path} is a directory`)
  // A pipe or a device, which may never end: as stdin.
  return await inputFrom(
    await spool(interruptible(file.createReadStream({ autoClose: false }), signal)),
    basename(path),
  )
}

async function inputFrom(file: FileHandle, name: string | undefined): Promise<InputFile> {
  const { size } = await file.stat()
  return {
    name,
    bytes: size,
    read: () => readExactly(file, size, name ?? 'stdin'),
    [Symbol.asyncDispose]: () => file.close(),
  }
}

async function* readExactly(file: FileHandle, bytes: number, name: string): AsyncGenerator<Uint8Array> {
  let at = 0
  // One byte more than there should be would show that there is more.
  while (at <= bytes) {
    const chunk = new Uint8Array(Math.min(chunkBytesMax, bytes - at + 1))
    const { bytesRead } = await read(file, chunk, at)
    if (bytesRead === 0) break
    at += bytesRead
    if (at > bytes) break
    yield chunk.subarray(0, bytesRead)
  }
  if (at !== bytes) {
    throw new KhazanaError('storage-failed', `${name} has changed its length while it was read: put it again`)
  }
}

async function read(file: FileHandle, into: Uint8Array, at: number): Promise<{ readonly bytesRead: number }> {
  try {
    return await file.read(into, 0, into.length, at)
  } catch (reason) {
    throw new KhazanaError('storage-failed', messageOf(reason), { cause: reason })
  }
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason)
}
