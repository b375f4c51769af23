import type { Command } from 'commander'
import type { Resources } from '../../wire/message.js'
import { sizeArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import type { ClientOptions } from '../client-command.js'
import { writeJson, writeLine } from '../standard-output.js'

interface Options extends ClientOptions {
  readonly memory?: number
  readonly disk?: number
  readonly json?: true
}

const MiB = 1024 * 1024

const description = `Show what a node uses of its machine, or change its limits while it runs.

A change holds until the node ends: what it may use after its next start is what khazana node is told then, with --memory and --disk. With
less memory, pages go at once, those that are locked or not durable yet a little later. More disk can be allocated at once; with less,
files of the log are given back as they are emptied. A disk limit that leaves no room for what is allocated is refused.`

const examples = `  khazana resources
  khazana resources --at ./data/b --memory 1GiB
  khazana resources --at 127.0.0.1:7401 --disk 20GiB`

export function addResources(program: Command): void {
  const command = clientCommand(program, 'resources', description, examples)
    .option('--memory <size>', 'RAM for pages from now on', sizeArgument)
    .option('--disk <size>', 'room on disk from now on', sizeArgument)
    .option('--json', 'print as JSON')
    .action(({ memory, disk, json }: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const isChange = memory !== undefined || disk !== undefined
        const resources = isChange
          ? await khazana.setResources({ memoryBytesMax: memory, diskBytesMax: disk }, wait)
          : await khazana.resources(wait)
        if (json === true) await writeJson(resources)
        else await writeLine([...textOf(resources), ...(isChange ? [untilWhen] : [])].join('\n'))
      }),
    )
}

const untilWhen = 'These limits hold until the node ends: start it with --memory and --disk to keep them.'

function textOf(resources: Resources): string[] {
  const { memoryBytes, memoryBytesMax, diskBytes, diskBytesMax, storageBytes, storageBytesMax } = resources
  return [
    `memory   ${used(memoryBytes, memoryBytesMax)}: pages in RAM`,
    `disk     ${used(diskBytes, diskBytesMax)}: files of the log`,
    `storage  ${used(storageBytes, storageBytesMax)}: promised to regions, and what can be on this disk`,
  ]
}

function used(bytes: number, most: number): string {
  return `${inMiB(bytes)} of ${inMiB(most)} MiB`
}

function inMiB(bytes: number): string {
  return (bytes / MiB).toFixed(bytes < 10 * MiB ? 1 : 0)
}
