import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Address } from '../../address/address.js'
import type { Region } from '../../client/region.js'
import type { WaitOptions } from '../../io/deadline.js'
import { addressArgument } from '../arguments.js'
import { clientCommand, withClient } from '../client-command.js'
import type { ClientOptions } from '../client-command.js'
import { Progress } from '../progress.js'
import { describeRegion } from '../region-document.js'
import { writeJson, writeLine } from '../standard-output.js'

interface Options extends ClientOptions {
  readonly to: string
  readonly json?: true
}

/** How often the home is asked how far it is. */
const pollMs = 200
/** A large region takes its time. */
const patience = { what: 'how long the whole move may take', defaultMs: 24 * 60 * 60 * 1000 }

const description = `Move the home of a region to another node, while it is in use.

Its pages are copied first; then all locks wait for a moment, and go on at the new home. What knows the old one is sent on from
there. An interrupt gives the move up, if it still can be: then the region is where it was. A region that is homed at the node already
stays there: the command says so.`

const examples = `  khazana migrate ::1:0:0 --to 2
  khazana migrate ::1:0:0 --to node-2 --timeout 600`

export function addMigrate(program: Command): void {
  const command = clientCommand(program, 'migrate', description, examples, patience)
    .argument('<address>', 'of the region', addressArgument)
    .requiredOption('--to <node>', 'the id or the name of a node: see khazana nodes')
    .option('--json', 'print its descriptor as JSON')
    .action((address: Address, { to, timeout = patience.defaultMs, json }: Options) =>
      withClient(command, async ({ khazana, wait }) => {
        const region = await khazana.region(address, wait)
        // Of the home itself: what this handle was made from may be older than a move.
        const { descriptor: before } = await region.stat({ offset: 0, length: 1 }, wait)
        await move(region, to, { ...wait, timeoutMs: timeout })
        const { descriptor } = region
        if (json === true) await writeJson(describeRegion(descriptor))
        else if (descriptor.era === before.era) await writeLine(`already homed at ${descriptor.home}`)
      }),
    )
}

async function move(region: Region, to: string, wait: WaitOptions): Promise<void> {
  const over = new AbortController()
  const shown = showProgress(region, over.signal)
  try {
    await region.migrate(to, wait)
  } finally {
    over.abort()
    await shown
  }
}

/** On a terminal, until the signal fires. Never rejects: who moves the region is told what goes wrong. */
async function showProgress(region: Region, signal: AbortSignal): Promise<void> {
  if (!process.stderr.isTTY) return
  try {
    let progress: Progress | undefined
    using _ = { [Symbol.dispose]: () => progress?.[Symbol.dispose]() }
    for (;;) {
      await delay(pollMs, undefined, { signal })
      const { moving } = await region.stat({ offset: 0, length: 1 }, { signal })
      if (moving === undefined) continue
      progress ??= new Progress('moving', moving.pagesTotal * region.pageSize)
      progress.update(moving.pagesDone * region.pageSize)
    }
  } catch {
    // It is over, or the home does not answer at the moment: there is nothing to be shown.
  }
}
