import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Logger } from '../../src/io/logger.js'
import type { FuseServerOptions } from '../../src/fuse/server/fuse-server.js'
import { FuseServer } from '../../src/fuse/server/fuse-server.js'
import type { MemoryFileSystemOptions } from './memory-file-system.js'
import { MemoryFileSystem } from './memory-file-system.js'

const execute = promisify(execFile)

export interface TestMount {
  readonly path: string
  readonly server: FuseServer
  readonly files: MemoryFileSystem
  readonly logged: string[]
  release(): Promise<void>
}

/** A folder to mount upon, which the caller removes. */
export function mountPoint(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'khazana-fuse-'))
}

/**
 * A file system of this very process. Reach it through child processes or asynchronous calls only: a synchronous one
 * waits for the thread that would answer it.
 */
export async function mountMemory(
  options: Partial<MemoryFileSystemOptions> = {},
  serverOptions: Partial<FuseServerOptions> = {},
): Promise<TestMount> {
  const folder = mountPoint()
  const files = new MemoryFileSystem({ reads: 'cached', answers: 'at-once', ...options })
  const logged: string[] = []
  const logger: Logger = {
    log: (level, message) => {
      if (level !== 'info') logged.push(message)
    },
  }
  const server = await FuseServer.mount({ path: folder, operations: files, logger, ...serverOptions })
  return {
    path: folder,
    server,
    files,
    logged,
    release: async () => {
      await server.unmount()
      await fs.promises.rmdir(folder)
    },
  }
}

/** Runs a shell script in `folder`; what it printed. Rejects where it fails or takes longer than a minute. */
export async function shell(folder: string, script: string): Promise<string> {
  // Not through the option `cwd`: Node blocks its thread until the child has entered the folder, which lies with us.
  const { stdout } = await execute('bash', ['-euo', 'pipefail', '-c', `cd "$0"\n${script}`, folder], {
    timeout: 60_000,
    maxBuffer: 1 << 26,
  })
  return stdout
}
