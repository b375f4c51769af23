import type { Command } from 'commander'
import { resolve } from 'node:path'
import { formatAddress } from '../../address/address.js'
import type { Address } from '../../address/address.js'
import type { Khazana } from '../../client/khazana.js'
import { FsError } from '../../fs/errno.js'
import { FileSystem } from '../../fs/file-system.js'
import type { Logger } from '../../io/logger.js'
import { FuseFront } from '../../fuse/front/fuse-front.js'
import { FuseServer } from '../../fuse/server/fuse-server.js'
import { KhazanaError } from '../../stdx/errors.js'
import { addressArgument, sizeArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { fsEnvironment } from '../fs-environment.js'
import { writeLine } from '../standard-output.js'

const description = `Mount a file system of "khazana mkfs" on a directory, until interrupted or unmounted. Linux only.

Runs in the foreground and prints "ready {json}" when programs can use it. The same file system may be mounted at many
nodes: what a system call has done at one is seen by the next one at any other, and locks of flock and fcntl hold among
the programs of all. The kernel keeps what it has read for as long as nobody elsewhere changes it. A dead mount on the
directory is cleared away. Root's mounts are for all users; those of others need fusermount3 (of fuse3), and are for them
alone.`

const examples = `  khazana mount ::1:400:0 /mnt/shared &
  umount /mnt/shared                          # ends it`

const blockSize = 4096
/** Bytes. Each file that the kernel knows takes a page. */
const memoryDefault = 256 * 1024 * 1024

export function addMount(program: Command): void {
  const command = clientCommand(program, 'mount', description, examples)
    .argument('<address>', 'of the file system', addressArgument)
    .argument('<directory>', 'to mount it on')
    .option(
      '--memory <size>',
      'RAM for pages of files, besides what the kernel keeps (default: 256MiB)',
      sizeArgument,
    )
    .hook('preAction', (mount) => {
      if (mount.getOptionValue('memory') === undefined) mount.setOptionValue('memory', memoryDefault)
    })
    .action((address: Address, directory: string) =>
      withClient(command, async ({ khazana, wait }) => {
        const fs = await mountAt(khazana, address)
        try {
          await serve(fs, address, resolve(directory), wait.signal)
        } finally {
          await fs.unmount()
        }
      }),
    )
}

/** Throws `invalid-argument` where there is no file system that can be mounted. */
async function mountAt(khazana: Khazana, address: Address): Promise<FileSystem> {
  try {
    return await FileSystem.mount(khazana, fsEnvironment(), address)
  } catch (reason) {
    if (!(reason instanceof FsError) || (reason.code !== 'EINVAL' && reason.code !== 'ESTALE')) throw reason
    throw new KhazanaError('invalid-argument', `${formatAddress(address)}: ${reason.message}`, {
      cause: reason,
    })
  }
}

async function serve(
  fs: FileSystem,
  address: Address,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const isRoot = process.getuid?.() === 0
  const logger: Logger = {
    log: (level, message, fields) => {
      if (level === 'debug' || level === 'info') return
      process.stderr.write(`khazana: ${level}: ${message} ${JSON.stringify(fields ?? {}, withStacks)}\n`)
    },
  }
  const front = new FuseFront({ fs, blockSize })
  const server = await FuseServer.mount({
    path: directory,
    operations: front,
    logger,
    // Others come in, and run set-id programs, only where who mounts could let them anyway.
    access: isRoot ? 'all' : 'owner',
    specials: isRoot ? 'honoured' : 'ignored',
    permissions: 'kernel',
  })
  front.cacheIn(server, logger)
  const end = (): void => void server.unmount()
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  await writeLine(`ready ${JSON.stringify({ address: formatAddress(address), directory, pid: process.pid })}`)
  await server.closed
  signal.removeEventListener('abort', end)
}

/** Errors, in JSON, with where they come from. */
function withStacks(_: string, value: unknown): unknown {
  return value instanceof Error ? value.stack : value
}
