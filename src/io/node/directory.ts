import fs from 'node:fs/promises'
import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'
import { KhazanaError } from '../../stdx/errors.js'
import type { Directory, DirectoryLock, File } from '../storage.js'
import { NodeFile } from './file.js'
import { fileError } from './file-error.js'
import { lockFile } from './file-lock.js'

/** Opens a directory of this machine, making it, for its owner alone, where it is missing. Throws `storage-failed`. */
export async function openDirectory(path: string): Promise<Directory> {
  try {
    await fs.mkdir(path, { recursive: true, mode: 0o700 })
    await fs.access(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (reason) {
    throw fileError(reason, path)
  }
  return new NodeDirectory(path)
}

/** Throws `storage-failed` where it cannot be told. */
export async function hasDirectory(path: string): Promise<boolean> {
  try {
    return (await fs.stat(path)).isDirectory()
  } catch (reason) {
    const code = reason instanceof Error && 'code' in reason ? reason.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw fileError(reason, path)
  }
}

class NodeDirectory implements Directory {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  async list(): Promise<string[]> {
    return await this.#try('list', async () => {
      const entries = await fs.readdir(this.path, { withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
        .sort()
    })
  }

  async open(name: string, options: { readonly create: boolean }): Promise<File> {
    const path = join(this.path, name)
    return await this.#try(name, async () => {
      let fd: number
      try {
        fd = openSync(path, constants.O_RDWR | (options.create ? constants.O_CREAT : 0), 0o600)
      } catch (reason) {
        const isMissing = reason instanceof Error && 'code' in reason && reason.code === 'ENOENT'
        if (isMissing) throw new KhazanaError('bad-format', `${path} is missing`, { cause: reason })
        throw reason
      }
      try {
        return new NodeFile(path, fd, (await fs.stat(path)).size)
      } catch (reason) {
        closeSync(fd)
        throw reason
      }
    })
  }

  async remove(name: string): Promise<void> {
    await this.#try(name, () => fs.unlink(join(this.path, name)))
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#try(from, () => fs.rename(join(this.path, from), join(this.path, to)))
  }

  async sync(): Promise<void> {
    await this.#try('sync', async () => {
      const handle = await fs.open(this.path, constants.O_RDONLY)
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    })
  }

  async lock(): Promise<DirectoryLock> {
    return await this.#try('lock', () => Promise.resolve().then(() => lockFile(join(this.path, 'lock'))))
  }

  async #try<T>(what: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await operation()
    } catch (reason) {
      throw fileError(reason, `${this.path} (${what})`)
    }
  }
}
