import fs from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatSize } from '../address/size-text.js'
import { KhazanaError } from '../stdx/errors.js'

/** What is kept of an input of unknown length, at most. */
export const spoolBytesMax = 64 * 1024 * 1024 * 1024

/**
 * An input of unknown length, kept in a temporary file so that its length becomes known: a region has its size from
 * the start. The file has lost its name already, so that nothing is left of it however this process ends. The taker
 * closes it. Throws `no-space`, `storage-failed`.
 */
export async function spool(source: AsyncIterable<Uint8Array>): Promise<FileHandle> {
  const folder = await fs.mkdtemp(join(tmpdir(), 'khazana-put-'))
  const path = join(folder, 'spool')
  try {
    const file = await fs.open(path, 'wx+', 0o600)
    try {
      await fs.unlink(path)
      await fill(file, source)
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  } finally {
    await fs.rm(folder, { recursive: true })
  }
}

async function fill(file: FileHandle, source: AsyncIterable<Uint8Array>): Promise<void> {
  let length = 0
  for await (const bytes of source) {
    length += bytes.length
    if (length > spoolBytesMax) {
      throw new KhazanaError(
        'no-space',
        `more than ${formatSize(spoolBytesMax)} from stdin: put it into a file first`,
      )
    }
    await append(file, bytes)
  }
}

async function append(file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    // At the file's position, and all of it: `write` alone may stop early.
    await file.writeFile(bytes)
  } catch (reason) {
    const isFull = (reason as NodeJS.ErrnoException).code === 'ENOSPC'
    const message = reason instanceof Error ? reason.message : String(reason)
    throw new KhazanaError(
      isFull ? 'no-space' : 'storage-failed',
      `keeping stdin in ${tmpdir()}: ${message}`,
      {
        cause: reason,
      },
    )
  }
}
