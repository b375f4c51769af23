import type { Command } from 'commander'
import { formatAddress } from '../../address/address.js'
import { FileSystem } from '../../fs/file-system.js'
import { replicasArgument, sizeArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import { fsEnvironment } from '../fs-environment.js'
import { writeJson, writeLine } from '../standard-output.js'

interface Options {
  readonly minReplicas?: number
  readonly pageSize?: number
  readonly json?: true
}

const description = `Make a file system in global memory. Prints the address by which it is mounted.

Its root belongs to whoever runs this. Files are kept at the node through which they are made, and on as many more as
told.`

const examples = `  khazana mkfs
  khazana mkfs --min-replicas 2
  khazana mount $(khazana mkfs) /mnt/shared`

export function addMkfs(program: Command): void {
  const command = clientCommand(program, 'mkfs', description, examples)
    .option(
      '--min-replicas <n>',
      'on how many nodes all is durable (default: 1); they take over for each other while the first node of the cluster, or an etcd, is there',
      replicasArgument,
    )
    .option('--page-size <size>', 'of files, a power of two from 4KiB to 1MiB (default: 4KiB)', sizeArgument)
    .option('--json', 'print the address as JSON')
    .action(({ minReplicas, pageSize, json }: Options) =>
      withClient(command, async ({ khazana }) => {
        const address = await FileSystem.make(khazana, fsEnvironment(), {
          ...(minReplicas !== undefined && { minReplicas }),
          ...(pageSize !== undefined && { pageSize }),
          uid: process.getuid?.() ?? 0,
          gid: process.getgid?.() ?? 0,
        })
        if (json === true) await writeJson({ address: formatAddress(address) })
        else await writeLine(formatAddress(address))
      }),
    )
}
